"""`darnerpy.open`: all queues of a data directory, by name."""

import os
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar, Unpack

from ..brokers.turn import Unready
from ..errors import ClosedError
from .arguments import queue_name, text_of_queue
from .directory import Directory
from .keywords import Config, Keywords, given_in
from .opened import path_of, warn_unclosed
from .queue import Queue
from .registry import enter, leave, whenever_possible

__all__ = ["Queues", "open"]

T = TypeVar("T")


class Queues(Mapping[str, Queue]):
    """The queues of a directory, by name: `darnerpy.open` gives it.

    `queues["mail"]` is a queue, made by its first put; until then it is not `in` here. `del queues["mail"]`
    removes one from disk, and raises KeyError if there is none. Closing closes every queue that it gave.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: Config | None = None,
        **settings: Unpack[Keywords],
    ) -> None:
        self._is_open = False
        self._user = object()
        self._path = path_of(path)
        self._settings = settings
        self._queues: dict[str, Queue] = {}
        given = given_in(settings, f"{self._path}")
        self._directory: Directory = enter(self._path, config, given, self, self._user)
        self._is_open = True

    def __getitem__(self, name: str) -> Queue:
        self._check_open()
        known = self._queues.get(name)
        if known is None or known.closed:
            known = self._queues[name] = Queue(self._path, name, **self._settings)
            known._owned = True
        return known

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self[name].delete()

    def __contains__(self, name: object) -> bool:
        """Whether anything was ever put into it."""
        try:
            return isinstance(name, str) and queue_name(name) in self._names()
        except ValueError:
            return False  # no queue can be called so

    def __iter__(self) -> Iterator[str]:
        return iter([text_of_queue(name) for name in self._names()])

    def __len__(self) -> int:
        return len(self._names())

    def __bool__(self) -> bool:
        """True, though there may be no queue."""
        return True

    def __eq__(self, other: object) -> bool:
        """Whether it is this very object, as of everything that can be closed."""
        return self is other

    __hash__ = object.__hash__

    def _names(self) -> list[bytes]:
        self._check_open()
        directory = self._directory
        return self._run(lambda: [stored.name for stored in directory.broker.existing()])

    def _run(self, work: Callable[[], T]) -> T:
        while True:
            try:
                return self._directory.run(work)
            except Unready:
                self._directory.revive()

    def _check_open(self) -> None:
        if not self._is_open:
            raise ClosedError(f"{self._path}: the queues are closed")
        if self._directory.is_forked:
            self._directory.run(list)  # which says so

    # -- the end -----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._is_open

    def close(self) -> None:
        """Close every queue that was got from here; another close does nothing."""
        if self._is_open and not self._directory.is_forked:
            for queue in self._queues.values():
                queue.close()
            leave(self._directory, self._user)
            self._is_open = False

    def close_forgotten(self) -> None:
        """As `close`, where the program ends without it."""
        if self._is_open:
            try:
                warn_unclosed(self)  # which may be an error
            finally:
                self.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._is_open and not self._directory.is_forked:
            try:
                warn_unclosed(self)  # which may be an error
            finally:
                whenever_possible(self._directory, self.close)

    def __repr__(self) -> str:
        return f"<darnerpy.Queues in {str(self._path)!r}>"


def open(
    path: str | os.PathLike[str],
    config: Config | None = None,
    **settings: Unpack[Keywords],
) -> Queues:
    """Open all queues of a data directory, by name.

    config: a configuration as the server has one: the path of a TOML file, what such a file holds as a
    mapping, or settings that were read. settings: as of `Queue`, for every queue. Raises what `Queue` does.
    """
    return Queues(path, config, **settings)
