"""How a thread sleeps until another one wakes it.

Owns nothing else: what is waited for is known to those who wake. Only this waiting can be interrupted by
Ctrl-C; whatever is waited for goes on.
"""

from _thread import allocate_lock
from threading import TIMEOUT_MAX
from typing import Protocol

__all__ = ["Sleeper", "ThreadSleeper"]


class Sleeper(Protocol):
    """Someone who waits. woken: what was waited for has happened. helps: until then it can do other work.

    `wake` is called with the lock of the directory held.
    """

    woken: bool
    helps: bool

    def wake(self) -> None: ...

    def reachable(self) -> bool:
        """Whether anybody would notice being woken."""
        ...


class ThreadSleeper:
    def __init__(self, helps: bool = False) -> None:
        self.woken = False
        self.helps = helps
        self._lock = allocate_lock()
        self._lock.acquire()

    def wake(self) -> None:
        if not self.woken:
            self.woken = True
            self.nudge()

    def nudge(self) -> None:
        """Have it look around, though nothing has happened yet."""
        if self._lock.locked():
            self._lock.release()

    def reachable(self) -> bool:
        return True

    def sleep(self, seconds: float | None) -> bool:
        """Sleep until woken or nudged; False if the time was up before."""
        if seconds is None:
            return self._lock.acquire()
        return self._lock.acquire(timeout=min(max(seconds, 0.0), TIMEOUT_MAX))
