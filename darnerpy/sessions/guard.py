"""What clients may do at the moment: the server's status, and whether the disk has room.

Owns Kestrel's status: readonly refuses what changes queues, quiescent refuses reads as well,
writeavoid only tells clients to go elsewhere. Becoming stricter takes effect after a grace period,
becoming looser at once. It outlives a restart in a file of the data directory. Nothing here ever stops
a client from confirming or returning what it holds.
"""

import logging
import os
from enum import StrEnum
from pathlib import Path

from ..brokers.scheduling import Scheduler, Timer
from ..brokers.space import Space
from ..errors import NotAllowedError, ServerError
from ..journals.durable import sync_directory

__all__ = ["Guard", "Status"]

log = logging.getLogger("darnerpy.server")


class Status(StrEnum):
    """Each stricter than those before it."""

    UP = "up"
    WRITEAVOID = "writeavoid"
    READONLY = "readonly"
    QUIESCENT = "quiescent"


_ORDER = list(Status)


class Guard:
    """no_reads, no_writes, no_changes: why they are refused, None while they are not; changes are
    deleting and flushing, which need no disk. status: as last set, though it may not be in force yet.

    path: where the status is kept. grace_ms: milliseconds before a stricter status is in force.
    """

    def __init__(self, path: Path, space: Space, scheduler: Scheduler, grace_ms: int) -> None:
        self.no_reads: ServerError | None = None
        self.no_writes: ServerError | None = None
        self.no_changes: ServerError | None = None
        self.grace_ms = grace_ms
        self._path = path
        self._space = space
        self._scheduler = scheduler
        self._timer: Timer | None = None
        self.status = self._read()
        if self.status is not Status.UP:
            log.warning("status is %s, as it was before the start", self.status)
        self._in_force = self.status
        space.changed = self._decide
        self._decide()

    def set(self, status: Status) -> None:
        """Raises `ServerError` if the status cannot be kept; then it has not changed."""
        self._write(status)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.status = status
        if _ORDER.index(status) > _ORDER.index(self._in_force) and self.grace_ms:
            self._timer = self._scheduler.call_later(self.grace_ms / 1000, self._enforce)
        else:
            self._enforce()

    def _enforce(self) -> None:
        self._timer = None
        self._in_force = self.status
        self._decide()

    def _decide(self) -> None:
        status = self._in_force
        refusal = NotAllowedError(f"the server is {status}")
        self.no_reads = refusal if status is Status.QUIESCENT else None
        self.no_changes = refusal if status in (Status.READONLY, Status.QUIESCENT) else None
        self.no_writes = self.no_changes or self._space.error

    def _read(self) -> Status:
        try:
            text = self._path.read_text().strip()
        except FileNotFoundError:
            return Status.UP
        except (OSError, UnicodeDecodeError) as error:
            log.error("cannot read the status, it is up: %s", error, extra={"path": self._path})
            return Status.UP
        if text not in _ORDER:
            known = ", ".join(_ORDER)
            log.error(
                "status %r is not one of %s: it is up", text, known, extra={"path": self._path}
            )
            return Status.UP
        return Status(text)

    def _write(self, status: Status) -> None:
        draft = self._path.with_name(self._path.name + ".new")
        try:
            with draft.open("w") as file:
                file.write(status + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._path)
            sync_directory(self._path.parent)
        except OSError as error:
            raise ServerError(
                f"cannot keep the status in {self._path}: {error.strerror}"
            ) from error
