"""One that reads, at its own pace and from its own place.

Owns what a reader promises: each message is just what was published, in order, and of those that it does
not get it knows the exact number. It copies what is there, a block at a time, proves each frame in its copy,
and only if one does not pass looks for the reason: overwritten, not visible yet, or damaged. Writes nothing.
"""

import math
import time
import warnings
from types import TracebackType
from typing import Final, Literal, Self

from ..errors import ClosedError, DamageError, Lagged
from ..queue_errors import Empty
from ..units import counted
from .layout import HEAD, HEAD_SIZE, STATES, Place, is_intact, latest, unpack_messages
from .mapped import PATIENCE_S, Mapped

__all__ = ["RingReader"]

_BLOCK: Final = 16 << 10
"""Bytes that are copied at once. More would make the first message of them wait for the others."""

_FIRST_PAUSE_S: Final = 0.00002
_LONGEST_PAUSE_S: Final = 0.001

_unpack = HEAD.unpack_from


class RingReader:
    """Reads the messages of a ring; made by `darnerpy.Ring.open`.

    It is a context manager, which closes it, and an iterator, which ends when the ring is closed. It is for
    one thread. After a fork both processes have one, and each goes on by itself.

    path: the file.
    size: bytes of messages that it keeps, counting 22 more for each call.
    missed: messages that were published from where it began and were not read: overwritten or damaged.
    """

    path: str
    size: int
    missed: int

    def __init__(
        self,
        ring: Mapped,
        start: Literal["newest", "oldest"] | int,
        on_lag: Literal["raise", "skip"],
        spin: float,
    ) -> None:
        self.path = ring.path
        self.size = ring.size
        self.missed = 0
        self._ring = ring
        self._open = False
        self._skips = on_lag == "skip"
        self._spin_s = spin
        self._states = b""
        self._ready: list[bytes] = []  # the next one is the last
        _, self._begin, self._end, self._closed = ring.state()
        # What is copied next. Where the sequence is that is wanted, nobody knows: what comes before it is
        # read, too; and if it is gone, looking for it among the oldest finds that out.
        if start == "newest" or (start != "oldest" and start >= self._end[0]):
            self._next = self._end
        elif start == "oldest":
            self._next = self._begin
        else:
            self._next = min(start, self._begin[0]), self._begin[1]
        self._wanted = self._next[0] if isinstance(start, str) else start
        self._open = True

    @property
    def sequence(self) -> int:
        """The sequence of the message that is read next, if it is not overwritten before."""
        return max(self._next[0] - len(self._ready), self._wanted)

    @property
    def closed(self) -> bool:
        """Whether this reader was closed; of the ring, `read` tells."""
        return not self._open

    @property
    def writer_alive(self) -> bool:
        """Whether a process has the ring open for writing."""
        if not self._open:
            raise self._closed_error()
        return self._ring.has_writer()

    def read(self, timeout: float | None = None) -> bytes:
        """The next message. Waits for it, `timeout` seconds at most if that is given.

        Raises `Empty` if none came in that time; `ClosedError` if the ring is closed and all was read, or
        this reader is closed; `Lagged` if some were overwritten, but not under `on_lag="skip"`;
        `DamageError` if one was published and cannot be read any more. After the last two the next
        call goes on behind what is lost.
        """
        ready = self._ready or self._fetched(timeout, 1)
        return ready.pop()

    def read_many(self, n: int, timeout: float | None = None) -> list[bytes]:
        """What there is, at most `n`; waits for the first as `read` does, and raises the same."""
        if n < 1:
            raise ValueError(f"n is {n}, and at least 1 was expected")
        ready = self._ready if len(self._ready) >= n else self._fetched(timeout, n)
        messages = ready[: -n - 1 : -1]
        del ready[-n:]
        return messages

    def close(self) -> None:
        """Let go of the ring, which stays as it is. A second time it does nothing."""
        self._open = False
        self._ready = []
        self._ring.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            return self.read()
        except ClosedError:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._open:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, 1, source=self)
            self.close()

    def __repr__(self) -> str:
        return f"<RingReader {self.path!r} at {self.sequence}{' closed' if self.closed else ''}>"

    def _fetched(self, timeout: float | None, n: int) -> list[bytes]:
        """At least one message, and up to `n` without waiting; raises what `read` does."""
        if timeout is not None and timeout < 0:
            raise ValueError(f"timeout is {timeout}, and no less than 0 was expected")
        if not self._open:
            raise self._closed_error()
        until = None
        try:
            while not (ready := self._ready):
                if self._next[0] >= self._end[0] and not self._look():
                    until = until or time.perf_counter() + (
                        math.inf if timeout is None else timeout
                    )
                    self._wait(until)
                if not self._copy():
                    self._explain()
            while (
                len(ready) < n and (self._next[0] < self._end[0] or self._look()) and self._copy()
            ):
                ready = self._ready
        except ValueError:
            if self._open:
                raise
            raise self._closed_error() from None  # meanwhile, by another thread
        return ready

    def _look(self) -> bool:
        """Whether the writer says that there is a message that was not copied."""
        ring = self._ring
        states = ring.map[STATES]
        if states == self._states:
            return False
        _, self._begin, self._end, self._closed = latest(states, ring.salt) or ring.state()
        self._states = states
        return self._next[0] < self._end[0]

    def _wait(self, until: float) -> None:
        """Until there is one: at first without a pause, then with longer and longer ones."""
        spin_until = time.perf_counter() + self._spin_s
        pause = _FIRST_PAUSE_S
        while not self._look():
            if self._closed:
                raise self._closed_error()
            now = time.perf_counter()
            if now >= until:
                raise Empty(self.path)
            if now >= spin_until:
                time.sleep(min(pause, until - now))
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _copy(self) -> bool:
        """Take the messages that are there, as far as they prove right; whether the next one did."""
        ring = self._ring
        salt = ring.salt
        first, position = self._next
        there = min(self._end[1] - position, self.size)
        block = ring.read(position, min(there, _BLOCK))
        most = len(block)
        got: list[bytes] = []
        sequence, at = first, 0
        while at + HEAD_SIZE <= most:
            found, count, length, crc, adler = _unpack(block, at)
            start = at + HEAD_SIZE
            stop = start + length
            if found != sequence or stop > most:
                break
            data = block[start:stop]
            if not is_intact(sequence, count, data, salt, crc, adler):
                break
            if count == 1:
                got.append(data)
            else:
                got += unpack_messages(count, data)
            sequence += count
            at = stop
        if not got:
            frame = ring.frame(first, position, there)  # it may be larger than the block
            if frame is None:
                return False
            got += unpack_messages(*frame)
            sequence, at = first + frame[0], HEAD_SIZE + len(frame[1])
        if first < self._wanted:
            del got[: self._wanted - first]
        got.reverse()
        got += self._ready
        following = sequence, position + at
        # Nothing comes between the two, not even Ctrl-C: no message is lost or read twice.
        self._next, self._ready = following, got
        return True

    def _explain(self) -> None:
        """Find out why the next message is not there, and raise that; or have it after all.

        What another processor wrote may become visible late, and in any order. So what does not fit is only
        called damaged when it has had time enough.
        """
        until = time.perf_counter() + PATIENCE_S
        while True:
            late = time.perf_counter() > until
            _, self._begin, self._end, self._closed = self._ring.state()
            sequence, position = self._next
            if self._begin[0] > sequence:
                missed = self._pass_over(self._begin)
                if missed and not self._skips:
                    raise Lagged(self.path, missed)
                return
            if self._end[0] <= sequence or self._copy():
                return
            if late:
                break
            time.sleep(0.001)
        missed = self._pass_over(self._behind(sequence, position))
        if missed:
            raise DamageError(
                f"{self.path}: message {sequence} is damaged; {counted(missed, 'message')} lost"
            )

    def _behind(self, sequence: int, position: int) -> Place:
        """Where to go on behind a damaged frame: with the next one, or if that is not found, the newest."""
        _, count, length, _, _ = HEAD.unpack(self._ring.read(position, HEAD_SIZE))
        after = position + HEAD_SIZE + length
        if self._ring.frame(sequence + count, after, self._end[1] - after) is None:
            return self._end
        return sequence + count, after

    def _pass_over(self, to: Place) -> int:
        """Go on there; how many messages that were wanted lie between."""
        missed = max(0, to[0] - self.sequence)
        self._next, self.missed = to, self.missed + missed
        return missed

    def _closed_error(self) -> ClosedError:
        return ClosedError(f"{self.path} is closed{'' if self._open else ' in this process'}")
