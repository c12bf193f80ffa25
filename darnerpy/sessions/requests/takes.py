"""Items that a request takes: they are confirmed before it is answered.

Owns what happens to them if nobody is there for the answer: they are in their places again, as if they had
never been away.
"""

import os

from ...brokers.stored import StoredQueue
from ...brokers.turn import standing
from ...queues.batches import Batch, Returned
from ...queues.consumer import Consumer
from ...queues.items import Item
from ..contract import Host
from ..steps import Steps, committed
from .given import Caller, Given, enough_bytes
from .waiting import Handed, next_item, readable

__all__ = ["MOST", "take"]

MOST = 1000
"""Items at once."""


def take(
    host: Host, caller: Caller, name: bytes, consumer: bytes, most: int, wait_ms: int = 0
) -> Steps[list[Given]]:
    """So many items at most, at least one if there is one, now or until so long from now.

    Raises `UnknownQueueError`, unless it waits, `UnknownConsumerError`, and `ServerError`.
    """
    stored, place = yield from readable(host, name, consumer, wait_ms > 0)
    taken = _Taken(host, stored, place)
    try:
        while len(taken.handed) < most and taken.size < enough_bytes(host):
            handed = yield from next_item(host, caller, stored, place, wait_ms)
            if handed is None:
                break
            taken.handed.append(handed)
            taken.size += handed.held.item.size
            wait_ms = 0  # what comes after the first was there already, or is not waited for
        if not taken.handed:
            host.counters.misses += 1
            return []
        given = taken.confirm()
        yield from committed(taken.batch)
        if caller.is_gone():
            taken.undo()
            return []
    except BaseException:
        taken.undo()
        raise
    host.counters.hits += len(given)
    return given


class _Taken:
    """handed: the items. size: bytes of them. batch: what has confirmed them, None if nothing has."""

    def __init__(self, host: Host, stored: StoredQueue, consumer: Consumer) -> None:
        self.handed: list[Handed] = []
        self.size = 0
        self.batch: Batch | None = None
        self._host = host
        self._stored = stored
        self._consumer = consumer
        self._known: list[tuple[Item, Returned | None]] = []

    def confirm(self) -> list[Given]:
        queue, consumer, now = self._stored.queue, self._consumer, self._host.clock.now_ms()
        given = []
        all_handed, self.handed = self.handed, []
        for handed in all_handed:
            held = handed.held
            item = held.item
            attempts, _ = standing(consumer, item)
            back = consumer.returns.get(item.id)
            batch = queue.close(held)
            if batch is None:  # its queue was deleted, or its time was up
                handed.give_back()
                continue
            self.batch = batch
            self.handed.append(handed)
            self._known.append((item, back))
            given.append(Given(item, attempts, now - item.created, handed.handle))
        return given

    def undo(self) -> None:
        """Nobody has them after all. Too late where they may be trimmed already."""
        for handed in self.handed:
            if self.batch is None:
                handed.give_back()
            elif handed.handle is not None:
                os.close(handed.handle)
        batch, stored = self.batch, self._stored
        if batch is None or batch.error is not None:
            return
        consumer = stored.queue.consumers.get(self._consumer.name)
        if consumer is not self._consumer or not stored.spare(batch.number):
            return
        for item, back in self._known:
            stored.queue.untake(consumer, item, back)
