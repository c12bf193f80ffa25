"""All that watches a server while HTTP is on, put together: what looks, remembers, tells and counts."""

from ...brokers.meter import Meter
from ...sessions.contract import Host
from .events import Events
from .health import Health
from .history import History
from .metrics import Metrics
from .watch import Watch

__all__ = ["Monitor"]


class Monitor:
    """memory: bytes that history may take."""

    def __init__(self, host: Host, memory: int) -> None:
        self._meter = Meter(host.broker, host.clock)
        self.watch = Watch(host, self._meter)
        self.history = History(self.watch, memory)
        self.health = Health(host, self.watch)
        self.events = Events(self.watch, self.health.is_ready)
        self.metrics = Metrics(self.watch, self.events, self.health)

    def start(self) -> None:
        self._meter.start()
        self.watch.start()

    def drain(self) -> None:
        """The server stops: who asks is told so, and streams end."""
        self.health.stopping = True
        self.events.close()

    async def stop(self) -> None:
        """Nothing is looked at any more."""
        await self.watch.stop()
