"""What a session holds: its open reads, by consumer and item, in the order they were opened.

Owns the table and nothing else: when a client may open one more, and what it means by closing, is decided
elsewhere. What is gone (its queue was deleted, its time was up) counts as not held.
"""

from collections import OrderedDict

from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.open_reads import OpenRead
from ..queues.queue import Queue

__all__ = ["Held"]


class _Holding:
    """What is held of one consumer: its queue, and the open reads by id of the item."""

    __slots__ = ("queue", "reads")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.reads: OrderedDict[int, OpenRead] = OrderedDict()


class Held:
    """table: by consumer; what is in it may be gone."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table: dict[Consumer, _Holding] = {}

    @property
    def any(self) -> bool:
        return any(_held(holding) for holding in self.table.values())

    def are(self, consumer: Consumer, number: int) -> bool:
        """Whether so many are held of a consumer, or more."""
        holding = self.table.get(consumer)
        if holding is None or len(holding.reads) < number:
            return False
        return _held(holding) >= number

    def has(self, consumer: Consumer, item_id: int) -> bool:
        holding = self.table.get(consumer)
        held = None if holding is None else holding.reads.get(item_id)
        return held is not None and not held.gone

    def ids(self, consumer: Consumer) -> list[int]:
        """Of the items held of a consumer, in the order they were opened."""
        holding = self.table.get(consumer)
        return [] if holding is None else [i for i, held in holding.reads.items() if not held.gone]

    def add(self, queue: Queue, consumer: Consumer, held: OpenRead) -> None:
        """Note what was opened of a consumer of a queue."""
        holding = self.table.get(consumer)
        if holding is None:
            # Consumers of which all is gone are swept out when the table grows.
            for known in [each for each, its in self.table.items() if not _held(its)]:
                del self.table[known]
            holding = self.table[consumer] = _Holding(queue)
        reads, item_id = holding.reads, held.item.id
        if item_id in reads:
            del reads[item_id]  # it came back and was opened again: now it is the newest
        reads[item_id] = held

    # -- letting go; the batch is what the answer waits for, None if nothing was let go -------------

    def close(self, consumer: Consumer, item_id: int = 0) -> Batch | None:
        """Confirm the oldest of a consumer, or the one with that id."""
        holding = self.table.get(consumer)
        if holding is None:
            return None
        held = _take(holding, item_id)
        return None if held is None else holding.queue.close(held)

    def close_oldest(self, consumer: Consumer, number: int | None = None) -> Batch | None:
        """Confirm so many, the oldest first, or all."""
        commit: Batch | None = None
        while number is None or number > 0:
            last = self.close(consumer)
            if last is None:
                break
            commit = last
            number = None if number is None else number - 1
        return commit

    def abort(self, consumer: Consumer, item_id: int = 0) -> Batch | None:
        """Return the oldest of a consumer, or the one with that id."""
        holding = self.table.get(consumer)
        if holding is None:
            return None
        held = _take(holding, item_id)
        return None if held is None else holding.queue.abort(held)

    def return_all(self, counted: bool) -> None:
        """Everything goes back to its place; counted: as an attempt that did not succeed."""
        table, self.table = self.table, {}
        for holding in table.values():
            for held in holding.reads.values():
                holding.queue.abort(held, counted)


def _held(holding: _Holding) -> int:
    """How many of them are not gone."""
    return sum(not held.gone for held in holding.reads.values())


def _take(holding: _Holding, item_id: int) -> OpenRead | None:
    """One that is not gone; it leaves the table."""
    reads = holding.reads
    if item_id:
        held = reads.pop(item_id, None)
        return None if held is None or held.gone else held
    while reads:
        held = reads.popitem(last=False)[1]
        if not held.gone:
            return held
    return None
