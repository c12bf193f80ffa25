"""One queue as it is open in this process: how many use it, and who stands in line for room in it.

Owns that line: first come, first served, and nobody who comes later goes before. Called with the lock of
the directory held.
"""

from collections import deque
from typing import Protocol

from ..brokers.local import LocalBroker
from ..errors import DarnerError
from ..queues.queue import Queue
from .waits import RoomWait

__all__ = ["Place"]


class Desk(Protocol):
    """Where somebody stands who uses the queue."""

    consumer: bytes

    def end_waits(self) -> None: ...

    def close(self, why: str) -> None: ...


class View(Protocol):
    """What somebody has of an item that is not held."""

    def check(self, queue: Queue | None) -> bool:
        """Release it if its item is gone; whether it is still there."""
        ...


class Place:
    """users: who have it open. desks: where they stand. line: who waits for room. views: what
    somebody has of items in it.
    """

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.users: set[object] = set()
        self.desks: set[Desk] = set()
        self.views: list[View] = []
        self.line: deque[RoomWait] = deque()

    def look(self, broker: LocalBroker) -> bool:
        """Something may have changed: wake the first in line if there is room, release views of what is
        gone. False if there is nobody and nothing to look after.
        """
        stored = broker.queues.get(self.name)
        if self.views:
            queue = None if stored is None else stored.queue
            self.views = [view for view in self.views if view.check(queue)]
        while self.line and not self.line[0].sleeper.reachable():
            self.line.popleft()
        if not self.line:
            return bool(self.views)
        first = self.line[0]
        if not first.sleeper.woken:
            try:
                if stored is not None and stored.ready:
                    stored.queue.check_room(first.size, None, first.items)
            except DarnerError:
                return True
            first.sleeper.wake()
        return True
