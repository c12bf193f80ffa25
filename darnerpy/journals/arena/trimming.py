"""Giving back the disk that what every consumer has confirmed takes.

A segment of which nobody needs anything any more is removed, and nothing is written anew for that. What
pins a segment that is confirmed for the most part is moved out of it (`moving`). A queue that is left alone
starts over in a small segment. What is removed is allowed by two full marks that are on disk. Knows
nothing of when to trim.
"""

from collections.abc import Callable, Sequence
from errno import EDQUOT, ENOSPC
from typing import Final

from ...queues.batches import Batch
from ...queues.positions import Positions, Span
from .active import SMALLEST, Active
from .appending import Appender
from .format import OVERHEAD
from .moving import move, size_for
from .segments import Segment
from .state import State

__all__ = ["Trimming"]

_FULLS: Final = 16
_SPARE: Final = 4
"""So many segments may be there beside twice what is not confirmed."""


class Trimming:
    """sync: puts on disk all that was written; what it is told of goes, and need not be."""

    def __init__(
        self,
        state: State,
        active: Active,
        appender: Appender,
        name: bytes,
        arena_size: int,
        sync: Callable[[Sequence[Segment]], None],
    ) -> None:
        self._state = state
        self._active = active
        self._appender = appender
        self._name = name
        self._arena_size = arena_size
        self._sync = sync
        self._fulls: list[tuple[int, int]] = []

    def wrote_full(self, number: int) -> None:
        """A batch with a full mark was written, the last one until now."""
        self._fulls = [*self._fulls[1 - _FULLS :], (number, self._state.full_sequence)]

    def trim(self, full: Batch, gone: Positions, thorough: bool) -> int:
        """As `Journal.trim`; returns bytes that a thorough trim may give back. Raises `OSError`."""
        state = self._state
        allowed = dict(self._fulls).get(full.number, 0)
        with state.lock:
            state.gone = gone
        self._remove(gone, allowed)
        try:
            if thorough and allowed:
                with state.lock:
                    if self._can_start_over(gone):
                        allowed = state.sequence
                        self._appender.start_over()
                self._remove(gone, allowed)
            if allowed and self._waste(gone, SMALLEST if thorough else state.segments[-1].size) > 0:
                self._move(gone, allowed)
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT):
                raise  # else it stays as it is until there is room
        return 0 if thorough else max(0, self._waste(gone, SMALLEST))

    def _can_start_over(self, gone: Positions) -> bool:
        """Whether the last record is a full mark, and there is something to be had by it."""
        state, segments = self._state, self._state.segments
        if state.full_sequence != state.sequence:
            return False
        if self._active.has_grown or segments[-1].spare:
            return 2 * self._live(len(segments) - 1, gone) < segments[-1].size
        return len(segments) > 1 and gone.position >= self._appender.next_id

    def _remove(self, gone: Positions, allowed: int) -> None:
        """Remove segments that nobody needs."""
        with self._state.lock:
            removed = self._take_out(gone, allowed)
        if removed:
            # What allows it must not be lost while it is.
            self._sync(removed)
            for segment in removed:
                self._state.files.remove(segment.name)

    def _take_out(self, gone: Positions, allowed: int) -> list[Segment]:
        segments = self._state.segments
        left: list[Segment] = []
        removed: list[Segment] = []
        for index, segment in enumerate(segments):
            stop = segments[index + 1].first_id if index + 1 < len(segments) else 0
            dead = stop and gone.next_unconfirmed(segment.first_id) >= stop
            (removed if dead and segment.last_sequence <= allowed else left).append(segment)
        if removed:
            self._state.segments = tuple(left)
        trimmed = min(gone.position, left[0].first_id)
        self._appender.trimmed = max(self._appender.trimmed, trimmed)
        return removed

    def _live(self, index: int, gone: Positions) -> int:
        """Bytes of a segment that somebody needs, about."""
        segments = self._state.segments
        segment = segments[index]
        stop, end = self._appender.next_id, self._appender.next_offset
        if index + 1 < len(segments):
            stop, end = segments[index + 1].first_id, segments[index + 1].first_offset
        within = Span(segment.first_id, stop, segment.first_offset, max(segment.first_offset, end))
        live = 0
        for span in gone.unconfirmed(within) if within.first < stop else ():
            live += max(0, span.end - span.begin) + (span.stop - span.first) * OVERHEAD
        return min(live, segment.size)

    def _waste(self, gone: Positions, size: int) -> int:
        """Bytes on disk beyond twice what somebody needs and a few segments of a size."""
        segments = self._state.segments
        live = sum(self._live(index, gone) for index in range(len(segments)))
        return sum(each.size for each in segments) - 2 * live - _SPARE * size

    def _move(self, gone: Positions, allowed: int) -> None:
        runs = self._runs(gone, allowed)
        if runs:
            self._sync([])
        for run in runs:
            move(self._state, run, self._name)

    def _runs(self, gone: Positions, allowed: int) -> list[list[Segment]]:
        """Adjacent segments less than half of which anybody needs, as many together as make one."""
        runs: list[list[Segment]] = [[]]
        sizes = [0]
        for index, segment in enumerate(self._state.segments[:-1]):
            live = self._live(index, gone)
            sparse = 2 * live < segment.size and not segment.damaged
            if not sparse or segment.last_sequence > allowed or sizes[-1] + live > self._arena_size:
                runs.append([])
                sizes.append(0)
            if sparse and segment.last_sequence <= allowed:
                runs[-1].append(segment)
                sizes[-1] += live
        return [
            run
            for run, live in zip(runs, sizes, strict=True)
            if size_for(live) < sum(segment.size for segment in run)
        ]
