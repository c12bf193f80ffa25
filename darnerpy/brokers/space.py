"""Whether the disk has room for more.

Owns the watch over free space: below `min_free_disk` writes are to be refused before the disk is
full, and may go on when there is room again. Looks the more often the less there is left.
"""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import OutOfDiskError, ServerError
from .scheduling import Scheduler, Timer

__all__ = ["Space"]

log = logging.getLogger("darnerpy.broker")

_LOOK_S, _LOOK_OFTEN_S = 1.0, 0.1
_NEAR = 8
"""So many times the limit is near: then it may be passed within a second."""


class Space:
    """error: why nothing may be written now, None while there is room. changed: called when it does.

    least: see `watch`, which is to be called when there is time to look.
    """

    def __init__(self, path: Path, scheduler: Scheduler, least: int | None) -> None:
        self.error: ServerError | None = None
        self.changed: Callable[[], None] = lambda: None
        self._path = path
        self._scheduler = scheduler
        self._least = least
        self._timer: Timer | None = None

    def watch(self, least: int | None) -> None:
        """Refuse below so many free bytes from now on; None: never."""
        self.stop()
        self._least = least
        self._look()

    def room(self) -> int:
        """Bytes that may be written before it is too full; a great many if that cannot be told."""
        try:
            return max(0, self._free() - (self._least or 0))
        except OSError:
            return sys.maxsize

    def free(self) -> int:
        """Bytes that are free, whether they may be written or not; 0 if that cannot be told."""
        try:
            return self._free()
        except OSError:
            return 0

    def _free(self) -> int:
        disk = os.statvfs(self._path)
        return disk.f_bavail * disk.f_frsize

    def stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def look(self, least: int | None) -> int:
        """Look once whether so many bytes are free, None: it does not matter; how many are, about."""
        if least is None:
            self._tell(None)
            return sys.maxsize
        try:
            free = self._free()
        except OSError as error:
            log.warning("cannot tell how much disk is free: %s", error.strerror)
            free = least
        why = f"out of disk: {free} bytes are free, less than min_free_disk = {least}"
        self._tell(OutOfDiskError(why) if free < least else None)
        return free

    def _look(self) -> None:
        least = self._least
        free = self.look(least)
        if least is not None:
            wait = _LOOK_OFTEN_S if free < least * _NEAR else _LOOK_S
            self._timer = self._scheduler.call_later(wait, self._look)

    def _tell(self, error: ServerError | None) -> None:
        before, self.error = self.error, error
        if (before is None) != (error is None):
            if error is not None:
                log.error("writes are refused: %s", error, extra={"path": self._path})
            else:
                log.warning("writes are accepted again: there is disk", extra={"path": self._path})
            self.changed()
