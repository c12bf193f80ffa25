"""How a queue and its journal are, as others ask: what is known of it, whether it works, what it counts.

Changes nothing. What is done with a queue is in `stored`, on top of this.
"""

from collections.abc import Callable
from pathlib import Path

from ..config import QueueSettings
from ..errors import JournalError
from ..journals.contract import Journal
from ..journals.large import LargeFiles
from ..queues.batches import Completion
from ..queues.queue import Queue
from .arrivals import Arrivals
from .handle import JournalHandle
from .loader import Harm, Loader
from .trimmer import Trimmer

__all__ = ["Condition"]


class Condition:
    """stored: whether there is, or soon will be, something in the journal. deletion: under way, or done; then
    this object is of no use any more.
    """

    __slots__ = (
        "_arrivals",
        "_callbacks",
        "_handle",
        "_loader",
        "_trimmer",
        "deletion",
        "name",
        "queue",
        "settings",
        "stored",
    )

    # What it is made of is put together in `stored`.
    queue: Queue
    _handle: JournalHandle
    _loader: Loader
    _trimmer: Trimmer

    def __init__(self, name: bytes, settings: QueueSettings, stored: bool) -> None:
        self.name = name
        self.settings = settings
        self.stored = stored
        self.deletion: Completion | None = None
        self._arrivals: Arrivals | None = None  # most queues are no target
        self._callbacks: list[Callable[[], None]] = []

    @property
    def state(self) -> str:
        """As stats have it: ready, failed, or loading until the journal was opened once."""
        if self.error is not None:
            return "failed"
        return "ready" if self.known else "loading"

    @property
    def error(self) -> JournalError | None:
        """Why the journal cannot be used for now; commands answer it."""
        return self._handle.error

    @property
    def known(self) -> bool:
        """Whether its journal has been opened: before, no count of it means anything."""
        return self._handle.known

    @property
    def works(self) -> bool:
        """Whether its contents are known, and it is not failed or going."""
        return self.known and self.error is None and self.deletion is None

    @property
    def exists(self) -> bool:
        """Whether it holds or held items; else there are only waiters."""
        return self.stored or self.queue.next_id > 1

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to or from the journal."""
        return self._handle.idle and not self.queue.unwritten

    @property
    def unused(self) -> bool:
        """Whether nothing was ever stored, nobody waits, and nothing is on its way to be stored."""
        queue = self.queue
        if self.stored or self._callbacks or self._handle.uploads or queue.unwritten:
            return False
        waited_for = any(consumer.line for consumer in queue.consumers.values())
        return not (waited_for or self.deletion)

    @property
    def untouched(self) -> bool:
        """Whether its journal was never opened, and is neither being opened nor going to be."""
        handle = self._handle
        return handle.untried and not (handle.under_way or handle.error)

    @property
    def in_use(self) -> bool:
        """Whether anything waits, is held or waited for, is on its way in, or is paused."""
        queue = self.queue
        busy = any(queue.count(c) or c.open or c.line for c in queue.consumers.values())
        return bool(busy or queue.paused or self._handle.uploads or self._callbacks)

    @property
    def syncs(self) -> bool:
        """Whether anything that is put has to be on disk some time."""
        return self._handle.syncing.owes

    @property
    def journal(self) -> Journal | None:
        """The journal, if it is open; only what `run` does with it may take time."""
        return self._handle.journal

    @property
    def engine(self) -> str:
        """The journal's, whatever the settings say by now."""
        return self._handle.engine

    @property
    def on_disk(self) -> bool:
        """Whether what it holds outlives this process."""
        return self._handle.on_disk

    @property
    def directory(self) -> Path:
        return self._handle.directory

    @property
    def large(self) -> LargeFiles:
        return self._handle.large

    @property
    def disk_bytes(self) -> int:
        """As last measured."""
        return self._handle.size

    @property
    def quarantine(self) -> str:
        """Where damaged files of the journal were put last, "" if none were."""
        return self._handle.quarantine

    @property
    def arrivals(self) -> Arrivals:
        """What was moved here lately."""
        if self._arrivals is None:
            self._arrivals = Arrivals()
        return self._arrivals

    @property
    def harm(self) -> Harm:
        """Items that are not served because of damage."""
        return self._loader.harm

    @property
    def trims(self) -> int:
        return self._trimmer.trims

    @property
    def compactions(self) -> int:
        return self._trimmer.compactions
