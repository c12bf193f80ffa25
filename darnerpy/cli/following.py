"""Following the tap of a server from outside: its ring, whatever becomes of the server.

Owns which ring that is, how many events were missed, and what is waited for while there is none. Only
reads, and keeps no server from starting.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import ClosedError, DamageError, DarnerError, NoRingError
from ..queue_errors import Empty
from ..ring import Ring, RingReader
from ..server.events import FILE, Event, decode, span_of

__all__ = ["Follower"]

_AT_ONCE = 1000
_LOOK_S = 0.2
_PATIENCE_S = 1.0
"""How long something has to be missing to be worth a word: a server that starts has no ring for a moment."""


class Follower:
    """oldest: begin with what is still there, not with what is told next.

    say: told what is waited for, if it takes a moment.
    """

    def __init__(self, data: Path, oldest: bool, say: Callable[[str], None]) -> None:
        self._data = data
        self._path = data / FILE
        self._oldest = oldest
        self._is_first = True
        self._say = say
        self._said = self._missing = ""
        self._missing_since = self._following_since = 0.0
        self._expected: int | None = None

    @property
    def is_settled(self) -> bool:
        """Whether a ring is followed, and has been for a while: who sees nothing by now wonders why."""
        since = self._following_since
        return since > 0 and time.monotonic() - since >= _PATIENCE_S

    def events(self) -> Iterator[tuple[int, list[Event]]]:
        """How many events were missed and those that follow, again and again; (0, []) while nothing comes."""
        while True:
            found = self._open()
            if found is not None:
                reader, identity = found
                self._following_since = time.monotonic()
                with reader:
                    yield from self._all_of(reader, identity)
                self._following_since = 0.0
            # There is none, or it was taken away. The next one is new: nothing of it is to be missed.
            self._oldest, self._is_first = True, False
            self._wait()
            yield 0, []

    def _open(self) -> tuple[RingReader, tuple[int, int]] | None:
        """The ring, if there is one, and which file it is."""
        identity = self._identity()
        if identity is None:
            return None
        try:
            reader = Ring.open(self._path, "oldest" if self._oldest else "newest", on_lag="skip")
        except NoRingError:
            return None
        if self._identity() != identity:
            reader.close()
            return None
        self._expected = self._next_number(reader.sequence) if self._is_first else 0
        return reader, identity

    def _next_number(self, sequence: int) -> int | None:
        """The number of the first event of that message, which may be one to come; None if nobody knows."""
        if not sequence:
            return 0
        try:
            with Ring.open(self._path, sequence - 1) as last:
                return span_of(last.read(timeout=0))[1]
        except DarnerError:  # it is overwritten, or gone
            return None

    def _all_of(
        self, reader: RingReader, identity: tuple[int, int]
    ) -> Iterator[tuple[int, list[Event]]]:
        """What is told in one ring, until another is in its place."""
        while True:
            try:
                messages = reader.read_many(_AT_ONCE, timeout=_LOOK_S)
            except DamageError:
                continue  # the numbers tell what is missing
            except (Empty, ClosedError) as reason:
                if self._identity() != identity:
                    return
                if isinstance(reason, ClosedError) or not reader.writer_alive:
                    self._wait()
                yield 0, []
                continue
            self._said = self._missing = ""
            for message in messages:
                first, following = span_of(message)
                missed = 0 if self._expected is None else max(0, first - self._expected)
                self._expected = following
                yield missed, decode(message)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _wait(self) -> None:
        """A moment; when it has been several for the same reason, say so, once."""
        now, missing = time.monotonic(), self._what_is_missing()
        if missing != self._missing:
            self._missing, self._missing_since = missing, now
        elif missing != self._said and now - self._missing_since >= _PATIENCE_S:
            self._said = missing
            self._say(f"waiting: {missing}")
        time.sleep(_LOOK_S)

    def _what_is_missing(self) -> str:
        if not self._data.is_dir():
            return f"there is no directory {self._data}"
        if self._path.exists():
            return f"no server writes to {self._path}; if one runs there, its log says why"
        return f"no server with tap = true for a queue runs on {self._data}"
