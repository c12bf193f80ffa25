"""Notices when the wall clock was set: one look a second for all queues.

Owns the comparison with the monotonic clock, which nobody sets. A clock that only runs a little fast or
slow is not a clock that was set.
"""

import logging
from collections.abc import Callable

from ..clock import Clock
from .scheduling import Scheduler, Timer

__all__ = ["ClockWatch"]

log = logging.getLogger("darnerpy.broker")

_LOOK_S = 1.0
_STEP_MS = 100


class ClockWatch:
    """was_set: called when it was, either way."""

    def __init__(self, clock: Clock, scheduler: Scheduler, was_set: Callable[[], None]) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._was_set = was_set
        self._ahead = 0
        self._timer: Timer | None = None

    def start(self) -> None:
        self.stop()
        self._ahead = self._clock.now_ms() - self._clock.monotonic_ms()
        self._timer = self._scheduler.call_later(_LOOK_S, self._look)

    def stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        before = self._ahead
        self.start()
        step = self._ahead - before
        if abs(step) > _STEP_MS:
            log.warning("the clock was set by %+d ms", step)
            self._was_set()
