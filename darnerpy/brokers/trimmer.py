"""When the journal of one queue is trimmed and compacted, and from where to where.

Owns how far it is trimmed and how much deleted data LevelDB still holds. Works in three steps, each
only when the one before is safely done: a full mark is written, what lies below it is deleted, and
when enough was deleted the files are compacted. All in the background thread.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from ..journals.contract import Journal
from ..journals.workers import Done
from ..queues.batches import Batch
from ..queues.queue import Queue

__all__ = ["Trimmer"]

_BYTES = 8 * 1024 * 1024
_IDS = 100_000
_DRAINED_BYTES = 1024 * 1024
_DRAINED_IDS = 10_000
_COMPACT_BYTES = 32 * 1024 * 1024
_ITEM_BYTES = 40
"""What an item costs on disk beside its data, about."""


class Run(Protocol):
    def __call__(self, work: Callable[[], object], done: Done, background: bool) -> None: ...


class Trimmer:
    """run: has work done in the background while the journal is kept open."""

    def __init__(self, queue: Queue, run: Run) -> None:
        self._queue = queue
        self._run = run
        self._trimmed_to(1, 0)
        self._deleted = 0
        self._wanted = False
        self._busy = False
        self.trims = 0
        self.compactions = 0

    def restart(self, trimmed: int, size: int) -> None:
        """The journal was opened: ids below trimmed are deleted, it takes size bytes on disk."""
        low, offset = self._queue.low()
        waiting = self._queue.next_offset - offset
        garbage = max(0, size - waiting) if low > trimmed else 0
        self._trimmed_to(trimmed, offset - garbage)
        self._wanted = self._busy = False
        self._want_if_due()

    def wrote(self, batch: Batch, journal: Journal) -> None:
        """A batch was written: go on with what it allows."""
        low = self._queue.own.positions
        due = low.position >= self._due_id or low.offset >= self._due_offset or self._wanted
        drained = self._deleted and low.position == batch.next_id
        if self._busy or not (due or drained):
            return  # the usual case: whoever lags behind, it is not yet time
        if self._wanted and batch.full:
            self._wanted = False
            self._busy = True
            stop = min(mark.position for mark in batch.marks)
            offset = min(mark.offset for mark in batch.marks)
            work = partial(journal.trim, stop, list(batch.kept))
            self._run(work, partial(self._trimmed, journal, stop, offset), True)
        else:
            self._want_if_due()

    def _trimmed_to(self, item_id: int, offset: int) -> None:
        self._id, self._offset = item_id, offset
        self._due_id, self._due_offset = item_id + _DRAINED_IDS, offset + _DRAINED_BYTES

    def _want_if_due(self) -> None:
        if not self._wanted and self._is_due():
            self._wanted = True
            self._queue.want_full_mark()

    def _is_due(self) -> bool:
        low, offset = self._queue.low()
        ids, size = low - self._id, offset - self._offset
        if ids >= _IDS or size >= _BYTES:
            return True
        drained = low == self._queue.next_id
        return drained and (ids >= _DRAINED_IDS or size + self._deleted >= _DRAINED_BYTES)

    def _trimmed(
        self, journal: Journal, stop: int, offset: int, result: None, error: BaseException | None
    ) -> None:
        self._busy = False
        if error is not None:
            return
        self._deleted += offset - self._offset + (stop - self._id) * _ITEM_BYTES
        self.trims += 1
        self._trimmed_to(stop, offset)
        waiting = self._queue.next_offset - offset
        drained = stop == self._queue.next_id
        if drained or (self._deleted >= _COMPACT_BYTES and self._deleted >= waiting):
            self._busy = True
            self._run(journal.compact, self._compacted, True)
        else:
            self._want_if_due()  # more may have been confirmed meanwhile

    def _compacted(self, result: None, error: BaseException | None) -> None:
        self._busy = False
        self._deleted = 0
        self.compactions += error is None
        if error is None:
            self._want_if_due()
