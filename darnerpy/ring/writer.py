"""The one that publishes.

Owns the order in which things are written: what will be overwritten is said to be gone, then the message is
written, then it is said to be there. Never waits for a reader, and makes no system call to publish. Threads
may share a writer; a process forked from its own cannot use it.
"""

import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Self
from weakref import WeakSet

from ..errors import ClosedError, ForkedError, MessageTooLargeError
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

_AHEAD: Final = 16 << 10
"""Bytes that are given up at once: few enough to be found in microseconds, many enough to do it rarely."""

_FRAME: Final = 8 << 10
"""Bytes of many small messages that have one head. They are lost together, so they must not be too many."""

_LARGE: Final = 16 << 10
"""Bytes that are not joined to their head before they are written."""

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
        generation, oldest, (sequence, position), _ = ring.state()
        # Written whole, by one that died before it said so.
        while (found := ring.frame(sequence, position, ring.size)) is not None:
            sequence, position = sequence + found[0], position + HEAD_SIZE + len(found[1])
        self._generation = generation
        self._oldest = oldest
        self._next = sequence, position
        ring.map[WRITER] = os.getpid().to_bytes(8, "big")
        if position - ring.size > oldest[1]:
            self._make_room(position)
        self._announce(self._oldest)
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

    def publish(self, message: bytes | bytearray | memoryview) -> int:
        """Have all readers find this message next; its sequence.

        Raises `MessageTooLargeError`, and `ClosedError` or `ForkedError` if it can publish nothing more.
        """
        data = message if type(message) is bytes else bytes(memoryview(message))
        if len(data) > self._most:
            raise self._too_large(len(data))
        with self._lock:
            if self._gone is not None:
                raise self._refusal()
            sequence = self._next[0]
            self._write(sequence, 1, data)
        return sequence

    def publish_many(self, messages: Iterable[bytes | bytearray | memoryview]) -> range:
        """The same for many, which costs much less; their sequences.

        If one of them is too large, none is published. They need not fit the ring together.
        """
        batch = [each if type(each) is bytes else bytes(memoryview(each)) for each in messages]
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

    def close(self) -> None:
        """Have readers know that nothing more comes. The ring stays, and can be created again.

        A second time it does nothing.
        """
        with self._lock:
            if self._gone is None:
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
        """Write a frame behind the others, and say so. Not in parts, since it is all that most calls do.

        Wherever Ctrl-C ends it, what is written next leaves alone what readers were told is there.
        """
        ring = self._ring
        salt = ring.salt
        position = self._next[1]
        end = position + HEAD_SIZE + len(data)
        if end - self.size > self._oldest[1]:
            self._make_room(end)
        start = DATA + position % self.size
        stop = start + end - position
        head = pack_head(sequence, count, data, salt)
        if stop <= DATA + self.size and end - position < _LARGE:
            ring.map[start:stop] = head + data
        else:
            ring.write(position, head)
            ring.write(position + HEAD_SIZE, data)
        following = sequence + count, end
        generation = self._generation + 1
        self._next = following
        ring.map[STATE[generation & 1]] = pack_state(generation, self._oldest, following, salt)
        self._generation = generation

    def _make_room(self, end: int) -> None:
        """Say that what must be overwritten up to there is gone, and something more."""
        ring, unpack = self._ring, HEAD.unpack_from
        sequence, position = self._oldest
        last, last_at = self._next
        goal = min(end - self.size + min(_AHEAD, self.size // 8), last_at)
        size, last_head = self.size, DATA + self.size - HEAD_SIZE
        while position < goal:
            place = DATA + position % size
            if place <= last_head:
                found, count, length, _, _ = unpack(ring.map, place)
            else:
                found, count, length, _, _ = unpack(ring.read(position, HEAD_SIZE), 0)
            position += HEAD_SIZE + length
            if found != sequence or position > last_at:  # damaged: where the next begins, who knows
                sequence, position = last, last_at
                break
            sequence += count
        oldest = sequence, position
        self._announce(oldest)
        self._oldest = oldest

    def _announce(self, oldest: Place, *, closed: bool = False) -> None:
        generation = self._generation + 1
        state = pack_state(generation, oldest, self._next, self._ring.salt, closed=closed)
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
