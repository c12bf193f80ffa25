"""A simulated server: real codec, sessions, queues, journals; simulated time, threads, disk and clients.

Owns its lives: start, kill, power cut. Nothing in it runs by itself: `step` does one thing.
"""

import random
from collections.abc import Callable
from pathlib import Path

from ...brokers.datadir import DataDir
from ...brokers.local import LocalBroker
from ...brokers.scheduling import Scheduler
from ...brokers.store import Store
from ...clock import Clock
from ...config import Settings
from ...journals.arena.engine import ArenaEngine
from ...journals.leveldb.engine import LevelDbEngine
from ...names import from_file_name
from ...protocol import replies
from ...protocol.text import CodecLimits, TextCodec
from ...sessions.contract import Host
from ...sessions.guard import Guard
from ...sessions.session import Session
from .clockwork import Clockwork
from .disk import Disk

__all__ = ["Link", "World"]

_ROOT = Path("/nowhere")


class _Data(DataDir):
    """The directories of queues, as far as there are any."""

    def __init__(self, disk: Disk) -> None:
        self.path = _ROOT
        self.queues = _ROOT / "queues"
        self._scratch = _ROOT / ".scratch"
        self._ready = _ROOT / ".ready"
        self._as_it_is = False
        self._disk = disk

    def found(self) -> dict[Path, bytes | None]:
        return {path: from_file_name(path.name) for path in self._disk.directories(self.queues)}

    def discard(self, directory: Path) -> Path | None:
        self._disk.fail_perhaps("delete")
        self._disk.remove(directory)
        return None


class Link:
    """One connection, both ends of it: what the client sends, and `Outlet` for the session.

    heard: called with whatever the server sends. ended: the connection is over.
    """

    paused = False
    peer = "simulated"

    def __init__(self, world: "World", heard: Callable[[bytes], None]) -> None:
        self.ended = False
        self._heard = heard
        self._codec = TextCodec(CodecLimits())
        self._session = Session(world.host, self, replies.MEMCACHED)
        self._links = world.links
        self._links.append(self)

    def send(self, data: bytes) -> None:
        if not self.ended:
            self._session.receive(self._codec.feed(data))

    def hang_up(self) -> None:
        """As the loop tells a session of a connection that is lost."""
        if not self.ended:
            self.ended = True
            self._links.remove(self)
            self._session.vanish()

    def write(self, data: bytes) -> None:
        if not self.ended:
            self._heard(data)

    def send_file(self, handle: int, size: int, done: Callable[[bool], None]) -> None:
        raise NotImplementedError("items here are too small for files of their own")

    def keep(self, change: int) -> None:
        pass

    def is_gone(self) -> bool:
        return self.ended

    def is_reachable(self) -> bool:
        return True

    def regulate(self) -> None:
        pass

    def close(self) -> None:
        self.hang_up()


class World:
    """links: the connections of the life at present."""

    def __init__(self, chance: random.Random, settings: Settings, engine: str) -> None:
        self.clock = Clockwork(chance)
        self.disk = Disk(chance)
        self.links: list[Link] = []
        self._settings = settings
        self._engine = engine
        self.start()

    def start(self) -> None:
        """A new life, on what the disk holds."""
        clock = self.clock
        data = _Data(self.disk)
        self.broker = LocalBroker(self._settings, data, clock, clock, self._store)
        guard = Guard(_ROOT / "STATUS", self.broker.space, clock, 0)
        self.host = Host(self.broker, self._settings, clock, clock, guard)
        self.broker.load()

    def _store(
        self, settings: Settings, data: DataDir, clock: Clock, scheduler: Scheduler
    ) -> Store:
        store = Store(settings, data, clock, scheduler, self.clock.workers)
        # A simulated LevelDB is there as soon as it is asked for, so that there is but one kind at a time.
        if self._engine == "arena":
            del store.engines["leveldb"]
            store.engines["arena"] = ArenaEngine(self.disk.pages.folder)
        else:
            del store.engines["arena"]
            store.engines["leveldb"] = LevelDbEngine(self.disk.open)
        return store

    def kill(self, power: bool = False) -> None:
        """The process is gone, or with power the whole machine."""
        for link in self.links:
            link.ended = True
        self.links.clear()
        self.clock.forget()
        if power:
            self.disk.cut_power()

    def step(self, patience_ms: float = 50.0) -> None:
        """Do one thing; if there is none, let time pass."""
        if not self.clock.step():
            self.clock.wait(patience_ms)

    def settle(self, reached: Callable[[], bool], most: int = 100_000) -> bool:
        """Go on until it is so; False if it never is."""
        for _ in range(most):
            if reached():
                return True
            self.step()
        return False
