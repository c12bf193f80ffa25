"""A queue and its journal: what is decided on the loop is written, what is missing is read.

Owns the journal handle of one queue and everything that is on its way to or from it. Promises that a
batch ends only when it is written or has failed, that at most one write is under way, and that after
any error nothing goes on before the journal was closed, opened and read again. The queue object
outlives the handle; only work under way keeps the handle open.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import QueueSettings
from ..errors import JournalError, ServerError
from ..journals.contract import Damage, Journal
from ..journals.large import LargeFiles, Upload
from ..journals.workers import Done
from ..queues.batches import Batch, Completion
from ..queues.consumer import Consumer
from ..queues.queue import Queue
from ..queues.upkeep import clock_was_set
from .alarms import Alarm
from .caretaker import Caretaker
from .committer import Committer
from .loader import Loader
from .mover import Arrivals, Mover
from .opening import Opened, open_journal
from .store import Store
from .sweeps import Sweep
from .trimmer import Trimmer

__all__ = ["StoredQueue"]

log = logging.getLogger("darnerpy.journal")

_FIRST_RETRY_S, _LAST_RETRY_S = 0.1, 5.0


class StoredQueue:
    """ready: whether commands may be decided now; if not, `when_ready` calls back.

    stored: whether there is, or soon will be, something on disk. error: why the journal cannot be
    used for now; commands answer it. disk_bytes: as last measured. aside: where damaged files of
    the journal were put last, "" if none were. deletion: under way, or done;
    then this object is of no use any more.

    dirty, gone: told when there is something to commit, and when the queue is deleted. find: gives
    another queue by name.
    """

    def __init__(
        self,
        store: Store,
        name: bytes,
        stored: bool,
        dirty: Callable[["StoredQueue"], None],
        gone: Callable[["StoredQueue"], None],
        find: Callable[[bytes], "StoredQueue"],
    ) -> None:
        self.name = name
        self.settings: QueueSettings = store.settings.queue(name)
        in_memory = self.settings.engine == "memory"
        self.directory: Path = store.data.scratch(name) if in_memory else store.data.directory(name)
        self.large = LargeFiles(self.directory / "large")
        self.arrivals = Arrivals()
        self._store = store
        self._alarm = Alarm(store.clock, store.scheduler, self._look_after)
        self.queue = Queue(
            name,
            store.clock,
            store.windows,
            partial(dirty, self),
            self._settings_of,
            self._alarm.set,
        )
        self.last_used = 0
        self.stored = stored
        self.ready = not stored
        self.error: JournalError | None = None
        self.deletion: Completion | None = None
        self.uploads = 0
        self.disk_bytes = 0
        self.aside = ""
        self._gone = gone
        self._trimmer = Trimmer(
            self.queue, self.run, store.scheduler.call_later, store.space.room, self._fail
        )
        self._committer = Committer(
            store, self.queue, self.run, self._wrote, self._fail, self.commit
        )
        self._loader = Loader(
            self.queue,
            store.windows,
            self.directory,
            self._journal_to_read,
            self.run,
            self._fail,
            not store.settings.sync.always,
        )
        mover = Mover(self, find, store.space)
        self._caretaker = Caretaker(self, store.clock, self._alarm, self._loader, mover)
        self._journal: Journal | None = None
        self._opening = False
        self._known = not stored
        self._users = 0
        self._held_back = False
        self._retry_s = _FIRST_RETRY_S
        self._callbacks: list[Callable[[], None]] = []

    # -- being ready -------------------------------------------------------------------------------

    def when_ready(self, callback: Callable[[], None]) -> None:
        """Call back once, when commands can be decided or `error` is known."""
        self._callbacks.append(callback)
        if self.deletion is None:
            self._open()

    def hold_back(self) -> None:
        """More was put than the disk takes: decide nothing before the batch is written."""
        self._held_back = True
        self.ready = False

    @property
    def idle(self) -> bool:
        """Whether nothing is under way that needs the journal handle."""
        return not (self._users or self._opening or self.queue.unwritten or self.uploads)

    @property
    def unused(self) -> bool:
        """Whether nothing was ever stored, nobody waits, and nothing is on its way to be stored."""
        queue = self.queue
        waited_for = self._callbacks or queue.own.line
        return not (self.stored or waited_for or self.uploads or queue.unwritten or self.deletion)

    def _answer_callbacks(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @property
    def trims(self) -> int:
        return self._trimmer.trims

    @property
    def compactions(self) -> int:
        return self._trimmer.compactions

    # -- opening and closing -----------------------------------------------------------------------

    def _open(self) -> None:
        """Open the journal unless that is done or under way, and learn what it holds."""
        if self._journal is None and not self._opening and not self._users:
            self._opening = True
            failed = self.error is not None
            work = partial(open_journal, self._store, self, self._known, failed)
            self._store.in_thread(work, self._opened)

    def _opened(self, result: Opened | None, error: BaseException | None) -> None:
        self._opening = False
        if result is None:
            self._fail(error)
            return
        self._journal, found, head, size = result
        self._retry_s = _FIRST_RETRY_S
        self.large.made = True
        self.disk_bytes = size
        if found.aside and found.aside != self.aside:
            log.warning(
                "damaged files are put aside",
                extra={"queue": self.name, "path": self.directory / found.aside},
            )
        self.aside = found.aside
        queue = self.queue
        if not self._known:
            queue.recover(
                found.next_id,
                found.next_offset,
                found.batch,
                found.positions,
                found.kept,
                found.returns,
            )
            used = found.next_id > 1 or found.batch > 0
            self.stored = used or bool(found.damage or found.aside)
        elif self.error is not None:
            queue.rejoin(found.next_id, found.next_offset, found.batch, found.positions)
            log.warning("journal works again", extra={"queue": self.name})
        elif found.next_id > queue.written:
            # A queue taken for new: its directory could not be read at start. Learn what is there.
            self._fail(JournalError("the journal holds items that were not known of"))
            self._known = False
            return
        for origin in reversed(found.origins):
            self.arrivals.add(origin)
        if not self._known or self.error is not None:
            self._loader.recovered_to = queue.written
            for damage in found.damage:
                self._loader.report(damage)
            self._loader.know(found.lost)
            if self.kept and not self._known:
                log.warning(
                    "some items are kept, but not served",
                    extra={"queue": self.name, "kept": self.kept},
                )
        if head is not None:
            self._loader.take_in(queue.own, head, queue.own.loaded_to)
        self._trimmer.restart(size)
        self._known = True
        self.error = None
        self.ready = self.deletion is None
        self._store.opened(self)
        log.debug("journal opened", extra={"queue": self.name, "bytes": size})
        self.commit()
        self._loader.load_for_waiters()
        self._alarm.set(0)
        if self.deletion is not None:
            self._delete_when_idle()
            return
        self._answer_callbacks()
        self._forget_soon()

    def shut(self, sync: bool = False) -> None:
        """Close an idle journal, synced first if asked; it is opened again when it is needed."""
        journal, self._journal = self._journal, None
        self._store.journals.remove(self)
        if journal is None:
            return
        unsynced = self._committer.forget() or sync
        log.debug("journal closed", extra={"queue": self.name})
        # A database cannot be open twice: this counts as work under way.
        self.run(partial(_close, journal, unsynced), self._shut, False)

    def _shut(self, result: None, error: BaseException | None) -> None:
        if error is not None:
            self._loader.report(Damage(f"closing it failed: {error}"))
        queue = self.queue
        # Whoever waits for items to come needs no journal, only who waits for those on disk.
        waited_for = any(c.line.waiters and not queue.is_empty(c) for c in queue.consumers.values())
        if self._callbacks or queue.unwritten or waited_for:
            self._open()

    # -- in time -----------------------------------------------------------------------------------

    def configure(self) -> None:
        """The settings were replaced: they hold from now on."""
        engine = self.settings.engine
        fresh = self._store.settings.queue(self.name)
        if fresh.engine != engine:
            log.warning("engine stays %s until a restart", engine, extra={"queue": self.name})
            fresh = replace(fresh, engine=engine)
        self.settings = fresh
        self.queue.configure()

    def _settings_of(self, consumer: bytes) -> QueueSettings:
        return self._store.settings.queue(self.name, consumer) if consumer else self.settings

    def clock_was_set(self) -> None:
        if self.works:
            clock_was_set(self.queue)

    def _look_after(self) -> None:
        self._caretaker.look_after()

    def expire(self, consumer: Consumer, done: Callable[[int, ServerError | None], None]) -> None:
        """Have expired items leave the head of a consumer; done: see `Sweep`."""
        Sweep(self, consumer, done)

    @property
    def known(self) -> bool:
        """Whether its journal has been opened: before, no count of it means anything."""
        return self._known

    @property
    def state(self) -> str:
        """As stats have it: ready, failed, or loading until the journal was opened once."""
        if self.error is not None:
            return "failed"
        return "ready" if self._known else "loading"

    @property
    def exists(self) -> bool:
        """Whether it holds or held items; else there are only waiters."""
        return self.stored or self.queue.next_id > 1

    @property
    def works(self) -> bool:
        """Whether its contents are known, and it is not failed or going."""
        return self._known and self.error is None and self.deletion is None

    @property
    def journal(self) -> Journal | None:
        """The journal, if it is open; only what `run` does with it may take time."""
        return self._journal

    @property
    def in_use(self) -> bool:
        """Whether anything waits, is held or waited for, or is on its way in."""
        queue = self.queue
        busy = any(queue.count(c) or c.open or c.line for c in queue.consumers.values())
        return bool(busy or self.uploads or self._callbacks)

    @property
    def retired(self) -> bool:
        """Whether it was deleted because of its age."""
        return self._caretaker.retired

    def run(self, work: Callable[[], Any], done: Done, background: bool = False) -> None:
        """Have something done with the journal, which is kept open meanwhile."""
        self._users += 1
        submit = self._store.in_background if background else self._store.in_thread
        submit(work, partial(self._ran, done))

    def _ran(self, done: Done, result: Any, error: BaseException | None) -> None:
        self._users -= 1
        if self.error is not None:
            self._retry_later()
        else:
            done(result, error)
            self._delete_when_idle()

    def look(self, work: Callable[[], Any], done: Done) -> None:
        """As `run`, but done is told whatever happens to the journal meanwhile."""
        self._users += 1
        self._store.in_thread(work, partial(self._looked, done))

    def _looked(self, done: Done, result: Any, error: BaseException | None) -> None:
        self._users -= 1
        if self.error is not None:
            self._retry_later()
        elif error is not None:
            self._fail(error)
        else:
            self._delete_when_idle()
        done(result, error)

    # -- writing -----------------------------------------------------------------------------------

    def commit(self) -> None:
        """The turn is over: write what changed."""
        if self.error is not None or not self._known:
            return
        if self._journal is not None:
            self._store.journals.use(self)
            self._committer.commit(self._journal)
        elif self.queue.unwritten:
            self.stored = True
            self._open()

    def _wrote(self, batch: Batch, journal: Journal) -> None:
        self.queue.wrote(batch)
        batch.end(None)
        if self._held_back and self.queue.batch is None:
            self._held_back = False
            self.ready = self.deletion is None
            self._answer_callbacks()
        for consumer in self.queue.consumers.values():
            if consumer.loaded_to < batch.next_id or consumer.line.waiters:
                self._loader.look_ahead(consumer)
        self._trimmer.wrote(batch, journal)
        if self.deletion is not None:
            self._delete_when_idle()

    # -- reading -----------------------------------------------------------------------------------

    def load(self, consumer: Consumer) -> None:
        """Read what a consumer needs next, unless it is on its way already."""
        self._loader.load(consumer)

    def _journal_to_read(self) -> Journal | None:
        if self.deletion is not None or self.error is not None:
            return None
        if self._journal is None:
            self._open()
        else:
            self._store.journals.use(self)
        return self._journal

    @property
    def lost(self) -> int:
        """Items that cannot be served because of damage."""
        return self._loader.lost

    @property
    def kept(self) -> int:
        """Whole items that stay on disk and are not served."""
        return self._loader.kept

    def measure(self, done: Callable[[], None]) -> bool:
        """Look how much the journal takes on disk, then call back; False if it is not open."""
        if self._journal is None:
            return False

        def measured(size: int | None, error: BaseException | None) -> None:
            if size is not None:
                self.disk_bytes = size
            done()

        # Not `_run`: its callback must come whatever happens to the journal meanwhile.
        self._store.in_thread(self._journal.size, measured)
        return True

    # -- large items -------------------------------------------------------------------------------

    def begin_upload(self) -> Upload:
        """Start a large item; the journal stays open until `end_upload`."""
        self.uploads += 1
        self._open()
        return self.large.upload()

    def end_upload(self) -> None:
        self.uploads -= 1
        self._forget_soon()

    def in_thread(self, work: Callable[[], Any], done: Done) -> None:
        """Have something done that may block but does not touch the journal."""
        self._store.in_thread(work, done)

    # -- failing -----------------------------------------------------------------------------------

    def _fail(self, error: BaseException | None) -> None:
        """The journal cannot be trusted any more: refuse everything until it is open again."""
        if self.error is None:
            log.error("journal failed: %s", error, extra={"queue": self.name})
        self.error = error if isinstance(error, JournalError) else JournalError(str(error))
        self.ready = False
        self._held_back = False
        self._committer.forget()
        self._trimmer.halt()
        self._loader.reset()
        deletion, self.deletion = self.deletion, None
        if self._known:
            self.queue.fail(self.error)
        for consumer in self.queue.consumers.values():
            self.queue.dismiss(consumer, self.error)
        if deletion is not None:
            deletion.end(self.error)
        self._answer_callbacks()
        self._retry_later()

    def _retry_later(self) -> None:
        if self._users:
            return
        journal, self._journal = self._journal, None
        self._store.journals.remove(self)
        if journal is not None:
            self.run(partial(_close, journal, False), _ignore)
            return
        self._store.scheduler.call_later(self._retry_s, self._open)
        self._retry_s = min(self._retry_s * 2, _LAST_RETRY_S)

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
            self.deletion = Completion()
            self.ready = False
            self._trimmer.halt()
            self._alarm.stop()
            self.commit()
            self._delete_when_idle()
        return self.deletion

    def _delete_when_idle(self) -> None:
        if self.deletion is None or self._users or self._opening or self.queue.unwritten:
            return
        self._committer.forget()
        journal, self._journal = self._journal, None
        self._store.journals.remove(self)
        self._users += 1
        self._store.in_thread(partial(self._discard, journal), self._discarded)

    def _discard(self, journal: Journal | None) -> Path | None:
        if journal is not None:
            journal.close()
        return self.large.abandon(partial(self._store.data.discard, self.directory))

    def _discarded(self, grave: Path | None, error: BaseException | None) -> None:
        self._users -= 1
        deletion = self.deletion
        if deletion is None:
            return
        if error is not None:
            self._fail(error)
            self._known = False
            return
        if grave is not None:
            self._store.bury(grave)
        self.queue.dissolve(None)
        self._gone(self)
        self.stored = False
        deletion.end(None)
        self._answer_callbacks()


def _close(journal: Journal, sync: bool) -> None:
    try:
        if sync:
            journal.sync()
    finally:
        journal.close()


def _ignore(result: Any, error: BaseException | None) -> None:
    pass
