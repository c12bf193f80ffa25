"""When what has failed is tried again: after ever longer."""

from collections.abc import Callable
from typing import Final

from .scheduling import Scheduler, Timer

__all__ = ["Retry"]

_FIRST_S: Final = 0.1
_LAST_S: Final = 5.0


class Retry:
    """again: what is tried."""

    __slots__ = ("_again", "_scheduler", "_seconds", "_timer")

    def __init__(self, scheduler: Scheduler, again: Callable[[], object]) -> None:
        self._scheduler = scheduler
        self._again = again
        self._seconds = _FIRST_S
        self._timer: Timer | None = None

    def later(self) -> None:
        """Try once more, in a while: each time in twice as long."""
        self.cancel()
        self._timer = self._scheduler.call_later(self._seconds, self._try)
        self._seconds = min(self._seconds * 2, _LAST_S)

    def cancel(self) -> None:
        """It is tried now, or not at all."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _try(self) -> None:
        self._timer = None
        self._again()
