"""A get that has to wait: for an item to come, or for one to be read from disk.

Owns its place in line, its deadline and, for a large item, the file it will be sent from. Whoever
reads (`Reads`) is told exactly once how it ended, unless the wait was withdrawn.
"""

from typing import TYPE_CHECKING

from ..brokers.store import Timer
from ..brokers.stored import StoredQueue
from ..errors import JournalError, ServerError
from ..protocol.commands import Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer, OpenRead
from ..queues.items import Item

if TYPE_CHECKING:
    from .reads import Reads
    from .session import Session

__all__ = ["Wait"]


class Wait:
    """patient: it waits for an item until its deadline, not only for what is on its way.

    after: the commit that an earlier part of the same command depends on.
    """

    def __init__(
        self,
        reads: "Reads",
        session: "Session",
        stored: StoredQueue,
        consumer: Consumer,
        read: Read,
        after: Batch | None,
    ) -> None:
        self.stored = stored
        self.consumer = consumer
        self.read = read
        self.after = after
        self.open = read.open
        self.peek = read.peek
        self.patient = read.wait_ms > 0 and not session.input_ended
        self._reads = reads
        self._outlet = session.outlet
        self._handle: int | None = None
        self._timer: Timer | None = None
        if self.patient:
            self._timer = session.host.scheduler.call_later(read.wait_ms / 1000, self._tire)
        consumer.line.join(self)
        stored.load(consumer)

    def _tire(self) -> None:
        """The time is up: wait no longer for items to come, only for one that is on its way."""
        self._timer = None
        if self.stored.queue.is_empty(self.consumer):
            self.consumer.line.leave(self)
            self.end(None)
        else:
            self.consumer.line.tire(self)

    def withdraw(self) -> None:
        """Leave without a word."""
        self._stop_timer()
        self.consumer.line.leave(self)

    # -- what the line calls -----------------------------------------------------------------------

    def accept(self, item: Item) -> bool:
        if self._outlet.is_gone():
            self.end(None)
            return False
        if item.large:
            try:
                self._handle = self.stored.large.open(item)
            except JournalError as error:
                self.end(error)
                return False
        return True

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        self._stop_timer()
        self._reads.delivered(item, self._handle, commit, held)

    def end(self, error: ServerError | None) -> None:
        self._stop_timer()
        self._reads.waited_in_vain(error)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
