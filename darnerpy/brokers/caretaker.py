"""What a stored queue needs while nobody asks anything of it.

Owns the moment: has what is due done (`upkeep`), carries what leaves for other queues, reads what
decides when more is due, and deletes an empty queue that has been left alone for too long.
"""

import logging
from typing import TYPE_CHECKING

from ..clock import Clock
from ..queues.upkeep import upkeep
from .alarms import Alarm
from .loader import Loader
from .mover import Mover

if TYPE_CHECKING:
    from .stored import StoredQueue

__all__ = ["Caretaker"]

log = logging.getLogger("darnerpy.broker")

_LOOK_MS = 1000


class Caretaker:
    """retired: the queue was deleted because of its age."""

    __slots__ = (
        "_alarm",
        "_clock",
        "_left_alone",
        "_loader",
        "_mover",
        "_queue",
        "_stored",
        "retired",
    )

    def __init__(
        self, stored: "StoredQueue", clock: Clock, alarm: Alarm, loader: Loader, mover: Mover
    ) -> None:
        self.retired = False
        self._stored = stored
        self._queue = stored.queue
        self._clock = clock
        self._alarm = alarm
        self._loader = loader
        self._mover = mover
        self._left_alone = (0, 0)  # since when, and after which batch

    def look_after(self) -> None:
        """Do what is due, and have in memory what decides when more is."""
        if not self._stored.works:
            return
        now = self._clock.monotonic_ms()
        upkeep(self._queue, now)
        self._mover.carry()
        age = self._stored.settings.max_queue_age
        if age is not None and self._stored.stored:
            self._retire(age, now)
        self._read_heads()

    def _read_heads(self) -> None:
        """A closed journal is opened for what must happen, not for what may have expired."""
        queue = self._queue
        for consumer in list(queue.consumers.values()):
            head = consumer.head
            if queue.is_empty(consumer) or (head and (head.data is not None or head.large)):
                continue
            if consumer.excess or consumer.returned or self._stored.journal is not None:
                self._loader.look_ahead(consumer)

    def _retire(self, age: int, now: int) -> None:
        """Delete a queue that was empty and left alone for so long (milliseconds)."""
        since, number = self._left_alone
        if self._stored.in_use or not since or number != self._queue.number:
            self._left_alone = (now, self._queue.number)
        elif now - since >= age:
            self.retired = True
            log.info("an empty queue is deleted: it is old", extra={"queue": self._queue.name})
            self._stored.delete()
            return
        self._alarm.set(now + min(age, _LOOK_MS))
