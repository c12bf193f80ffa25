"""When the journal of one queue is trimmed and compacted.

Owns how much of what all consumers have confirmed is still there, and how much deleted data LevelDB
holds. Works in steps, each only when the one before is safely done: two full marks are written, what the
older one allows is deleted, and when enough was deleted the files are compacted. What takes time is done
in the background thread; the loop compares a few numbers a batch.
"""

import logging
from collections.abc import Callable
from functools import partial
from operator import attrgetter

from ..journals.contract import Habits, Journal, Trimmed
from ..journals.workers import Done
from ..queues.batches import Batch, Mark
from ..queues.queue import Queue

__all__ = ["Trimmer"]

log = logging.getLogger("darnerpy.journal")

_COMPACT_BYTES = 64 * 1024 * 1024
_TRIM_SHARE, _COMPACT_SHARE = 8, 4
"""On a disk with little room left less is allowed to lie about: one part of so many of the room."""
_LEAST = 1024 * 1024
_ITEM_BYTES = 40
"""What an item costs on disk beside its data, about."""


class Trimmer:
    """run: has work done in the background, unless the journal is closed before its turn has come. later:
    calls back after so many seconds. room: tells how many bytes may still be written to the disk. fail:
    called with an error that makes the journal useless: what is written after a failed write may not be
    found again.

    A busy queue is trimmed when much has been confirmed. One that has been left alone for a while
    is trimmed as far as it goes and compacted. How much, and how long, is the journal's to say (`Habits`).
    """

    __slots__ = (
        "_busy",
        "_by",
        "_deleted",
        "_fail",
        "_gauge",
        "_habits",
        "_halted",
        "_ids",
        "_later",
        "_limit",
        "_look_ids",
        "_look_size",
        "_older",
        "_queue",
        "_quiet",
        "_room",
        "_run",
        "_seen",
        "_size",
        "_spared",
        "_sum_ids",
        "_sum_size",
        "_wanted",
        "_wasted",
        "_watching",
        "compactions",
        "trims",
    )

    def __init__(
        self,
        queue: Queue,
        run: Callable[[Callable[[], object], Done], None],
        later: Callable[..., object],
        room: Callable[[], int],
        fail: Callable[[BaseException | None], None],
    ) -> None:
        self.trims = 0
        self.compactions = 0
        self._queue = queue
        self._run = run
        self._later = later
        self._room = room
        self._fail = fail
        self._gauge = queue.own
        self._habits = Habits()
        self._older: Batch | None = None
        self._deleted = self._wasted = 0
        self._by = self._spared = 0
        self._wanted = False
        self._quiet = False
        self._busy = False
        self._halted = False
        self._watching = False
        self._seen = 0
        self._sum_ids = self._sum_size = 0
        self._trimmed_to(0, 0)

    def restart(self, size: int, habits: Habits) -> None:
        """The journal was opened: it takes so many bytes on disk."""
        self._habits = habits
        queue = self._queue
        ids = min(each.positions.count for each in queue.consumers.values())
        confirmed = min(each.positions.size for each in queue.consumers.values())
        waiting = queue.next_offset - confirmed + (queue.total_items - ids) * _ITEM_BYTES
        self._deleted = max(0, size - waiting) if ids else 0
        self._wasted = 0
        self._older = None
        self._gauge = queue.own
        self._wanted = self._busy = self._halted = False
        self._spared = 0
        self._sum_ids, self._sum_size = self._sums()
        self._trimmed_to(ids, confirmed)
        self._look_after()

    def spare(self, batch: int) -> bool:
        """Something confirmed by the batch of that number is not confirmed any more: trim by no mark from
        before now. False if that is too late.
        """
        if self._busy and self._by >= batch:
            return False
        self._spared = self._queue.number
        if self._older is not None and self._older.number >= batch:
            self._older = None
        return True

    def halt(self) -> None:
        """The journal is not to be touched any more, unless there is a `restart`."""
        self._halted = True

    def wrote(self, batch: Batch, journal: Journal) -> None:
        """A batch with marks was written: go on with what it allows."""
        if batch.full and (self._wanted or batch.dropped):
            self._wrote_full(batch, journal)
            return
        at = self._gauge.positions  # what one has not confirmed not all have
        if (
            at.position + at.count_above >= self._look_ids
            or at.offset + at.bytes_above >= self._look_size
        ):
            self._look_after()

    def _wrote_full(self, batch: Batch, journal: Journal) -> None:
        if batch.dropped:
            self._sum_ids = self._sum_size = 0  # the others may have confirmed all of it long ago
            self._gauge = self._queue.own
            self._look_after()
        if self._halted or not self._wanted:
            return
        older, self._older = self._older, batch
        if batch.number <= self._spared:
            older = self._older = None
        if older is None:
            self._queue.want_full_mark()
            return
        self._older = None
        self._wanted = False
        self._busy = True
        self._by = older.number
        work = partial(journal.trim, older, self._quiet)
        self._run(work, partial(self._trimmed, journal, older.marks))

    def _look_after(self) -> None:
        self._gauge = min(self._queue.consumers.values(), key=attrgetter("positions.size"))
        ids, size = self._untrimmed()
        if ids >= self._habits.ids or size >= self._limit:
            self._want(quiet=False)
        else:
            self._watch()

    def _want(self, quiet: bool) -> None:
        if not (self._wanted or self._busy or self._halted):
            self._wanted = True
            self._quiet = quiet
            self._queue.want_full_mark()

    def _untrimmed(self) -> tuple[int, int]:
        """Items that all consumers have confirmed since the last trim, at most, and their bytes.

        What all have confirmed is no more than what any of them has, and does not grow by more than
        what they confirm together.
        """
        places = [each.positions for each in self._queue.consumers.values()]
        sum_ids, sum_size = self._sums()
        ids = min(at.count for at in places) - self._ids
        size = min(at.size for at in places) - self._size
        return min(ids, sum_ids - self._sum_ids), min(size, sum_size - self._sum_size)

    def _sums(self) -> tuple[int, int]:
        places = [each.positions for each in self._queue.consumers.values()]
        return sum(at.count for at in places), sum(at.size for at in places)

    def _most(self, usual: int, share: int) -> int:
        return max(min(usual, _LEAST), min(usual, self._room() // share))

    # -- a queue that is left alone ----------------------------------------------------------------

    def _watch(self) -> None:
        """Look in a while whether anything more has happened to the queue."""
        if not self._watching and self._has_leftovers():
            self._watching = True
            self._aim()
            self._seen = self._queue.number
            self._later(self._habits.quiet_s, self._look)

    def _look(self) -> None:
        self._watching = False
        self._aim()
        if not self._halted and self._has_leftovers():
            if self._queue.number == self._seen and not self._busy:
                self._want(quiet=True)
            else:
                self._watch()

    def _has_leftovers(self) -> bool:
        ids, size = self._untrimmed()
        left = size + self._deleted + self._wasted
        return ids >= self._habits.quiet_ids or left >= self._habits.quiet_size

    # -- in the background -------------------------------------------------------------------------

    def _trimmed(
        self,
        journal: Journal,
        marks: list[Mark],
        result: Trimmed | None,
        error: BaseException | None,
    ) -> None:
        self._busy = False
        if result is None:
            self._fail(error)
            return
        self.trims += 1
        log.debug("trimmed", extra={"queue": self._queue.name, "bytes": result.deleted})
        self._deleted += result.deleted
        self._wasted = result.wasted
        self._sum_ids = self._sum_size = 0
        if {mark.consumer for mark in marks} == self._queue.consumers.keys():
            self._sum_ids, self._sum_size = result.sum_ids, result.sum_size
        self._trimmed_to(result.ids, result.size)
        if self._halted:
            return
        waiting = self._queue.next_offset - result.size
        most = max(waiting // 2, self._most(_COMPACT_BYTES, _COMPACT_SHARE))
        if self._deleted >= most or (self._quiet and self._deleted):
            self._busy = True
            self._run(journal.compact, self._compacted)
        else:
            self._look_after()  # more may have been confirmed meanwhile

    def _compacted(self, result: None, error: BaseException | None) -> None:
        self._busy = False
        if error is not None:
            self._fail(error)
            return
        self._deleted = 0
        self.compactions += 1
        self._trimmed_to(self._ids, self._size)
        self._look_after()

    def _trimmed_to(self, ids: int, size: int) -> None:
        """Of so many items and bytes, which all have confirmed, nothing is left to delete."""
        self._ids, self._size = ids, size
        self._limit = self._most(self._habits.size, _TRIM_SHARE)
        self._aim()

    def _aim(self) -> None:
        """From how much on it is to be looked at: little, but if it is watched already."""
        if self._watching:
            ids, size = self._habits.ids, self._limit
        else:
            left = self._habits.quiet_size - self._deleted - self._wasted
            ids, size = self._habits.quiet_ids, max(0, left)
        self._look_ids = self._ids + 1 + ids
        self._look_size = self._size + size
