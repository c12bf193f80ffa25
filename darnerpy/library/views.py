"""Views of items that were only looked at: each is released when somebody has confirmed its item.

Owns which there are. Looked at whenever the lock is let go, so that it does not matter who confirms, or
whether the item expires or is discarded.
"""

from weakref import ref

from ..queues.queue import Queue
from .desk import Desk
from .items import Item

__all__ = ["watch_view"]

_MOST = 1000
"""Views of a queue; beyond, `zero_copy` gives bytes."""


class View:
    """consumer: for whom the item was looked at."""

    __slots__ = ("_item", "consumer", "desk", "id")

    def __init__(self, item: Item, desk: Desk) -> None:
        self.id = item.id
        self.desk = desk
        self.consumer = desk.consumer
        self._item = ref(item)

    def check(self, queue: Queue | None) -> bool:
        """Release it if its item is gone; whether it is still there."""
        item = self._item()
        if item is None:
            return False
        consumer = None if queue is None else queue.consumers.get(self.consumer)
        if consumer is None or consumer.positions.is_confirmed(self.id) or self.desk.closed:
            item.release()
            return False
        return True


def watch_view(desk: Desk, item: Item) -> None:
    """Have it released when its item is confirmed. Bytes instead, if there are too many."""
    with desk.lock:
        views = desk.place.views
        if len(views) >= _MOST:
            item.data = bytes(item.data)
            return
        views.append(View(item, desk))
        desk.directory.watch(desk.place)
