"""A queue and its journal: what is decided on the loop is written, what is missing is read.

Owns a queue and all that keeps it: when commands may be decided, what opening the journal means for the
queue, and how the queue is deleted. The queue outlives the handle on its journal (`handle`); writing
is in `committer`, reading in `loader`, giving back disk in `trimmer`, what it tells of itself in
`condition`. Knows no other queue.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from ..config import QueueSettings
from ..errors import JournalError, ServerError
from ..journals.contract import Journal
from ..journals.large import Upload
from ..journals.workers import Done
from ..queues.batches import Completion
from ..queues.consumer import Consumer
from ..queues.observer import Observer
from ..queues.queue import Queue
from ..queues.upkeep import end_kept
from .alarms import Alarm
from .committer import Committer
from .condition import Condition
from .handle import JournalHandle
from .loader import Loader
from .opening import Opened
from .store import Store
from .sweeps import Sweep
from .syncing import is_stricter
from .trimmer import Trimmer

__all__ = ["StoredQueue"]

log = logging.getLogger("darnerpy.journal")


class StoredQueue(Condition):
    """ready: whether commands may be decided now; if not, `when_ready` calls back. left_alone: since
    when it has been empty and unused, and after which batch, as last looked at.

    engine: of a journal that is there already, or "".
    changed, gone, look_after: told when there is something to commit, when the queue is deleted, and
    when something has to be done in time.
    """

    __slots__ = (
        "_alarm",
        "_committer",
        "_due",
        "_gone",
        "_held_back",
        "_store",
        "left_alone",
        "ready",
    )

    def __init__(
        self,
        store: Store,
        name: bytes,
        stored: bool,
        engine: str,
        changed: Callable[["StoredQueue"], None],
        gone: Callable[["StoredQueue"], None],
        look_after: Callable[["StoredQueue"], None],
    ) -> None:
        settings = store.settings.queue(name)
        super().__init__(name, settings, stored)
        self._store = store
        self._gone = gone
        self.ready = not stored
        self.left_alone = (0, 0)
        self._held_back = False
        self._due: Callable[[Observer], None] | None = None
        handle = self._handle = JournalHandle(store, name, settings, engine, stored, self)
        self._alarm = Alarm(store.clock, store.scheduler, partial(look_after, self))
        windows, on_change = store.windows, partial(changed, self)
        queue = Queue(name, store.clock, windows, on_change, self._settings_of, self._alarm.set)
        self.queue = queue
        self._trimmer = Trimmer(
            queue, handle.run_in_turn, store.call_later, store.room, handle.fail
        )
        self._loader = Loader(queue, windows, handle, clean_prefix=not settings.sync.always)
        self._committer = Committer(store, queue, handle, self._loader, self._trimmer)

    # -- being ready -------------------------------------------------------------------------------

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call back once, when commands can be decided or `error` is known."""
        self._callbacks.append(callback)
        if self.deletion is None and self._handle.open():
            self._answer_callbacks()

    def hold_back(self) -> None:
        """More was put than the disk takes: decide nothing before all is written."""
        self._held_back = True
        self.ready = False

    def _answer_callbacks(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    # -- what the handle tells ---------------------------------------------------------------------

    def opened(self, what: Opened, first: bool, failed: bool) -> None:
        """The journal is open: take in what it holds, and go on."""
        found, queue = what.found, self.queue
        used = found.next_id > 1 or found.batch > 0 or bool(found.positions)
        if first:
            queue.recover(
                found.next_id,
                found.next_offset,
                found.batch,
                found.positions,
                found.kept,
                found.returns,
                found.leases,
                found.delays,
                found.paused,
            )
            queue.resume_leases(what.leased)
            self.stored = used or bool(found.damage or found.quarantine)
        elif used if self._handle.untried else not failed and found.next_id > queue.written:
            # A queue taken for new: its directory could not be read at start. Learn what is there.
            self._handle.mistake(JournalError("the journal holds items that were not known of"))
            return
        elif failed:
            at = found.next_id, found.next_offset, found.batch
            queue.rejoin(*at, found.positions, found.delays, found.paused)
        for origin in reversed(found.origins):
            self.arrivals.add(origin)
        self._loader.recovered(found, anew=first or failed)
        if first and self.harm.kept:
            told = {"queue": self.name, "kept": self.harm.kept}
            log.warning("some items are kept, but not served", extra=told)
        if what.head is not None:
            self._loader.take_in(queue.own, what.head, queue.own.loaded_to)
        if first:
            end_kept(queue, self._store.clock.monotonic_ms())
        self._trimmer.restart(what.size, what.journal.habits)
        self._committer.reset()
        self.ready = self.deletion is None
        self.commit()
        self._loader.load_for_waiters()
        self._alarm.set(0)
        if self.deletion is not None:
            self._delete_when_idle(self.deletion)
            return
        self._answer_callbacks()
        self._forget_soon()

    def failed(self, error: JournalError) -> None:
        self.ready = False
        self._held_back = False
        self._committer.reset()
        self._trimmer.halt()
        self._loader.reset()
        deletion, self.deletion = self.deletion, None
        if self.known:
            self.queue.fail(error)
        for consumer in self.queue.consumers.values():
            self.queue.dismiss(consumer, error)
        if deletion is not None:
            deletion.end(error)
        self._answer_callbacks()

    def released(self) -> None:
        if self.deletion is not None:
            self._delete_when_idle(self.deletion)
        elif self._held_back and not self.queue.unwritten:
            self._held_back = False
            self.ready = True
            self._answer_callbacks()
        elif (
            self.journal is None
            and self.error is None
            and self._is_wanted()
            and self._handle.open()
        ):
            self.commit()
            self._loader.load_for_waiters()
            self._answer_callbacks()

    def _is_wanted(self) -> bool:
        """Whether a journal that was shut is needed again already."""
        queue = self.queue
        # Whoever waits for items to come needs no journal, only who waits for those on disk.
        waited_for = any(c.line.waiters and not queue.is_empty(c) for c in queue.consumers.values())
        return bool(self._callbacks or queue.unwritten or waited_for)

    # -- writing and reading -----------------------------------------------------------------------

    def commit(self) -> None:
        """The turn is over: write what changed."""
        if self._handle.journal is not None:
            self._committer.commit()
            if not self.ready:
                self.released()
        elif self.known and self.error is None and self.queue.unwritten:
            self.stored = True
            if self._handle.open():
                self._committer.commit()
        if self.queue.batch is not None:
            self.queue.turn_over()

    def load(self, consumer: Consumer) -> None:
        """Read what a consumer needs next, unless it is on its way already, or nobody gets it."""
        if not consumer.paused:
            self._loader.load(consumer)

    def look_ahead(self, consumer: Consumer) -> None:
        """Read what has to be in memory before anybody asks for it."""
        self._loader.look_ahead(consumer)

    def expire(self, consumer: Consumer, done: Callable[[int, ServerError | None], None]) -> None:
        """Have expired items leave the head of a consumer; done: see `Sweep`."""
        consumer.line.join(Sweep(consumer, done))
        self.queue.serve(consumer)
        self.load(consumer)

    def begin_upload(self) -> Upload:
        """Start a large item; the journal stays open until `end_upload`."""
        self.expect_upload()
        self._handle.open()
        return self.large.upload()

    def expect_upload(self) -> None:
        """The queue is not forgotten until `end_upload`, though nothing may be in it yet."""
        self._handle.uploads += 1

    def end_upload(self) -> None:
        self._handle.uploads -= 1
        self._forget_soon()

    def in_thread(self, work: Callable[[], Any], done: Done) -> None:
        """Have something done that may block but does not touch the journal."""
        self._store.in_thread(work, done)

    def run(self, work: Callable[[], Any], done: Done, background: bool = False) -> None:
        """Have something done with the journal, which is kept open meanwhile."""
        self._handle.run(work, done, background)

    def look(self, work: Callable[[], Any], done: Done) -> None:
        """As `run`, but done is told whatever happens to the journal meanwhile."""
        self._handle.look(work, done)

    def measure(self, done: Callable[[], None]) -> bool:
        """Bring `disk_bytes` up to date, then call back; False if the journal is not open."""
        return self._handle.measure(done)

    def shut(self) -> None:
        """Sync and close the journal; it is opened again when it is needed."""
        self._handle.shut(sync=True)

    def abandon(self) -> Journal | None:
        """Let go of the journal, which is as it is; this object is of no use any more."""
        return self._handle.abandon()

    def spare(self, batch: int) -> bool:
        """Something confirmed by the batch of that number is about not to be; False if it is too late."""
        return self._trimmer.spare(batch)

    # -- settings and time -------------------------------------------------------------------------

    def configure(self) -> None:
        """The settings were replaced: they hold from now on."""
        fresh = self._store.settings.queue(self.name)
        before, self.settings = self.settings, fresh
        self._handle.configure(fresh)
        if is_stricter(fresh, before):
            self._committer.tighten()
        if not fresh.sync.always:
            self._loader.clean_prefix = True
        self.queue.configure()
        self.observe(self._due)

    def observe(self, due: Callable[[Observer], None] | None) -> None:
        """Have what happens to the queue observed if its settings say so; due: see `Observer`."""
        self._due = due
        self.queue.observe(due if self.settings.tap else None)

    def _settings_of(self, consumer: bytes) -> QueueSettings:
        return self._store.settings.queue(self.name, consumer) if consumer else self.settings

    # -- deleting ----------------------------------------------------------------------------------

    def _forget_soon(self) -> None:
        """A half upload may have made the queue: it goes again unless an item is put in this turn."""
        if not self.stored:
            self._store.scheduler.call_soon(self._forget)

    def _forget(self) -> None:
        if self.unused:
            self.delete()

    def delete(self) -> Completion:
        """Remove the queue and all it holds. Until that is done, all else that is asked of it waits."""
        if self.deletion is None:
            nothing = self.unused and self.untouched
            self.deletion = Completion()
            self.ready = False
            self._trimmer.halt()
            self._loader.halt()
            self._alarm.stop()
            self.commit()
            if nothing:  # what is on disk of that name later will be another queue's
                self._gone(self)
                self.deletion.end(None)
            else:
                self._delete_when_idle(self.deletion)
        return self.deletion

    def _delete_when_idle(self, deletion: Completion) -> None:
        if not (self._handle.under_way or self.queue.unwritten or deletion.ended):
            self._handle.remove(partial(self._deleted, deletion))

    def _deleted(self, deletion: Completion) -> None:
        self.queue.dissolve(None)
        self._gone(self)
        self.stored = False
        deletion.end(None)
        self._answer_callbacks()
