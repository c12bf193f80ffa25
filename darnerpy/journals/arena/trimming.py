"""Giving back the disk that what every consumer has confirmed takes.

A segment of which nobody needs anything any more is removed, and nothing is written anew for that; when
nothing waits, the queue starts over in a small one. What is removed is allowed by two full marks. Knows
nothing of when to trim.
"""

from ...queues.batches import Batch
from ...queues.positions import Positions
from .appending import Appender
from .segments import Segment
from .state import State
from .syncing import Syncs

__all__ = ["Trimming"]


class Trimming:
    """What this process wrote of full marks, and what it has trimmed."""

    def __init__(self, state: State, syncs: Syncs, appender: Appender) -> None:
        self._state = state
        self._syncs = syncs
        self._appender = appender
        self._fulls: list[tuple[int, int]] = []

    def wrote_full(self, number: int) -> None:
        """A batch with a full mark was written, the last one until now."""
        self._fulls = [*self._fulls[-15:], (number, self._state.sequence)]

    def trim(self, full: Batch, gone: Positions, thorough: bool) -> None:
        """As `Journal.trim`; all that was written is on disk. Raises `OSError`."""
        state = self._state
        allowed = dict(self._fulls).get(full.number, 0)
        with state.lock:
            state.gone = gone
            left, removed = self._choose(gone, allowed)
            started = thorough and allowed > 0 and self._start_over(gone)
            if started:
                removed = [*removed, *left]
                left = [state.segments[-1]]
            state.segments = tuple(left)
            self._appender.trimmed = max(
                self._appender.trimmed, min(gone.position, left[0].first_id if left else 1)
            )
        if started:
            self._syncs.sync()
        for segment in removed:
            state.files.remove(segment.name)

    def _choose(self, gone: Positions, allowed: int) -> tuple[list[Segment], list[Segment]]:
        """Segments that stay, and those that nobody needs."""
        segments = self._state.segments
        left: list[Segment] = []
        removed: list[Segment] = []
        for index, segment in enumerate(segments):
            last = index == len(segments) - 1
            stop = 0 if last else segments[index + 1].first_id
            if not last and segment.last_sequence <= allowed and _has_all(gone, segment, stop):
                removed.append(segment)
            else:
                left.append(segment)
        return left, removed

    def _start_over(self, gone: Positions) -> bool:
        appender, state = self._appender, self._state
        if gone.position < appender.next_id or appender.full_sequence != state.sequence:
            return False
        if len(state.segments) == 1 and not appender.has_grown:
            return False
        appender.start_over()
        return True


def _has_all(gone: Positions, segment: Segment, stop: int) -> bool:
    return gone.next_unconfirmed(segment.first_id) >= stop
