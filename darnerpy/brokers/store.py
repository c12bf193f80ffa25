"""What all stored queues of a process share.

Owns the threads that open, write and read, the engines, and what holds for all.
Knows journals, but not what is in them.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..config import Settings
from ..journals.engines import engines
from ..journals.workers import Done, Workers
from ..queues.windows import Windows
from .background import Background
from .datadir import DataDir
from .open_journals import OpenJournals, awake_by_default, journals_by_default
from .scheduling import Scheduler
from .space import Space

__all__ = ["Store"]

_COMMIT_THREADS = 8


class Store:
    """journals: which are open. background: what trims; while it does, nothing is written on the loop, for
    LevelDB would stall it. commit_ms: how long the last write in a
    thread took; commit_told: is told of each.

    workers: makes threads; a simulation puts its own in.
    """

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
        self.space = Space(data.path, scheduler, settings.min_free_disk)
        self.call_later = scheduler.call_later  # once, not a bound method for each queue
        self.room = self.space.room
        self.engines = engines()
        self.commit_ms = 0.0
        self.commit_told: Callable[[float], None] = lambda seconds: None
        self._workers = workers(_COMMIT_THREADS, scheduler.call_soon_threadsafe, "commit")
        self.background = Background(workers(1, scheduler.call_soon_threadsafe, "trim"))
        most = settings.max_open_journals or journals_by_default()
        self.journals = OpenJournals(most, awake_by_default(), scheduler.call_later)

    def close(self) -> None:
        """Wait for all threads to finish what they have."""
        self.background.close()
        self._workers.close()

    def committed(self, seconds: float) -> None:
        """A write in a thread is done."""
        self.commit_ms = seconds * 1000
        self.commit_told(seconds)

    def in_thread(self, work: Callable[[], Any], done: Done) -> None:
        self._workers.submit(work, done)

    def bury(self, grave: Path) -> None:
        """Remove what is left of a deleted queue, off the loop."""
        self.background.submit(partial(shutil.rmtree, grave, ignore_errors=True), lambda *_: None)
