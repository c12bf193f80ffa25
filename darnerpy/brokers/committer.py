"""Writing the batches of one queue to its journal: group commit.

Owns the write under way (there is at most one; what changes meanwhile gathers for the next), the
choice between the loop and a thread, and what follows when a batch is written. Small unsynced batches are
written on the loop; whatever may block is not.
"""

from functools import partial
from time import perf_counter
from typing import Final

from ..journals.contract import Journal
from ..queues.batches import Batch
from ..queues.queue import Queue
from .handle import JournalHandle
from .loader import Loader
from .store import Store
from .trimmer import Trimmer

__all__ = ["Committer"]

_INLINE_BATCH: Final = 64 * 1024


class Committer:
    __slots__ = (
        "_handle",
        "_loader",
        "_queue",
        "_store",
        "_syncing",
        "_tightened",
        "_trimmer",
        "_writing",
    )

    def __init__(
        self, store: Store, queue: Queue, handle: JournalHandle, loader: Loader, trimmer: Trimmer
    ) -> None:
        self._store = store
        self._queue = queue
        self._handle = handle
        self._loader = loader
        self._trimmer = trimmer
        self._syncing = handle.syncing
        self._tightened = False
        self._writing = False

    def commit(self) -> None:
        """Write what has gathered, unless a write is under way or the journal is not open."""
        journal = self._handle.journal
        if journal is None or self._writing:
            return
        batch = self._queue.seal()
        if batch is None:
            return
        store = self._store
        self._handle.last_used = store.journals.turn
        # A confirmation that a power cut takes back repeats an item. But an item would be lost, a new
        # consumer would miss what is put after it came, and what was flushed would be there again.
        sync, everything, owed, syncing = batch.sync, False, False, self._syncing
        if syncing.owes:
            owed = batch.lasting or len(batch.items) > 0
            if syncing.always:
                sync = sync or owed
            elif syncing.counts and not sync:
                everything = syncing.is_due(self._queue.operations(batch))
        if (
            sync
            or everything
            or batch.size > _INLINE_BATCH
            or batch.large
            or not journal.is_quick(batch.size, store.background.busy)
        ):
            self._writing = True
            if sync or everything:
                owed = False
                syncing.settle()
            work = partial(_timed_write, journal, batch, sync, everything)
            self._handle.run(work, partial(self._written, batch, journal, owed))
            return
        try:
            journal.write(batch, False)
        except Exception as error:  # whatever it is, the other queues of this turn go on
            self._handle.fail(error)
            return
        self._wrote(batch, journal, owed)

    def tighten(self) -> None:
        """The policy has become stricter: what was written by the old one is synced at once."""
        self._tightened = self._writing  # a sync that begins now may not reach that
        self._handle.sync_all()

    def reset(self) -> None:
        """The journal has failed, so that the write under way is void, or was opened anew."""
        self._writing = False

    def _written(
        self,
        batch: Batch,
        journal: Journal,
        owed: bool,
        seconds: float | None,
        error: BaseException | None,
    ) -> None:
        self._writing = False
        if seconds is None:
            self._handle.fail(error)
            return
        self._store.committed(seconds)
        self._wrote(batch, journal, owed)
        if self._tightened:
            self._tightened = False
            self._handle.sync_all()
        self.commit()

    def _wrote(self, batch: Batch, journal: Journal, owed: bool) -> None:
        """owed: it has to last, and is not synced yet."""
        if owed:
            self._syncing.wrote()
        queue = self._queue
        queue.wrote(batch)
        batch.end(None)
        for consumer in queue.consumers.values():
            if consumer.loaded_to < batch.next_id or consumer.line.waiters:
                self._loader.look_ahead(consumer)
        if batch.marks:
            if journal.wants_full:
                queue.want_full_mark()
            self._trimmer.wrote(batch, journal)


def _timed_write(journal: Journal, batch: Batch, sync: bool, everything: bool) -> float:
    """everything: what was written before is synced with it, also what need not last."""
    begin = perf_counter()
    journal.write(batch, sync)
    if everything:
        journal.sync()
    return perf_counter() - begin
