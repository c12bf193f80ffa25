"""For how long a command waits for what says nothing until it is done, or how far that is if somebody can
look; shown as a bar is.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .progress import Bar

__all__ = ["Busy"]

_PATIENCE_S = 1.0
_LOOK_S = 0.5


class Busy:
    """For what says nothing until it is done: a context manager that shows for how long it has gone on.

    look: called now and then, in a thread, if there is a terminal: how much of which total is done, None if
    that is not known. What it raises is nobody's business.
    """

    def __init__(
        self, title: str, look: Callable[[], tuple[int, int] | None] | None = None
    ) -> None:
        self._bar = Bar(title)
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _tick(self) -> None:
        begun = time.monotonic()
        with self._bar:
            while not self._over.wait(_LOOK_S):
                seconds = int(time.monotonic() - begun)
                if seconds < _PATIENCE_S:
                    continue
                seen = self._seen()
                if self._over.is_set():
                    break
                if seen is None:
                    self._bar.count(seconds, "s")
                else:
                    self._bar.show(*seen)

    def _seen(self) -> tuple[int, int] | None:
        try:
            return self._look() if self._look else None
        except Exception:
            return None
