"""The one place that reads time.

Everything that needs to know when it is takes a `Clock`, so that tests and simulations put their own
in. There are two clocks, and each time belongs to one of them. What is stored (when an item was put,
expires, may be tried again) is on the wall clock, because it must mean the same after a restart. How
long something lasts in this process is measured on the monotonic clock, because the other may be set.
"""

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; they jump when somebody sets the clock."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since some moment before this process; they never jump."""
        ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000
