"""What all stored queues of a process share.

Owns the threads, the rule for what may be written on the loop, the bound on open journals and the
one background thread that trims. Knows journals, but not what is in them.
"""

import shutil
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ..clock import Clock
from ..config import QueueSettings, Settings
from ..errors import JournalError
from ..journals.contract import Engine, Journal
from ..journals.large import LargeFiles
from ..journals.leveldb import LevelDbEngine
from ..journals.memory import MemoryEngine
from ..journals.opening import WRITE_BUFFER
from ..journals.workers import Done, Workers
from ..queues.batches import Batch
from ..queues.windows import Windows
from .datadir import DataDir
from .scheduling import Scheduler
from .space import Space

__all__ = ["Keeper", "Store"]

_COMMIT_THREADS = 8
_INLINE_BATCH = 64 * 1024
_INLINE_RUN = WRITE_BUFFER // 2


class Keeper(Protocol):
    """Whoever has a journal open. idle: nothing is under way that needs it."""

    name: bytes
    directory: Path
    large: LargeFiles
    settings: QueueSettings

    @property
    def idle(self) -> bool: ...

    def shut(self) -> None:
        """Close the journal; it is opened again when it is needed."""
        ...


class Store:
    """workers: makes threads; a simulation puts its own in."""

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
        self._open: OrderedDict[Keeper, None] = OrderedDict()

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

    def may_write_inline(self, batch: Batch, run: int) -> bool:
        """Whether an unsynced batch may be written on the loop; run: bytes so written in a row.

        Small ones only, and not when LevelDB's buffer may be full: then a write can wait for a disk.
        """
        return (
            not self._trimming
            and batch.size <= _INLINE_BATCH
            and run < _INLINE_RUN
            and not batch.large
        )

    def bury(self, grave: Path) -> None:
        """Remove what is left of a deleted queue, off the loop."""
        self.in_background(partial(shutil.rmtree, grave, ignore_errors=True), lambda *_: None)

    # -- open journals -----------------------------------------------------------------------------

    @property
    def open_journals(self) -> int:
        return len(self._open)

    def opened(self, queue: Keeper) -> None:
        """A journal was opened: close the least recently used beyond the bound."""
        if queue.settings.engine == "memory":
            return  # closing it would forget what it holds
        self._open[queue] = None
        excess = len(self._open) - self.settings.max_open_journals
        if excess > 0:
            idle = (other for other in self._open if other is not queue and other.idle)
            for other in [other for other, _ in zip(idle, range(excess), strict=False)]:
                other.shut()

    def used(self, queue: Keeper) -> None:
        if queue in self._open:
            self._open.move_to_end(queue)

    def closed(self, queue: Keeper) -> None:
        self._open.pop(queue, None)

    def open_journal(self, queue: Keeper) -> Journal:
        """In a thread: open a queue's journal where its engine keeps it; not anew if it has gone."""
        engine = self.engines[queue.settings.engine]
        if queue.large.made and not engine.exists(queue.directory):
            raise JournalError(f"directory {queue.directory.name} was taken away")
        return engine.open(queue.directory, queue.name, queue.large)
