"""How a reader waits: it looks again and again, at first without a pause, then with longer and longer ones.

Owns the times of that. Knows nothing of what is waited for.
"""

import math
import time
from typing import Final

__all__ = ["Waiting"]

_FIRST_PAUSE_S: Final = 0.00002
_LONGEST_PAUSE_S: Final = 0.001


class Waiting:
    """One wait, from when it is made.

    timeout: seconds that it lasts; None for ever.
    spin_s: for how many of them there is no pause.
    """

    def __init__(self, timeout: float | None, spin_s: float) -> None:
        now = time.perf_counter()
        self._until = math.inf if timeout is None else now + timeout
        self._spin_until = min(now + spin_s, self._until)
        self._pause = _FIRST_PAUSE_S

    def spins(self) -> bool:
        """Whether to look again at once."""
        return time.perf_counter() < self._spin_until

    def pause(self) -> bool:
        """Let some time go by; False if the wait is over instead."""
        left = self._until - time.perf_counter()
        if left <= 0:
            return False
        time.sleep(min(self._pause, left))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        return True
