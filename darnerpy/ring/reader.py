"""One that reads, at its own pace and from its own place.

Owns what a reader promises: each message is just what was published, in order, and of those that it does
not get it knows the exact number. It copies the place where the next one comes, proves what it has, and only
if that does not pass looks for the reason: not there yet, overwritten, or damaged. Writes nothing.
"""

import time
import warnings
from types import TracebackType
from typing import Final, Literal, Self

from ..arguments import check_count, seconds_of
from ..errors import ClosedError, DamageError, Lagged
from ..queue_errors import Empty
from ..units import counted
from .layout import DATA, HEAD, HEAD_SIZE, STATES, Place, latest, unpack_frames, unpack_messages
from .mapped import PATIENCE_S, Mapped
from .waiting import Waiting

__all__ = ["RingReader"]

_LEAST_BLOCK: Final = 256
_MOST_BLOCK: Final = 16 << 10
"""Bytes that are copied at once. More would make the first message of them wait for the others."""


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
        self._block = _LEAST_BLOCK
        self._most_block = min(_MOST_BLOCK, ring.size // 4)
        _, self._begin, self._end, self._closed = ring.state()
        newest = ring.last(self._end)
        # What is copied next. Where the sequence is that is wanted, nobody knows: what comes before it is
        # read, too; and if it is gone, looking for it among the oldest finds that out.
        if start == "newest" or (start != "oldest" and start >= newest[0]):
            self._next = newest
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
        check_count(n, "n", 1)
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
        if timeout is not None:
            seconds_of(timeout, "timeout")
        if not self._open:
            raise self._closed_error()
        waiting: Waiting | None = None
        try:
            while not (ready := self._ready):
                if self._copy():
                    continue
                if self._is_due():
                    self._explain()
                    continue
                if self._closed:
                    raise self._closed_error()
                waiting = waiting or Waiting(timeout, self._spin_s)
                if waiting.spins():
                    continue
                if self._after() is not None:
                    self._explain()
                elif not waiting.pause():
                    raise Empty(self.path)
            while len(ready) < n and self._copy():
                ready = self._ready
        except ValueError:
            if self._open:
                raise
            raise self._closed_error() from None  # meanwhile, by another thread
        return ready

    def _copy(self) -> bool:
        """Take the messages that are there, as far as they prove right; whether the next one did.

        Not in parts, since it is all that most calls do.
        """
        ring = self._ring
        first, position = self._next
        start = DATA + position % self.size
        if start + self._block <= DATA + self.size:
            block = ring.map[start : start + self._block]
        else:
            block = ring.read(position, self._block)
        unpacked = unpack_frames(first, block, ring.seeds)
        if unpacked is None:
            return False
        got, sequence, at = unpacked
        if not got:
            frame = ring.frame(first, position, self.size)  # it may be larger than the block
            if frame is None:
                return False
            got += unpack_messages(*frame)
            sequence, at = first + frame[0], HEAD_SIZE + len(frame[1])
        if 2 * at > self._block < self._most_block:
            self._block *= 2
        elif 8 * at < self._block > _LEAST_BLOCK:
            self._block //= 2
        if first < self._wanted:
            del got[: self._wanted - first]
        if len(got) > 1 or self._ready:
            got.reverse()
            got += self._ready
        following = sequence, position + at
        # Nothing comes between the two, not even Ctrl-C: no message is lost or read twice.
        self._next, self._ready = following, got
        return True

    def _is_due(self) -> bool:
        """Whether the writer says that the next message was published, or is gone."""
        ring = self._ring
        states = ring.map[STATES]
        if states != self._states:
            _, self._begin, self._end, self._closed = latest(states, ring.seeds) or ring.state()
            self._states = states
        return self._next[0] < self._end[0]

    def _after(self) -> Place | None:
        """Where the message behind the next one is, if it is there; then the next one was published, too."""
        sequence, position = self._next
        _, count, length, _, _ = HEAD.unpack(self._ring.read(position, HEAD_SIZE))
        after = sequence + count, position + HEAD_SIZE + length
        there = length <= self.size // 2 and self._ring.frame(*after, self.size) is not None
        return after if there else None

    def _explain(self) -> None:
        """Find out why a message that was published is not there, and raise that; or have it after all.

        What another processor wrote may become visible late, and in any order. So what does not fit is only
        called damaged when it has had time enough.
        """
        until = time.perf_counter() + PATIENCE_S
        while True:
            late = time.perf_counter() > until
            _, self._begin, self._end, self._closed = self._ring.state()
            sequence = self._next[0]
            if self._begin[0] > sequence:
                missed = self._pass_over(self._begin)
                if missed and not self._skips:
                    raise Lagged(self.path, missed)
                return
            if self._copy():
                return
            after = self._after() or self._end
            if after[0] <= sequence:
                return
            if late:
                break
            time.sleep(0.001)
        missed = self._pass_over(after)
        if missed:
            raise DamageError(
                f"{self.path}: message {sequence} is damaged; {counted(missed, 'message')} lost"
            )

    def _pass_over(self, to: Place) -> int:
        """Go on there; how many messages that were wanted lie between."""
        missed = max(0, to[0] - self.sequence)
        self._next, self.missed = to, self.missed + missed
        return missed

    def _closed_error(self) -> ClosedError:
        return ClosedError(f"{self.path} is closed{'' if self._open else ' in this process'}")
