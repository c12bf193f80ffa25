"""The lock of whatever a program may be interrupted in: left by `with`, it is free, wherever a signal comes.

That is `threading.Lock`, but not in CPython 3.14. There a signal handler may run when the lock is taken and
the block has not begun; if it raises, as Ctrl-C does, nobody ever lets the lock go (gh-148874, not in 3.15).
Knows nothing of what is locked.
"""

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Lock"]

if sys.version_info[:2] != (3, 14):
    from threading import Lock
else:
    import _thread

    _RLock: Any = _thread.RLock  # of which is said that it has no subclasses
    _take: Callable[..., bool] = _RLock.acquire

    class Lock(_RLock):  # type: ignore[misc]
        """It knows who has it, and so whether what was interrupted had taken it. Nobody has it twice.

        How it is taken is written in Python, where what is raised can be caught; how it is let go is not,
        so that it is done before any signal is looked for.
        """

        def __enter__(self) -> bool:
            if self._is_owned():
                raise RuntimeError("this thread has the lock already; is it in a signal handler?")
            try:
                return _take(self)
            except BaseException:
                if self._is_owned():
                    self.release()
                raise

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            return not self._is_owned() and _take(self, blocking, timeout)
