"""Long work in slices, for steps: between them all others have their turn.

Owns how long a slice is. Who asks after each piece of work yields None when one is over.
"""

from time import perf_counter

__all__ = ["Pace"]

_SLICE_S = 0.0005


class Pace:
    """seconds: how long a slice is; it is longer by one piece of the work."""

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float = _SLICE_S) -> None:
        self._seconds = seconds
        self._until = perf_counter() + seconds

    def is_over(self) -> bool:
        """Whether the slice is over; the next begins when this is asked again after a turn."""
        now = perf_counter()
        if now < self._until:
            return False
        self._until = now + self._seconds
        return True
