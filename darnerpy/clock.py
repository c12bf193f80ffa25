"""The one place that reads time.

Everything that needs to know when it is takes a `Clock`, so that tests and simulations put their own
in. Wall-clock milliseconds, because expiry times are stored and must mean the same after a restart.
"""

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
