"""A queue that was opened, whichever front has it: the directory it shares, and the way out.

Owns the order in which one is opened and closed, and that one which nobody closed is closed all the same,
with a warning. What may block is done by the caller, or by a thread that it chooses.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..arguments import text_of_path
from ..brokers.turn import Unready
from ..errors import DarnerError
from ..locks import Lock
from .arguments import queue_name
from .desk import Desk
from .directory import Front
from .keywords import given_in
from .registry import enter, leave, whenever_possible
from .sleepers import Sleeper

__all__ = ["Opened", "path_of", "warn_unclosed"]


def path_of(path: str | os.PathLike[str]) -> Path:
    """Raises TypeError for what is no path, ValueError for what none can be."""
    return Path(text_of_path(path, "a data directory"))


class Opened:
    """One queue of a directory, open but for its journal. desk: of the queue itself. desks: of its
    consumers, too.

    Making it may block. Raises `ConfigError`, `DataDirError`, and what else keeps the directory from
    being used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str,
        keywords: Mapping[str, Any],
        front: Front,
        make_sleeper: Callable[[bool], Sleeper],
    ) -> None:
        where, known = path_of(path), queue_name(name)
        given = given_in(keywords, f"{where}: queue {name!r}")
        self.make_sleeper = make_sleeper
        self._closing = Lock()
        self.directory = enter(where, None, given, front, self)
        try:
            self.place = self.directory.join(known, given, self)
        except BaseException:
            leave(self.directory, self)
            raise
        self.desk = Desk(self.directory, self.place, b"", make_sleeper)
        self.desks = [self.desk]
        self.is_open = True

    def desk_of(self, consumer: bytes) -> Desk:
        desk = Desk(self.directory, self.place, consumer, self.make_sleeper)
        self.desks.append(desk)
        return desk

    def close(self) -> None:
        """Nothing happens if it is closed already. May block; it can be called again if interrupted."""
        if self.directory.is_forked:
            return
        with self._closing:
            if not self.is_open:
                return
            desk = self.desk
            why = f"{desk.path}: queue {desk.queue!r} is closed"
            try:
                self.directory.run(partial(self._close_desks, why))
            except (Unready, DarnerError):
                for each in self.desks:
                    each.leave(why)  # a turn was cut off: nobody holds anything any more
            self.directory.part(self.place, self)
            leave(self.directory, self)
            self.is_open = False

    def _close_desks(self, why: str) -> None:
        for each in self.desks:
            if not each.closed:
                each.close(why)

    def forget(self) -> None:
        """Its front is gone, and did not close it."""
        if self.is_open and not self.directory.is_forked:
            whenever_possible(self.directory, self.close)


def warn_unclosed(front: object) -> None:
    warnings.warn(f"unclosed {front!r}", ResourceWarning, stacklevel=3, source=front)
