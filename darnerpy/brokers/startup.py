"""Learning at start what every journal holds: each is opened once, a few at a time.

Owns the order and the pace, and says in the log when it began, when it ended and what was found.
Clients are served meanwhile: a queue that is asked for is opened at once.
"""

import logging
from collections.abc import Callable, Iterable

from ..clock import Clock
from .scheduling import Scheduler
from .stored import StoredQueue

__all__ = ["Startup"]

log = logging.getLogger("darnerpy.broker")

_AT_ONCE = 4
"""Half of the threads that open and write: the others are left to the clients."""

_REST_S = 0.001


class Startup:
    """over: whether every journal was opened, or could not be. most: how many may be open."""

    def __init__(
        self, queues: Iterable[StoredQueue], clock: Clock, scheduler: Scheduler, most: int
    ) -> None:
        self.over = False
        self._scheduler = scheduler
        self._clock = clock
        self._began = clock.monotonic_ms()
        self._unknown = [stored for stored in queues if not stored.ready]
        self._unknown.reverse()
        self._failed = self._items = self._kept = self._lost = 0
        self._under_way = min(_AT_ONCE, most)
        self._queues = len(self._unknown)
        if self._queues:
            log.info("loading", extra={"queues": self._queues})
        for _ in range(self._under_way):
            self._next()

    def _next(self) -> None:
        while self._unknown:
            stored = self._unknown.pop()
            if not stored.ready and stored.error is None and stored.deletion is None:
                stored.when_ready(self._counting(stored))
                return
        self._under_way -= 1
        if not self._under_way:
            self._end()

    def _counting(self, stored: StoredQueue) -> Callable[[], None]:
        def opened() -> None:
            if stored.error is not None:
                self._failed += 1
            else:
                queue = stored.queue
                self._items += queue.count(queue.own)
                self._kept += stored.harm.kept
                self._lost += stored.harm.lost
            self._scheduler.call_later(_REST_S, self._next)

        return opened

    def _end(self) -> None:
        self.over = True
        if self._queues:
            log.info(
                "loaded",
                extra={
                    "queues": self._queues,
                    "failed": self._failed,
                    "items": self._items,
                    "damaged": self._lost,
                    "kept": self._kept,
                    "ms": self._clock.monotonic_ms() - self._began,
                },
            )
