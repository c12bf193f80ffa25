"""A read that has to wait: for an item to come, or for one to be read from disk.

Owns its place in line, its deadline and, for a large item, the file it will be sent from. Whoever
reads is told exactly once how it ended, unless the wait was withdrawn.
"""

from typing import Protocol

from ..brokers.scheduling import Timer
from ..brokers.stored import StoredQueue
from ..errors import JournalError, ServerError
from ..protocol.item_commands import Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from .state import State

__all__ = ["Reader", "Wait"]


class Reader(Protocol):
    """Whoever waits. It is told in the middle of serving a queue."""

    def delivered(
        self, item: Item, handle: int | None, commit: Batch | None, held: OpenRead | None
    ) -> None:
        """Here is the item. handle: the open file of a large one. commit, held: as for a `Waiter`."""
        ...

    def waited_in_vain(self, error: ServerError | None) -> None:
        """There is none, or there will be none because of an error."""
        ...

    def turned_down(self, answer: bytes) -> None:
        """There is one that cannot be said: this is the answer, and it stays where it is."""
        ...


class Wait:
    """blocking: it waits for an item until its deadline, not only for what is on its way.

    after: the commit that an earlier part of the same command depends on.
    """

    def __init__(
        self,
        reader: Reader,
        session: State,
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
        self.blocking = read.wait_ms > 0 and not session.input_ended
        self._reader = reader
        self._outlet = session.outlet
        self._replies = session.replies
        self._guard = session.host.guard
        self._handle: int | None = None
        self._timer: Timer | None = None
        if self.blocking:
            self._timer = session.host.scheduler.call_later(read.wait_ms / 1000, self.give_up)
        consumer.line.join(self)
        stored.load(consumer)

    def give_up(self) -> None:
        """Wait no longer for items to come, only for one that is on its way."""
        self._stop_timer()
        if self.stored.queue.is_empty(self.consumer):
            self.consumer.line.leave(self)
            self.end(None)
        else:
            self.consumer.line.stop_blocking(self)

    def withdraw(self) -> None:
        """Leave without a word."""
        self._stop_timer()
        self.consumer.line.leave(self)

    # -- what the line calls -----------------------------------------------------------------------

    def reachable(self) -> bool:
        return self._outlet.is_reachable()

    def accept(self, item: Item) -> bool:
        if self._outlet.is_gone():
            self.end(None)
            return False
        if self._guard.no_reads is not None:
            self.end(self._guard.no_reads)
            return False
        if not self._replies.says_all:
            answer = self._replies.unsayable(item.data)
            if answer is not None:
                self._stop_timer()
                self._reader.turned_down(answer)
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
        self._reader.delivered(item, self._handle, commit, held)

    def end(self, error: ServerError | None) -> None:
        self._stop_timer()
        self._reader.waited_in_vain(error)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
