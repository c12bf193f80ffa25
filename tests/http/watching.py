"""A broker that is watched, without a server: time passes when a test says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from darnerpy.brokers.datadir import DataDir
from darnerpy.brokers.local import LocalBroker
from darnerpy.brokers.stored import StoredQueue
from darnerpy.config import QueueRule, Settings
from darnerpy.http.monitoring.monitor import Monitor
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Guard
from tests.brokers.house import until

__all__ = ["Hand", "Watching", "watching"]


class Hand:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000_000

    def now_ms(self) -> int:
        return self.now

    monotonic_ms = now_ms


class Watching:
    def __init__(self, broker: LocalBroker, host: Host, clock: Hand, memory: int) -> None:
        self.broker = broker
        self.host = host
        self.clock = clock
        self.monitor = Monitor(host, memory)

    async def queue(self, name: bytes) -> StoredQueue:
        stored = self.broker.create(name)
        if not stored.ready:
            stored.when_ready(lambda: None)
            await until(lambda: stored.ready)
        return stored

    async def put(self, name: bytes, items: int = 1) -> None:
        stored = await self.queue(name)
        for _ in range(items):
            stored.queue.put(b"x", 1, 0, 0)
        await until(lambda: self.broker.idle)

    async def take(self, name: bytes, items: int = 1) -> None:
        stored = await self.queue(name)
        for _ in range(items):
            assert stored.queue.take(stored.queue.own) is not None
        await until(lambda: self.broker.idle)

    async def delete(self, name: bytes) -> None:
        self.broker.delete(name)
        await until(lambda: name not in self.broker.queues)

    def look(self, seconds: int = 1) -> None:
        """A second passes, or more, and at the end of each is looked."""
        for _ in range(seconds):
            self.clock.now += 1000
            for _ in self.monitor.watch.look():
                pass


@contextmanager
def watching(path: Path, memory: int = 1 << 24) -> Iterator[Watching]:
    from asyncio import get_running_loop

    loop, data, clock = get_running_loop(), DataDir(path), Hand()
    rules = (QueueRule(b"*", {"engine": "memory"}),)
    settings = replace(Settings(data=path), queue_rules=rules)
    broker = LocalBroker(settings, data, clock, loop)
    host = Host(broker, settings, clock, loop, Guard(path / "STATUS", broker.space, loop, 0))
    try:
        yield Watching(broker, host, clock, memory)
    finally:
        broker.close()
        data.close()
