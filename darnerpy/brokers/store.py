"""What all stored queues of a process share.

Owns the threads, the rule for what may be written on the loop, and the one background thread that
trims. Knows journals, but not what is in them.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ..clock import Clock
from ..config import QueueSettings, Settings
from ..errors import JournalGoneError
from ..journals.contract import Engine, Journal
from ..journals.large import LargeFiles
from ..journals.leveldb import LevelDbEngine
from ..journals.memory import MemoryEngine
from ..journals.workers import Done, Workers
from ..queues.batches import Batch
from ..queues.windows import Windows
from .datadir import DataDir
from .open_journals import Holder, OpenJournals, journals_by_default
from .scheduling import Scheduler
from .space import Space

__all__ = ["Keeper", "Store"]

_COMMIT_THREADS = 8
_INLINE_BATCH = 64 * 1024


class Keeper(Holder, Protocol):
    """Whoever has a journal."""

    name: bytes
    directory: Path
    large: LargeFiles
    settings: QueueSettings


class Store:
    """journals: which are open. workers: makes threads; a simulation puts its own in."""

    def __init__(
        self,
        settings: Settings,
        data: DataDir,
        clock: Clock,
        scheduler: Scheduler,
        workers: Callable[[int, Callable[..., object], str], Workers] = Workers,
    ) -> None:
        self.settings = settings
        self.data = data
        self.clock = clock
        self.scheduler = scheduler
        self.windows = Windows(settings.window_memory)
        self.space = Space(data.path, scheduler)
        self.engines: dict[str, Engine] = {"leveldb": LevelDbEngine(), "memory": MemoryEngine()}
        self.commit_ms = 0.0
        self._workers = workers(_COMMIT_THREADS, scheduler.call_soon_threadsafe, "commit")
        self._background = workers(1, scheduler.call_soon_threadsafe, "trim")
        self._trimming = 0
        self.journals = OpenJournals(settings.max_open_journals or journals_by_default())

    def close(self) -> None:
        """Wait for all threads to finish what they have."""
        self._background.close()
        self._workers.close()

    # -- where work is done ------------------------------------------------------------------------

    def in_thread(self, work: Callable[[], Any], done: Done) -> None:
        self._workers.submit(work, done)

    def in_background(self, work: Callable[[], Any], done: Done) -> None:
        """One after another, and nothing is written on the loop meanwhile: LevelDB would stall it."""
        self._trimming += 1
        self._background.submit(work, partial(self._rested, done))

    def _rested(self, done: Done, result: Any, error: BaseException | None) -> None:
        self._trimming -= 1
        done(result, error)

    def may_write_inline(self, batch: Batch, run: int, journal: Journal) -> bool:
        """Whether an unsynced batch may be written on the loop; run: bytes so written in a row.

        Small ones only, and not so much in a row that the write may have to wait for a disk.
        """
        return (
            not self._trimming
            and batch.size <= _INLINE_BATCH
            and run < journal.inline_run
            and not batch.large
        )

    def bury(self, grave: Path) -> None:
        """Remove what is left of a deleted queue, off the loop."""
        self.in_background(partial(shutil.rmtree, grave, ignore_errors=True), lambda *_: None)

    # -- open journals -----------------------------------------------------------------------------

    def opened(self, queue: Keeper) -> None:
        """A journal was opened: others are closed beyond the bound."""
        if queue.settings.engine != "memory":  # closing it would forget what it holds
            self.journals.add(queue)

    def open_journal(self, queue: Keeper) -> Journal:
        """In a thread: open a queue's journal where its engine keeps it; not anew if it has gone."""
        engine = self.engines[queue.settings.engine]
        if queue.large.made and not engine.exists(queue.directory):
            raise JournalGoneError(f"directory {queue.directory.name} was taken away")
        memory = self.journals.lend(queue)
        compress = queue.settings.compression == "snappy"
        return engine.open(queue.directory, queue.name, queue.large, memory, compress)
