"""What a session holds: its open reads, by consumer and item, in the order they were opened.

Owns the table and nothing else: when a client may open one more, and what it means by closing, is decided
elsewhere. What is gone (its queue was deleted, its time was up) counts as not held.
"""

from collections import OrderedDict

from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.events import DISCONNECT
from ..queues.open_reads import OpenRead
from ..queues.queue import Queue

__all__ = ["Held"]


class _Holding:
    """What is held of one consumer of a queue. Most hold one item at a time: the oldest is at hand, and those
    that were opened after it are found by id.
    """

    __slots__ = ("_later", "_oldest", "queue")

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._oldest: OpenRead | None = None  # there is one if any are later
        self._later: OrderedDict[int, OpenRead] | None = None

    def all(self) -> list[OpenRead]:
        """Those that are not gone, in the order they were opened."""
        oldest, later = self._oldest, self._later
        held = [] if oldest is None else [oldest, *(later.values() if later else ())]
        return [each for each in held if not each.gone]

    def get(self, item_id: int) -> OpenRead | None:
        oldest, later = self._oldest, self._later
        if oldest is not None and oldest.item.id == item_id:
            return None if oldest.gone else oldest
        held = later.get(item_id) if later else None
        return None if held is None or held.gone else held

    def are(self, number: int) -> bool:
        oldest, later = self._oldest, self._later
        if oldest is None or (number > 1 and (later is None or len(later) + 1 < number)):
            return False
        return len(self.all()) >= number if later or oldest.gone else number <= 1

    def add(self, held: OpenRead) -> None:
        oldest, later, item_id = self._oldest, self._later, held.item.id
        if oldest is not None and oldest.item.id == item_id:
            self._next()  # it came back and was opened again: now it is the newest
            oldest = self._oldest
        elif later:
            later.pop(item_id, None)
        if oldest is None:
            self._oldest = held
            return
        if later is None:
            later = self._later = OrderedDict()
        later[item_id] = held

    def take(self, item_id: int) -> OpenRead | None:
        """The oldest that is not gone, or the one with that id; it is not held any more."""
        held, later = self._oldest, self._later
        if item_id and not (held is not None and held.item.id == item_id):
            held = later.pop(item_id, None) if later else None
            return None if held is None or held.gone else held
        if later:
            self._next()
        else:
            self._oldest = None
        while held is not None and held.gone and not item_id:
            held = self._oldest
            self._next()
        return None if held is None or held.gone else held

    def _next(self) -> None:
        self._oldest = self._later.popitem(last=False)[1] if self._later else None


class Held:
    """table: by consumer; what is in it may be gone."""

    __slots__ = ("_consumer", "_holding", "table")

    def __init__(self) -> None:
        self.table: dict[Consumer, _Holding] = {}
        self._forget()

    def _forget(self) -> None:
        """Which consumer was asked about last; the next question is mostly about the same."""
        self._consumer: Consumer | None = None
        self._holding: _Holding | None = None

    def _of(self, consumer: Consumer) -> _Holding | None:
        found = self.table.get(consumer)
        if found is not None:
            self._consumer, self._holding = consumer, found
        return found

    @property
    def any(self) -> bool:
        return any(holding.are(1) for holding in self.table.values())

    def are(self, consumer: Consumer, number: int) -> bool:
        """Whether so many are held of a consumer, or more."""
        holding = self._holding if consumer is self._consumer else self._of(consumer)
        return holding is not None and holding.are(number)

    def has(self, consumer: Consumer, item_id: int) -> bool:
        holding = self._of(consumer)
        return holding is not None and holding.get(item_id) is not None

    def ids(self, consumer: Consumer) -> list[int]:
        """Of the items held of a consumer, in the order they were opened."""
        holding = self._of(consumer)
        return [] if holding is None else [held.item.id for held in holding.all()]

    def add(self, queue: Queue, consumer: Consumer, held: OpenRead) -> None:
        """Note what was opened of a consumer of a queue."""
        holding = self._holding if consumer is self._consumer else self._of(consumer)
        if holding is None:
            # Consumers of which all is gone are swept out when the table grows.
            for known in [each for each, its in self.table.items() if not its.are(1)]:
                del self.table[known]
            self._forget()
            holding = self.table[consumer] = _Holding(queue)
        holding.add(held)

    # -- letting go; the batch is what the answer waits for, None if nothing was let go -------------

    def close(self, consumer: Consumer, item_id: int = 0) -> Batch | None:
        """Confirm the oldest of a consumer, or the one with that id."""
        holding = self._holding if consumer is self._consumer else self._of(consumer)
        if holding is None:
            return None
        held = holding.take(item_id)
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
        holding = self._of(consumer)
        if holding is None:
            return None
        held = holding.take(item_id)
        return None if held is None else holding.queue.abort(held)

    def return_all(self, counted: bool) -> None:
        """Everything goes back to its place; counted: as an attempt that did not succeed."""
        table, self.table = self.table, {}
        self._forget()
        for holding in table.values():
            for held in holding.all():
                holding.queue.abort(held, counted, DISCONNECT)
