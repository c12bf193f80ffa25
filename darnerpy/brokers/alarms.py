"""One timer for all that a queue has to do in time, set to the earliest of it."""

from collections.abc import Callable

from ..clock import Clock
from .scheduling import Scheduler, Timer

__all__ = ["Alarm"]


class Alarm:
    """ring: called when a time that was asked for has come, or a little early."""

    __slots__ = ("_clock", "_ring", "_scheduler", "_timer", "_when")

    def __init__(self, clock: Clock, scheduler: Scheduler, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._ring = ring
        self._timer: Timer | None = None
        self._when = 0

    def set(self, when: int) -> None:
        """Ring at a time (monotonic milliseconds, 0 is soon), or earlier if asked before."""
        if self._timer is not None:
            if self._when <= when:
                return
            self._timer.cancel()
        self._when = when
        wait = max(0, when - self._clock.monotonic_ms())
        self._timer = self._scheduler.call_later(wait / 1000, self._due)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        self._ring()
