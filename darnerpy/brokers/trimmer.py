"""When the journal of one queue is trimmed and compacted, and from where to where.

Owns how far it is trimmed and how much deleted data LevelDB still holds. Works in three steps, each
only when the one before is safely done: a full mark is written, what lies below it is deleted, and
when enough was deleted the files are compacted. All in the background thread.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from ..journals.contract import Journal
from ..journals.workers import Done
from ..queues.batches import Batch
from ..queues.queue import Queue

__all__ = ["Trimmer"]

log = logging.getLogger("darnerpy.journal")

_BYTES = 16 * 1024 * 1024
_IDS = 200_000
_COMPACT_BYTES = 64 * 1024 * 1024
_QUIET_BYTES = 1024 * 1024
_QUIET_IDS = 10_000
_QUIET_S = 1.0
_ITEM_BYTES = 40
"""What an item costs on disk beside its data, about."""


class Run(Protocol):
    def __call__(self, work: Callable[[], object], done: Done, background: bool) -> None: ...


class Trimmer:
    """run: has work done in the background while the journal is kept open. later: calls back after
    so many seconds.

    A busy queue is trimmed when much has been confirmed. One that has been left alone for a second
    is trimmed as far as it goes and compacted.
    """

    __slots__ = (
        "_busy",
        "_deleted",
        "_due_id",
        "_due_offset",
        "_halted",
        "_id",
        "_later",
        "_offset",
        "_queue",
        "_quiet",
        "_run",
        "_seen",
        "_wanted",
        "_watching",
        "compactions",
        "trims",
    )

    def __init__(self, queue: Queue, run: Run, later: Callable[..., object]) -> None:
        self.trims = 0
        self.compactions = 0
        self._queue = queue
        self._run = run
        self._later = later
        self._trimmed_to(1, 0)
        self._deleted = 0
        self._wanted = False
        self._quiet = False
        self._busy = False
        self._halted = False
        self._watching = False
        self._seen = 0

    def restart(self, trimmed: int, size: int) -> None:
        """The journal was opened: ids below trimmed are deleted, it takes size bytes on disk."""
        low, offset = self._queue.low()
        waiting = self._queue.next_offset - offset
        garbage = max(0, size - waiting) if low > trimmed else 0
        self._trimmed_to(trimmed, offset - garbage)
        self._wanted = self._busy = self._halted = False
        self._look_after()

    def halt(self) -> None:
        """The journal is not to be touched any more, unless there is a `restart`."""
        self._halted = True

    def wrote(self, batch: Batch, journal: Journal) -> None:
        """A batch was written: go on with what it allows."""
        low = self._queue.own.positions
        if self._wanted and batch.full and not self._busy:
            self._wanted = False
            self._busy = True
            stop = min(mark.position for mark in batch.marks)
            offset = min(mark.offset for mark in batch.marks)
            work = partial(journal.trim, stop, list(batch.kept))
            self._run(work, partial(self._trimmed, journal, stop, offset), True)
        elif low.position >= self._due_id or low.offset >= self._due_offset:
            self._look_after()
        elif batch.marks and not self._watching:
            self._watch()

    def _look_after(self) -> None:
        low, offset = self._queue.low()
        if low - self._id >= _IDS or offset - self._offset >= _BYTES:
            self._want(quiet=False)
        else:
            self._watch()

    def _want(self, quiet: bool) -> None:
        if not (self._wanted or self._busy or self._halted):
            self._wanted = True
            self._quiet = quiet
            self._queue.want_full_mark()

    # -- a queue that is left alone ----------------------------------------------------------------

    def _watch(self) -> None:
        """Look in a while whether anything more has happened to the queue."""
        if not self._watching and self._has_leftovers():
            self._watching = True
            self._seen = self._queue.number
            self._later(_QUIET_S, self._look)

    def _look(self) -> None:
        self._watching = False
        if not self._halted and self._has_leftovers():
            if self._queue.number == self._seen and not self._busy:
                self._want(quiet=True)
            else:
                self._watch()

    def _has_leftovers(self) -> bool:
        low, offset = self._queue.low()
        size = offset - self._offset
        if low == self._queue.next_id:
            size += self._deleted  # the last of a backlog brings the compaction of all of it
        return low - self._id >= _QUIET_IDS or size >= _QUIET_BYTES

    # -- in the background -------------------------------------------------------------------------

    def _trimmed(
        self, journal: Journal, stop: int, offset: int, result: None, error: BaseException | None
    ) -> None:
        self._busy = False
        if error is not None:
            return
        self._deleted += offset - self._offset + (stop - self._id) * _ITEM_BYTES
        self.trims += 1
        log.debug("trimmed", extra={"queue": self._queue.name, "below": stop})
        self._trimmed_to(stop, offset)
        much = self._deleted >= _COMPACT_BYTES and self._deleted >= self._queue.next_offset - offset
        if much or self._quiet:
            self._busy = True
            self._run(journal.compact, self._compacted, True)
        else:
            self._look_after()  # more may have been confirmed meanwhile

    def _compacted(self, result: None, error: BaseException | None) -> None:
        self._busy = False
        if error is None:
            self._deleted = 0
            self.compactions += 1
            self._look_after()

    def _trimmed_to(self, item_id: int, offset: int) -> None:
        self._id, self._offset = item_id, offset
        self._due_id, self._due_offset = item_id + _IDS, offset + _BYTES
