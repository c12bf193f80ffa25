"""The one that publishes.

A message is published once it is written. Owns what is announced beside that, and rarely: that what will be
overwritten from now on is gone, before that is done, and up to where there are messages. Never waits for a
reader, and publishes without a system call. Threads may share a writer; a forked process cannot use it.
"""

import os
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

from ..arguments import Data, bytes_of, check_several
from ..errors import ClosedError, ForkedError, MessageTooLargeError, RingError
from .layout import (
    DATA,
    HEAD,
    HEAD_SIZE,
    STATE,
    WRITER,
    Place,
    pack_head,
    pack_state,
    pack_table,
)
from .mapped import Mapped

__all__ = ["RingWriter"]

_STRIDE: Final = 8 << 10
"""Bytes between two states, in a ring of usual size: few enough for readers to look through, and enough to
make what a state costs not matter."""

_MOST_STRIDES: Final = 8 << 10
"""How many there are in a ring at most, as the writer knows a place in each."""

_FRAME: Final = 8 << 10
"""Bytes of many small messages that have one head. They are lost together, so they must not be too many."""

_open_writers: "WeakSet[RingWriter]" = WeakSet()


class RingWriter:
    """Publishes messages in a ring; made by `darnerpy.Ring.create`.

    It is a context manager, which closes it. Threads may share it.

    path: the file.
    size: bytes of messages that it keeps, counting 22 more for each call.
    """

    path: str
    size: int

    def __init__(self, ring: Mapped) -> None:
        """Take over a ring that is locked, whatever became of its writer."""
        self.path = ring.path
        self.size = ring.size
        self._ring = ring
        self._most = ring.size // 2
        self._lock = threading.Lock()
        self._gone: type[ClosedError] | type[ForkedError] | None = ClosedError
        self._stride = max(min(_STRIDE, ring.size // 16), ring.size // _MOST_STRIDES)
        self._generation, self._oldest, following, _ = ring.state()
        self._oldest_before = self._oldest
        self._marks: deque[Place] = deque()  # where it was at each state
        self._next = ring.last(following)
        ring.map[WRITER] = os.getpid().to_bytes(8, "big")
        self._make_room(self._next[1])
        self._gone = None
        _open_writers.add(self)

    @property
    def sequence(self) -> int:
        """The sequence of the message that is published next."""
        return self._next[0]

    @property
    def closed(self) -> bool:
        """Whether it can publish nothing more: it was closed, or is the copy in a forked process."""
        return self._gone is not None

    def publish(self, message: Data) -> int:
        """Have all readers find this message next; its sequence.

        Raises `MessageTooLargeError`, and `ClosedError` or `ForkedError` if it can publish nothing more.
        """
        data = message if type(message) is bytes else bytes_of(message, "a message")
        if len(data) > self._most:
            raise self._too_large(len(data))
        with self._lock:
            if self._gone is not None:
                raise self._refusal()
            sequence = self._next[0]
            self._write(sequence, 1, data)
        return sequence

    def publish_many(self, messages: Iterable[Data]) -> range:
        """The same for many, which costs much less; their sequences.

        If one of them is too large, none is published. They need not fit the ring together.
        """
        check_several(messages, "messages")
        batch = [each if type(each) is bytes else bytes_of(each, "a message") for each in messages]
        lengths = list(map(len, batch))
        longest = max(lengths, default=0)
        if longest > self._most:
            raise self._too_large(longest)
        with self._lock:
            if self._gone is not None:
                raise self._refusal()
            first = sequence = self._next[0]
            for count in _counts(lengths, min(_FRAME, self.size // 4)):
                done = sequence - first
                frame = batch[done : done + count]
                if count > 1:
                    frame.insert(0, pack_table(lengths[done : done + count]))
                self._write(sequence, count, b"".join(frame))
                sequence += count
        return range(first, sequence)

    def check(self) -> None:
        """Raise `RingError` if somebody has cut off the file: publishing then ends the process (SIGBUS)."""
        if self._gone is not None:
            raise self._refusal()
        file = self._ring.map
        if file.size() != len(file):
            raise RingError(f"{self.path} was cut off: nothing can be published in it any more")

    def close(self) -> None:
        """Have readers know that nothing more comes. The ring stays, and can be created again.

        A second time it does nothing.
        """
        with self._lock:
            if self._gone is None:
                if self._ring.map.size() == len(self._ring.map):
                    self._announce(self._oldest, closed=True)
                self._gone = ClosedError
            self._ring.close()

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
        if self._gone is None:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, 1, source=self)
            self._gone = ClosedError
            self._ring.close()

    def __repr__(self) -> str:
        return f"<RingWriter {self.path!r}{' closed' if self.closed else ''}>"

    def _write(self, sequence: int, count: int, data: bytes) -> None:
        """Write a frame behind the others. Not in parts, since it is all that most calls do."""
        ring = self._ring
        position = self._next[1]
        length = len(data)
        end = position + HEAD_SIZE + length
        if end > self._limit:
            self._make_room(end)
        head = pack_head(sequence, count, data, ring.seeds)
        following = sequence + count, end
        start = DATA + position % self.size
        behind = start + HEAD_SIZE
        stop, over = behind + length, DATA + self.size
        if stop <= over:
            ring.map[behind:stop] = data
        else:
            ring.write(position + HEAD_SIZE, data)
        if behind > over:
            ring.map[DATA : DATA + behind - over] = head[over - start :]
            behind, head = over, head[: over - start]
        # The head comes last: where writes are seen in order, nobody who looks all the time finds half a
        # message. And nothing comes between it and what is next, not even Ctrl-C.
        ring.map[start:behind], self._next = head, following

    def _make_room(self, end: int) -> None:
        """Announce that what must be overwritten up to there is gone, and more; and what is there by now.

        Nothing is overwritten but what the state before said, too, so that either of the two is true.
        """
        size = self.size
        self._marks.append(self._next)
        while True:
            oldest = self._first_behind(end - size)
            self._announce(oldest)
            self._oldest_before, self._oldest = self._oldest, oldest
            if end <= self._oldest_before[1] + size:
                break
        self._limit = min(self._oldest_before[1] + size, max(end, self._next[1] + self._stride))

    def _first_behind(self, least: int) -> Place:
        """Where a message begins two strides behind that position, or not much more; at most the next one."""
        sequence, position = self._oldest
        goal = min(least + 2 * self._stride, self._next[1])
        if goal <= position:
            return self._oldest
        marks = self._marks
        while marks[0][1] < goal:  # the last one of them is where we are
            marks.popleft()
        mark = marks[0]
        if mark[1] < goal + 2 * self._stride:
            return mark
        # Between large messages, or in what a writer before this one has written.
        while position < mark[1]:
            found, count, length, _, _ = HEAD.unpack(self._ring.read(position, HEAD_SIZE))
            if found != sequence:  # damaged: where the next one is, who knows
                break
            if position >= goal:
                return sequence, position
            sequence, position = sequence + count, position + HEAD_SIZE + length
        return mark

    def _announce(self, oldest: Place, *, closed: bool = False) -> None:
        generation = self._generation + 1
        state = pack_state(generation, oldest, self._next, self._ring.seeds, closed=closed)
        self._ring.map[STATE[generation & 1]] = state
        self._generation = generation

    def _forked(self) -> None:
        """In the child: give back our share of the lock, so that it is the parent's alone."""
        self._lock = threading.Lock()  # a thread that is not here may have had the other
        if self._gone is None:
            self._gone = ForkedError
            self._ring.close()

    def _refusal(self) -> Exception:
        if self._gone is ForkedError:
            return ForkedError(
                f"{self.path}: the writer belongs to the process that forked this one"
            )
        return ClosedError(f"{self.path} is closed")

    def _too_large(self, length: int) -> Exception:
        return MessageTooLargeError(
            f"{self.path} takes messages of {self._most} bytes, half the ring; this one has {length}"
        )


def _counts(lengths: list[int], most: int) -> Iterator[int]:
    """How many messages go into each frame, so that it has so many bytes at most if it has several."""
    count = size = 0
    for length in lengths:
        size += length + 4
        if size > most and count:
            yield count
            count, size = 0, length + 4
        count += 1
    if count:
        yield count


def _forget_in_child() -> None:
    for writer in list(_open_writers):
        writer._forked()


os.register_at_fork(after_in_child=_forget_in_child)
