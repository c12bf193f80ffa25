"""Where frames go: each behind the one before it, around and around.

Owns the place of the next frame, and what is announced beside frames, rarely: that what will be overwritten
from now on is gone, before that is done, and up to where there are messages. Writes without a system call.
Knows nothing of who may write, or of what a message may be.
"""

from collections import deque
from typing import Final

from .layout import DATA, HEAD, HEAD_SIZE, STATE, Place, pack_head, pack_state
from .mapped import Mapped

__all__ = ["Frames"]

_STRIDE: Final = 8 << 10
"""Bytes between two states, in a ring of usual size: few enough for readers to look through, and enough to
make what a state costs not matter."""

_MOST_STRIDES: Final = 8 << 10
"""How many there are in a ring at most, as the writer knows a place in each."""


class Frames:
    """next: the place of the next frame."""

    def __init__(self, ring: Mapped) -> None:
        """Go on behind the last frame that is there, whatever became of its writer."""
        self._ring = ring
        self._size = ring.size
        self._seeds = ring.seeds
        self._stride = max(min(_STRIDE, ring.size // 16), ring.size // _MOST_STRIDES)
        self._generation, self._oldest, following, _ = ring.state()
        self._oldest_before = self._oldest
        self._marks: deque[Place] = deque()  # where it was at each state
        self._limit = 0
        self.next: Place = ring.last(following)
        self._make_room(self.next[1])

    def write(self, count: int, data: bytes) -> int:
        """Write a frame of so many messages behind the others; the sequence of its first one."""
        sequence, position = self.next
        length = len(data)
        end = position + HEAD_SIZE + length
        if end > self._limit:
            self._make_room(end)
        head = pack_head(sequence, count, data, self._seeds)
        following = sequence + count, end
        start = DATA + position % self._size
        behind = start + HEAD_SIZE
        stop, over = behind + length, DATA + self._size
        if stop <= over:
            self._ring.map[behind:stop] = data
        else:
            self._ring.write(position + HEAD_SIZE, data)
        if behind > over:
            self._ring.map[DATA : DATA + behind - over] = head[over - start :]
            behind, head = over, head[: over - start]
        # The head comes last: where writes are seen in order, nobody who looks all the time finds half a
        # message. And nothing comes between it and what is next, not even Ctrl-C.
        self._ring.map[start:behind], self.next = head, following
        return sequence

    def close(self) -> None:
        """Announce that nothing more comes."""
        self._announce(self._oldest, closed=True)

    def _make_room(self, end: int) -> None:
        """Announce that what must be overwritten up to there is gone, and more; and what is there by now.

        Nothing is overwritten but what the state before said, too, so that either of the two is true.
        """
        size = self._size
        self._marks.append(self.next)
        while True:
            oldest = self._first_behind(end - size)
            self._announce(oldest)
            self._oldest_before, self._oldest = self._oldest, oldest
            if end <= self._oldest_before[1] + size:
                break
        self._limit = min(self._oldest_before[1] + size, max(end, self.next[1] + self._stride))

    def _first_behind(self, least: int) -> Place:
        """Where a message begins two strides behind that position, or not much more; at most the next one."""
        sequence, position = self._oldest
        goal = min(least + 2 * self._stride, self.next[1])
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
        state = pack_state(generation, oldest, self.next, self._seeds, closed=closed)
        self._ring.map[STATE[generation & 1]] = state
        self._generation = generation
