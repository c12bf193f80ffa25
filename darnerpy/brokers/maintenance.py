"""What stored queues need while nobody asks anything of them.

Owns the moment: has what is due done (`upkeep`), has carried what leaves for other queues, has read what
decides when more is due, and deletes an empty queue that has been left alone for too long.
"""

import logging

from ..clock import Clock
from ..queues.upkeep import upkeep
from .mover import Mover
from .stored import StoredQueue

__all__ = ["Maintenance"]

log = logging.getLogger("darnerpy.broker")

_LOOK_MS = 1000


class Maintenance:
    """retired: queues that were deleted because of their age."""

    def __init__(self, clock: Clock, mover: Mover) -> None:
        self.retired = 0
        self._clock = clock
        self._mover = mover

    def look_after(self, stored: StoredQueue) -> None:
        """Do what is due, and have in memory what decides when more is."""
        if not stored.works:
            return
        now = self._clock.monotonic_ms()
        upkeep(stored.queue, now)
        self._mover.carry(stored)
        age = stored.settings.max_queue_age
        if age is not None and stored.stored:
            self._retire(stored, age, now)
        self._read_heads(stored)

    def _read_heads(self, stored: StoredQueue) -> None:
        """A closed journal is opened for what must happen, not for what may have expired."""
        queue = stored.queue
        for consumer in list(queue.consumers.values()):
            head = consumer.head
            if queue.is_drained(consumer) or (head and (head.data is not None or head.large)):
                continue
            if consumer.excess or consumer.returned or stored.journal is not None:
                stored.look_ahead(consumer)

    def _retire(self, stored: StoredQueue, age: int, now: int) -> None:
        """Delete a queue that was empty and left alone for so long (milliseconds)."""
        since, number = stored.left_alone
        if stored.in_use or not since or number != stored.queue.number:
            stored.left_alone = (now, stored.queue.number)
        elif now - since >= age:
            self.retired += 1
            log.info("an empty queue is deleted: it is old", extra={"queue": stored.name})
            stored.delete()
            return
        stored.queue.on_alarm(now + min(age, _LOOK_MS))
