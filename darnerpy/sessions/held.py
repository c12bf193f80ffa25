"""What a session holds: its open reads, by consumer and item, in the order they were opened.

Owns the table and nothing else: when a client may open one more, and what it means by closing, is decided
elsewhere. What is gone (its queue was deleted, its time was up) counts as not held.
"""

from collections import OrderedDict

from ..queues.batches import Batch
from ..queues.consumer import Consumer, OpenRead

__all__ = ["Held"]


class Held:
    """reads: the table itself, by id of the item; some in it may be gone."""

    __slots__ = ("reads",)

    def __init__(self) -> None:
        self.reads: dict[Consumer, OrderedDict[int, OpenRead]] = {}

    @property
    def any(self) -> bool:
        return any(not held.gone for reads in self.reads.values() for held in reads.values())

    def are(self, consumer: Consumer, number: int) -> bool:
        """Whether so many are held of a consumer, or more."""
        reads = self.reads.get(consumer)
        if not reads or len(reads) < number:
            return False
        return sum(not held.gone for held in reads.values()) >= number

    def has(self, consumer: Consumer, item_id: int) -> bool:
        reads = self.reads.get(consumer)
        held = None if reads is None else reads.get(item_id)
        return held is not None and not held.gone

    def ids(self, consumer: Consumer) -> list[int]:
        """Of the items held of a consumer, in the order they were opened."""
        reads = self.reads.get(consumer)
        return [] if reads is None else [i for i, held in reads.items() if not held.gone]

    def add(self, held: OpenRead) -> None:
        item_id = held.item.id
        reads = self.reads.get(held.consumer)
        if reads is None:
            # Consumers of which all is gone are swept out when the table grows.
            for consumer in [c for c, r in self.reads.items() if all(h.gone for h in r.values())]:
                del self.reads[consumer]
            reads = self.reads[held.consumer] = OrderedDict()
        elif item_id in reads:
            del reads[item_id]  # it came back and was opened again: now it is the newest
        reads[item_id] = held

    # -- letting go; the batch is what the answer waits for, None if nothing was let go -------------

    def close(self, consumer: Consumer, item_id: int = 0) -> Batch | None:
        """Confirm the oldest of a consumer, or the one with that id."""
        held = self._take(consumer, item_id)
        return None if held is None else held.queue.close(held)

    def close_oldest(self, consumer: Consumer, number: int | None = None) -> Batch | None:
        """Confirm so many, the oldest first, or all."""
        commit: Batch | None = None
        while number is None or number > 0:
            held = self._take(consumer, 0)
            if held is None:
                break
            commit = held.queue.close(held)
            number = None if number is None else number - 1
        return commit

    def abort(self, consumer: Consumer, item_id: int = 0) -> Batch | None:
        """Return the oldest of a consumer, or the one with that id."""
        held = self._take(consumer, item_id)
        return None if held is None else held.queue.abort(held)

    def return_all(self, counted: bool) -> None:
        """Everything goes back to its place; counted: as an attempt that did not succeed."""
        table, self.reads = self.reads, {}
        for reads in table.values():
            for held in reads.values():
                held.queue.abort(held, counted)

    def _take(self, consumer: Consumer, item_id: int) -> OpenRead | None:
        """One that is not gone; it leaves the table."""
        reads = self.reads.get(consumer)
        if item_id and reads:
            held = reads.pop(item_id, None)
            return None if held is None or held.gone else held
        while reads:
            held = reads.popitem(last=False)[1]
            if not held.gone:
                return held
        return None
