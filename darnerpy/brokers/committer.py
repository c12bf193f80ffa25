"""Writing the batches of one queue to its journal: group commit.

Owns the write under way (there is at most one; what changes meanwhile gathers for the next), the
choice between the loop and a thread, and the sync that an interval policy still owes. Small unsynced
batches are written on the loop; whatever may block is not.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter

from ..errors import ServerError
from ..journals.contract import Journal
from ..queues.batches import Batch
from ..queues.queue import Queue
from .scheduling import Timer
from .store import Store
from .trimmer import Run

__all__ = ["Committer"]

_BATCH_OVERHEAD = 100


class Committer:
    """run: has work done in a thread while the journal stays open. wrote: called with each batch that
    is written. fail: called with an error that makes the journal useless. again: called when the
    next batch may be written.
    """

    __slots__ = (
        "_again",
        "_fail",
        "_inline_run",
        "_queue",
        "_run",
        "_store",
        "_sync_timer",
        "_writing",
        "_wrote",
    )

    def __init__(
        self,
        store: Store,
        queue: Queue,
        run: Run,
        wrote: Callable[[Batch, Journal], None],
        fail: Callable[[BaseException | None], None],
        again: Callable[[], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._run = run
        self._wrote = wrote
        self._fail = fail
        self._again = again
        self._writing = False
        self._inline_run = 0
        self._sync_timer: Timer | None = None

    def commit(self, journal: Journal) -> None:
        """Write what has gathered, unless a write is under way."""
        batch = None if self._writing else self._queue.seal()
        if batch is None:
            return
        store = self._store
        sync = batch.sync or (store.settings.sync.always and _must_last(batch))
        if not sync and store.may_write_inline(batch, self._inline_run, journal):
            self._inline_run += batch.size + _BATCH_OVERHEAD
            try:
                seconds = _timed_write(journal, batch, sync)
            except ServerError as error:
                self._fail(error)
            else:
                self._ended(batch, sync, journal, seconds)
        else:
            self._inline_run = 0
            self._writing = True
            work = partial(_timed_write, journal, batch, sync)
            self._run(work, partial(self._written, batch, sync, journal), False)

    def forget(self) -> bool:
        """The journal is being closed, or failed; returns whether it was still owed a sync."""
        self._writing = False
        self._inline_run = 0
        timer, self._sync_timer = self._sync_timer, None
        if timer is not None:
            timer.cancel()
        return timer is not None

    def _written(
        self,
        batch: Batch,
        sync: bool,
        journal: Journal,
        seconds: float | None,
        error: BaseException | None,
    ) -> None:
        self._writing = False
        if seconds is None:
            self._fail(error)
        else:
            self._ended(batch, sync, journal, seconds)
            self._again()

    def _ended(self, batch: Batch, sync: bool, journal: Journal, seconds: float) -> None:
        self._store.commit_ms = seconds * 1000
        interval = self._store.settings.sync.interval_ms
        if interval is not None and self._sync_timer is None and not sync and _must_last(batch):
            work = partial(self._sync, journal)
            self._sync_timer = self._store.scheduler.call_later(interval / 1000, work)
        self._wrote(batch, journal)

    def _sync(self, journal: Journal) -> None:
        self._sync_timer = None
        self._run(journal.sync, self._synced, False)

    def _synced(self, result: None, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)


def _must_last(batch: Batch) -> bool:
    # A confirmation that a power cut takes back repeats an item. But an item would be lost, a new
    # consumer would miss what is put after it came, and what was flushed would be there again.
    return batch.lasting or bool(batch.items)


def _timed_write(journal: Journal, batch: Batch, sync: bool) -> float:
    begin = perf_counter()
    journal.write(batch, sync)
    return perf_counter() - begin
