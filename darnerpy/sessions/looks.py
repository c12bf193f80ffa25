"""A peek behind the next item: it waits for what is read from disk, never for items to come.

Owns the search and, for a large item, the file it will be sent from.
"""

from typing import Protocol

from ..brokers.browse import Browse
from ..brokers.stored import StoredQueue
from ..errors import JournalError, ServerError
from ..protocol.item_commands import Read
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from .contract import Host

__all__ = ["Look", "Seer"]


class Seer(Protocol):
    """Whoever looks; told as by a `Wait`."""

    def delivered(
        self, item: Item, handle: int | None, commit: Batch | None, held: OpenRead | None
    ) -> None: ...

    def waited_in_vain(self, error: ServerError | None) -> None: ...


class Look:
    """after: as of a `Wait`. The reader is never told before this has returned."""

    def __init__(
        self,
        reader: Seer,
        host: Host,
        stored: StoredQueue,
        consumer: Consumer,
        read: Read,
        after: Batch | None,
    ) -> None:
        self.stored = stored
        self.read = read
        self.after = after
        self._reader = reader
        now = host.clock.now_ms()
        self._browse = Browse(stored, consumer, read.offset, now, self._found)
        host.scheduler.call_soon(self._browse.go_on)

    def give_up(self) -> None:
        """It does not wait for items to come."""

    def withdraw(self) -> None:
        self._browse.withdraw()

    def _found(self, items: list[Item], error: ServerError | None) -> None:
        item = items[0] if items else None
        handle: int | None = None
        if item is not None and item.large:
            try:
                handle = self.stored.large.open(item)
            except JournalError as failure:  # perhaps it was taken and deleted meanwhile
                item, error = None, failure
        if item is None:
            self._reader.waited_in_vain(error)
        else:
            self._reader.delivered(item, handle, self.stored.queue.pending(item), None)
