"""What a session needs from the two sides it stands between."""

from collections.abc import Callable
from typing import Protocol

from ..brokers.datadir import LEASE_KEY
from ..brokers.local import LocalBroker
from ..brokers.scheduling import Scheduler
from ..brokers.stored import StoredQueue
from ..clock import Clock
from ..config import Origins, Settings
from ..errors import ServerError
from .acts import Acts
from .counters import Counters
from .guard import Guard
from .lease_ids import LeaseIds

__all__ = ["Host", "NotReady", "Obstacle", "Outlet"]


class Obstacle:
    """Why a session cannot decide its next command yet, as bits of a number. TURN: it will, when the
    loop calls back.
    """

    WAIT = 1
    QUEUE = 2
    UPLOAD = 4
    OUTPUT = 8
    STALLED = 16
    TURN = 32
    CLOSING = 64


class NotReady(Exception):
    """A command cannot be decided before its queue is ready: no error, it is tried again."""

    def __init__(self, stored: StoredQueue) -> None:
        super().__init__(stored.name)
        self.stored = stored


class Outlet(Protocol):
    """The way to the client. paused: its input is not being read. peer: who it is, for the log."""

    paused: bool

    @property
    def peer(self) -> str: ...

    def write(self, data: bytes) -> None: ...

    def send_file(self, handle: int, size: int, done: Callable[[bool], None]) -> None:
        """Send size bytes of a file and close it; done is told whether all of them went out."""
        ...

    def keep(self, change: int) -> None:
        """So many bytes more (or less) of what the client sent are kept until they are dealt with."""
        ...

    def is_gone(self) -> bool:
        """Whether the client has hung up, also if nobody has read so far as to notice."""
        ...

    def is_reachable(self) -> bool:
        """Whether the client's machine has answered to what was last sent to it."""
        ...

    def regulate(self) -> None:
        """The session's appetite has changed: read on, or pause reading."""
        ...

    def close(self) -> None:
        """Send what was written, then close."""
        ...


class Host:
    """What all sessions of a server share.

    acts: what was done to queues as a whole. settings: as they are now; origins: where each of them comes
    from. guard: what is allowed at the moment. lease_ids: what leases are called. output_limit: bytes of
    replies a session may have unsent before it stops deciding commands.

    reload: reads the settings again, all or nothing; raises `ConfigError`. shut_down: begins to stop
    the server, as a signal would. Both raise `ServerError` until whoever runs the server sets them.
    log_lines_lost: how many could not be written. tap: its state, and how many events it has told.
    """

    __slots__ = (
        "acts",
        "broker",
        "clock",
        "counters",
        "guard",
        "lease_ids",
        "log_lines_lost",
        "origins",
        "output_limit",
        "reload",
        "scheduler",
        "settings",
        "shut_down",
        "tap",
    )

    def __init__(
        self,
        broker: LocalBroker,
        settings: Settings,
        clock: Clock,
        scheduler: Scheduler,
        guard: Guard,
    ) -> None:
        self.broker = broker
        self.settings = settings
        self.clock = clock
        self.scheduler = scheduler
        self.guard = guard
        self.acts = Acts(clock)
        self.origins = Origins(None, {}, {})
        self.lease_ids = LeaseIds(settings.data / LEASE_KEY)
        self.counters = Counters(clock.monotonic_ms())
        self.output_limit = 256 * 1024
        self.reload: Callable[[], None] = _not_available
        self.shut_down: Callable[[], None] = _not_available
        self.log_lines_lost: Callable[[], int] = int
        self.tap: Callable[[], tuple[str, int]] = lambda: ("off", 0)


def _not_available() -> None:
    raise ServerError("not available here")
