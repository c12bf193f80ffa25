"""The handle on the journal of one queue: opened when it is needed, shut, opened anew after a failure.

Owns whether the journal is open, what is under way with it, and its syncs. Promises
that it stays open while anything is under way, and that after any error nothing goes on before it was
closed, opened and read again. Knows what a journal held only as what its owner is told of it.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ..config import QueueSettings
from ..errors import JournalError
from ..journals.contract import Journal
from ..journals.durable import sync_tree
from ..journals.large import LargeFiles
from ..journals.workers import Done
from .background import Job
from .opening import Opened, close_journal, open_journal, sync_fully
from .retry import Retry
from .store import Store
from .syncing import Syncing

__all__ = ["JournalHandle", "Owner"]

log = logging.getLogger("darnerpy.journal")


class Owner(Protocol):
    """Whoever keeps a queue in the journal."""

    def opened(self, what: Opened, first: bool, failed: bool) -> None:
        """It is open. first: never before in this process. failed: it did not work until now."""
        ...

    def failed(self, error: JournalError) -> None:
        """What was under way is void, and what is not written is lost."""
        ...

    def released(self) -> None:
        """Something that was under way has ended."""
        ...


class JournalHandle:
    """journal: to be used; None if it is not open, rests or has failed. error: why it cannot be used for now.
    known: what it holds was learnt once, or nothing was ever stored. size: bytes on disk, as last
    measured. quarantine: where damaged files of it were put last, "" if none were. syncing: what it is
    owed.

    settings: of the queue; they hold from the next opening on. engine: the journal's, by name.
    last_used: see `OpenJournals`. uploads: large items on their way, which keep it open. untried: it has
    never been opened, so that of a queue that is new it is not yet sure that nothing is there.
    """

    __slots__ = (
        "_failed_journal",
        "_opening",
        "_owner",
        "_removed",
        "_resting",
        "_retry",
        "_store",
        "_unsynced",
        "_users",
        "engine",
        "error",
        "journal",
        "known",
        "large",
        "last_used",
        "name",
        "quarantine",
        "settings",
        "size",
        "syncing",
        "untried",
        "uploads",
    )

    def __init__(
        self,
        store: Store,
        name: bytes,
        settings: QueueSettings,
        engine: str,
        stored: bool,
        owner: Owner,
    ) -> None:
        self.name = name
        self._store = store
        self.settings = settings
        self.engine = engine or settings.engine
        self.large = LargeFiles(self.directory / "large")
        self.journal: Journal | None = None
        self.error: JournalError | None = None
        self.known = not stored
        self.size = 0
        self.quarantine = ""
        self.last_used = 0
        self.untried = True
        self.uploads = 0
        self._owner = owner
        self._opening = False
        self._users = 0
        self._failed_journal: Journal | None = None
        self._removed = False
        self._resting: Journal | None = None
        self._retry: Retry | None = None
        self._unsynced = False
        self.syncing = Syncing(settings, store.scheduler.call_later, self.sync)

    @property
    def directory(self) -> Path:
        data = self._store.data
        return data.directory(self.name) if self.on_disk else data.scratch(self.name)

    @property
    def on_disk(self) -> bool:
        """Whether what the journal holds outlives this process."""
        return self._store.engines[self.engine].on_disk

    @property
    def idle(self) -> bool:
        """Whether nothing is under way that needs the journal."""
        return not (self._users or self._opening or self.uploads)

    @property
    def under_way(self) -> bool:
        """Whether something is being done with the journal, or it is being opened."""
        return bool(self._users or self._opening)

    def configure(self, settings: QueueSettings) -> None:
        """Settings were replaced; the engine is another one only while there is nothing in the journal."""
        self.settings = settings
        self.syncing.configure(settings)
        if self.untried and self.known and self.idle:
            self.engine = settings.engine
            self.large = LargeFiles(self.directory / "large")

    # -- opening and closing -----------------------------------------------------------------------

    def open(self) -> bool:
        """Open the journal unless that is done, under way, or it is removed; learn what it holds.

        One that only rested is open when this returns: true.
        """
        if self._resting is not None:
            self.journal, self._resting = self._resting, None
            self._store.journals.woke(self)
            return True
        if self.journal is None and not self.under_way and not self._removed:
            self._end_retry()
            self._opening = True
            store = self._store
            work = partial(
                open_journal,
                store.engines,
                self.engine,
                self.directory,
                self.name,
                self.large,
                memory=store.journals.lend(self),
                settings=self.settings,
                known=self.known,
                failed=self.error is not None,
            )
            store.in_thread(work, self._opened)
        return False

    def _opened(self, what: Opened | None, error: BaseException | None) -> None:
        self._opening = False
        if what is None:
            self.fail(error)
            return
        first, failed = not self.known, self.error is not None
        self.engine = what.engine
        self.journal = what.journal
        self.known = True
        self.error = None
        self.size = what.size
        self.large.made = True
        self._retry = None
        if failed and not first:
            log.warning("journal works again", extra={"queue": self.name})
        quarantine = what.found.quarantine
        if quarantine and quarantine != self.quarantine:
            path = self.directory / quarantine
            log.warning("damaged files are put aside", extra={"queue": self.name, "path": path})
        self.quarantine = quarantine
        if self.journal.can_rest:
            self._store.journals.woke(self)
        elif self.on_disk:  # closing one that is not would forget what it holds
            self._store.journals.add(self)
        log.debug("journal opened", extra={"queue": self.name, "bytes": what.size})
        self._owner.opened(what, first, failed)
        self.untried = False
        if failed and self.syncing.owes:
            self.sync()  # the failure may have come before what was owed

    def shut(self, sync: bool = False) -> None:
        """Close an idle journal, synced first if asked or owed; it is opened again when needed."""
        journal = self._take()
        if journal is not None:
            sync = self.syncing.settle() or sync
            self._unsynced = not (sync or self.syncing.always)
            log.debug("journal closed", extra={"queue": self.name})
            # A database cannot be open twice: this counts as work under way.
            self.run(partial(close_journal, journal, sync), self._synced)

    def _take(self) -> Journal | None:
        """Nobody gets the journal any more."""
        journal = self.journal or self._resting
        self.journal = self._resting = None
        self._store.journals.remove(self)
        return journal

    def rest(self) -> None:
        """Have an idle journal give back what it holds of the system; opening it costs next to nothing."""
        journal = self._resting = self.journal
        self.journal = None
        if journal is not None:
            try:
                journal.rest()
                self.size = journal.size()
            except Exception as error:  # whatever it is, it is this queue's alone
                self.fail(error)

    def _roused(self) -> Journal | None:
        """The journal, if it is open or only rested."""
        if self._resting is not None:
            self.open()
        return self.journal

    def abandon(self) -> Journal | None:
        """Let go of everything as it is; returns the journal, if it is not closed yet."""
        journal = self.journal or self._resting or self._failed_journal
        self.journal = self._resting = self._failed_journal = None
        return journal

    # -- what is done with it ----------------------------------------------------------------------

    def wanted(self) -> Journal | None:
        """The journal, to be read; if it is closed, None, and it is being opened."""
        if self.journal is not None:
            self.last_used = self._store.journals.turn
        elif self.error is None:
            self.open()
        return self.journal

    def run(self, work: Callable[[], Any], done: Done, background: bool = False) -> None:
        """Have something done with the journal, which is kept open meanwhile."""
        self._users += 1
        submit = self._store.background.submit if background else self._store.in_thread
        submit(work, partial(self._ran, done))

    def run_in_turn(self, work: Callable[[], Any], done: Done) -> None:
        """As `run` in the background, but a journal that can rest may do so until its turn has come, for
        hundreds of them may wait. If it is not open any more by then, neither work nor done is called.
        """
        journal = self._roused()
        if journal is not None and journal.can_rest:
            self._store.background.when_free(partial(self._begin, journal, work, done))
        else:
            self.run(work, done, background=True)

    def _begin(self, journal: Journal, work: Callable[[], Any], done: Done) -> Job | None:
        if self._roused() is not journal:
            return None
        self._users += 1
        return Job(work, partial(self._ran, done))

    def _ran(self, done: Done, result: Any, error: BaseException | None) -> None:
        self._users -= 1
        if self.error is not None:
            self._retry_later()
        else:
            done(result, error)
            self._owner.released()

    def look(self, work: Callable[[], Any], done: Done) -> None:
        """As `run`, but done is told whatever happens to the journal meanwhile."""
        self._users += 1
        self._store.in_thread(work, partial(self._looked, done))

    def _looked(self, done: Done, result: Any, error: BaseException | None) -> None:
        self._users -= 1
        if self.error is not None:
            self._retry_later()
        elif error is not None:
            self.fail(error)
        else:
            self._owner.released()
        done(result, error)

    def measure(self, done: Callable[[], None]) -> bool:
        """Look how much it takes on disk, then call back; False if it is not open or rests."""
        if self.journal is None:
            return False

        def measured(size: int | None, error: BaseException | None) -> None:
            if size is not None:
                self.size = size
            done()

        # Not `run`: its callback must come whatever happens to the journal meanwhile.
        self._store.in_thread(self.journal.size, measured)
        return True

    def sync(self) -> None:
        """Put on disk what was written and has to be."""
        self.syncing.settle()
        journal = self._roused()
        if journal is not None:
            self.run(journal.sync, self._synced)

    def sync_all(self) -> None:
        """Put on disk all that was written, also what did not have to be, and while it was open before."""
        self.syncing.settle()
        journal = self._roused()
        if journal is not None:
            self.run(partial(sync_fully, journal, self.directory), self._synced)
        elif self._unsynced:
            self._store.background.submit(partial(sync_tree, self.directory), self._synced)
        self._unsynced = False

    def _synced(self, result: None, error: BaseException | None) -> None:
        if error is not None:
            self.fail(error)

    # -- failing -----------------------------------------------------------------------------------

    def fail(self, error: BaseException | None) -> None:
        """The journal cannot be trusted any more: refuse everything until it is open again."""
        if self.error is None:
            log.error("journal failed: %s", error, extra={"queue": self.name})
        self.error = error if isinstance(error, JournalError) else JournalError(str(error))
        journal = self._take()
        if journal is not None:
            self._failed_journal = journal
        self.syncing.settle()
        self._owner.failed(self.error)
        self._retry_later()

    def mistake(self, error: JournalError) -> None:
        """It holds what was not known of: learn anew what that is."""
        self.fail(error)
        self.known = False

    def _retry_later(self) -> None:
        if self._users:
            return
        journal, self._failed_journal = self._failed_journal, None
        if journal is not None:
            self.run(partial(close_journal, journal, False), lambda *_: None)
            return
        if self._retry is None:
            self._retry = Retry(self._store.scheduler, self.open)
        self._retry.later()

    def _end_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()

    # -- removing ----------------------------------------------------------------------------------

    def remove(self, done: Callable[[], None]) -> None:
        """Close it and remove all there is on disk, while nothing is under way; done: it is gone.

        It is not opened any more, unless that fails: then the journal has failed.
        """
        self.syncing.settle()
        self._unsynced = False
        self._end_retry()
        self._removed = True
        self._users += 1
        journal, self._failed_journal = self._take() or self._failed_journal, None
        self._store.in_thread(partial(self._discard, journal), partial(self._discarded, done))

    def _discard(self, journal: Journal | None) -> Path | None:
        if journal is not None:
            journal.close()
        return self.large.abandon(partial(self._store.data.discard, self.directory))

    def _discarded(
        self, done: Callable[[], None], grave: Path | None, error: BaseException | None
    ) -> None:
        self._users -= 1
        if error is not None:
            self._removed = False
            self.fail(error)
            self.known = False
            return
        if grave is not None:
            self._store.bury(grave)
        done()
