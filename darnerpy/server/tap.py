"""The tap: a ring in the data directory, in which a server tells what happens to items.

Owns the ring: it is made when some queue is tapped, goes on after a restart, and is removed when none
is. Promises that no fault of it is the server's: a ring that cannot be made or written is given up, with one
line in the log, until the settings are read again. Who reads the ring, or does not, the server never
notices. Knows nothing of how events are found out.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..brokers.local import LocalBroker
from ..clock import Clock
from ..errors import DarnerError, MessageTooLargeError, RingError
from ..queues.events import Events
from ..ring import Ring, RingWriter
from .events import begin, encode, span_of

__all__ = ["Tap"]

log = logging.getLogger("darnerpy.tap")

_LOOK_MS: Final = 1000
"""How often to look whether the file is still in its place."""


class Tap:
    """state: off, on, or failed. told: events, since the start.

    size: of the ring. room: tells how many bytes may be written to the disk.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        broker: LocalBroker,
        clock: Clock,
        room: Callable[[], int],
    ) -> None:
        self.state = "off"
        self.told = 0
        self._path = path
        self._size = size
        self._broker = broker
        self._clock = clock
        self._room = room
        self._ring: RingWriter | None = None
        self._number = 0
        self._looked = 0
        self._inode = 0

    def switch(self, on: bool) -> None:
        """Whether there is anything to tell from now on. What has failed, or fails now, is tried again."""
        if on:
            self._check()
            if self._ring is None:
                self._begin()
        else:
            self.close()
            self._remove()
            self.state = "off"

    def close(self) -> None:
        """Tell nothing more. The ring stays: another server goes on with it."""
        self._broker.observe(None)
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()

    # -- the ring ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        try:
            self._ring, self._number = self._taken_over() or self._made()
        except (DarnerError, OSError) as error:
            self._fail(error)
        else:
            self._inode = self._path.stat().st_ino
            self.state = "on"
            log.info("telling what happens", extra={"path": self._path, "bytes": self._size})
            self._broker.observe(self._tell)
            self._tell([begin(os.getpid())])

    def _taken_over(self) -> tuple[RingWriter, int] | None:
        """The ring that is there, and the number of the next event; None if it is of no use."""
        if not self._path.exists():
            return None
        try:
            ring = Ring.create(self._path, self._size)
            try:
                return ring, self._following(ring)
            except BaseException:
                ring.close()
                raise
        except DarnerError as error:
            log.warning("the tap begins anew: %s", error)
            self._path.unlink()
            return None

    def _following(self, ring: RingWriter) -> int:
        if not ring.sequence:
            return 0
        with Ring.open(self._path, ring.sequence - 1) as last:
            return span_of(last.read(timeout=0))[1]

    def _made(self) -> tuple[RingWriter, int]:
        room = self._room()
        if room < self._size:
            raise OSError(f"{self._size} bytes are needed, {room} may be written to the disk")
        return Ring.create(self._path, self._size, mode=0o644), 0

    def _remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("cannot remove what was the tap: %s", error.strerror)

    # -- what is told ------------------------------------------------------------------------------

    def _tell(self, happened: list[Events]) -> None:
        ring = self._ring
        if ring is None:
            return
        try:
            now = self._clock.now_ms()
            ring.check()
            if not self._looked <= now < self._looked + _LOOK_MS:
                self._look(now)
            for message, count in encode(self._number, now, happened):
                self._number += count
                try:
                    ring.publish(message)
                    self.told += count
                except MessageTooLargeError:
                    pass  # whoever reads finds these numbers missing
        except Exception as error:
            self._fail(error)

    def _check(self) -> None:
        """Find out now what would be found out when there is something to tell."""
        if self._ring is not None:
            try:
                self._ring.check()
                self._look(self._clock.now_ms())
            except Exception as error:
                self._fail(error)

    def _look(self, now: int) -> None:
        """Whether the file is still in its place: else nobody would find what is told."""
        self._looked = now
        try:
            found = self._path.stat().st_ino
        except FileNotFoundError:
            found = 0
        if found != self._inode:
            raise RingError(f"{self._path} was removed or replaced")

    def _fail(self, error: Exception) -> None:
        self.state = "failed"
        log.error("the tap stops: %s", error, extra={"path": self._path})
        try:
            self.close()
        except Exception:
            log.exception("the tap cannot be closed")
