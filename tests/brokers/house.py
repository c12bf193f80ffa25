"""A broker on a real loop and real journals, with a handle on every call that reaches a journal."""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from darnerpy.brokers.datadir import DataDir
from darnerpy.brokers.local import LocalBroker
from darnerpy.brokers.stored import StoredQueue
from darnerpy.clock import SystemClock
from darnerpy.config import QueueRule, QueueSettings, Settings
from darnerpy.errors import JournalError, ServerError
from darnerpy.journals.contract import Engine, Journal
from darnerpy.journals.large import LargeFiles
from darnerpy.queues.batches import Batch, Completion, Dependent
from darnerpy.queues.items import Item
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.queue import Queue

__all__ = ["Faults", "House", "until"]

PATIENCE = 20.0


async def until(reached: Callable[[], bool]) -> None:
    """Let the loop run until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.001)


class Faults:
    """What goes wrong with calls to journals, and a record of them.

    calls: how often each was made. threads: the names of those that wrote. syncs, full: whether each
    write was synced, and whether it told everyone's whole place. broken: calls that
    fail. half_broken: calls that do their work and then fail. gate: while clear, writes wait.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.threads: list[str] = []
        self.syncs: list[bool] = []
        self.full: list[bool] = []
        self.broken: set[str] = set()
        self.half_broken: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def run(self, what: str, work: Callable[..., Any], *args: Any) -> Any:
        self.calls[what] += 1
        if what == "write":
            self.threads.append(threading.current_thread().name)
            assert self.gate.wait(PATIENCE)
        if what in self.broken:
            raise JournalError(f"{what} is broken")
        result = work(*args)
        if what in self.half_broken:
            raise JournalError(f"{what} is half broken")
        return result


class FaultyEngine:
    def __init__(self, engine: Engine, faults: Faults) -> None:
        self._engine = engine
        self._faults = faults
        self.name = engine.name
        self.on_disk = engine.on_disk

    def exists(self, directory: Path) -> bool:
        return self._engine.exists(directory)

    def open(
        self,
        directory: Path,
        name: bytes,
        large: LargeFiles,
        memory: int,
        settings: QueueSettings,
    ) -> Journal:
        how = directory, name, large, memory, settings
        journal = self._faults.run("open", self._engine.open, *how)
        return FaultyJournal(journal, self._faults)


class FaultyJournal:
    def __init__(self, journal: Journal, faults: Faults) -> None:
        self._journal = journal
        self._faults = faults
        self.habits = journal.habits
        self.can_rest = journal.can_rest

    @property
    def wants_full(self) -> bool:
        return self._journal.wants_full

    def is_quick(self, size: int, trimming: bool) -> bool:
        return self._journal.is_quick(size, trimming)

    def write(self, batch: Batch, sync: bool) -> None:
        self._faults.syncs.append(sync)
        self._faults.full.append(batch.full)
        self._faults.run("write", self._journal.write, batch, sync)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._journal, name)
        return lambda *args, **named: self._faults.run(name, partial(method, **named), *args)


class Wait:
    """A waiter, and what it got. large: where large items are: it opens them in time."""

    def __init__(
        self, open: bool = False, blocking: bool = False, large: LargeFiles | None = None
    ) -> None:
        self.handle: int | None = None
        self._large = large
        self.open = open
        self.peek = False
        self.blocking = blocking
        self.got: asyncio.Future[tuple[Item, Batch | None, OpenRead | None] | None]
        self.got = asyncio.get_running_loop().create_future()

    def reachable(self) -> bool:
        return True

    def accept(self, item: Item) -> bool:
        if item.large and self._large is not None:
            self.handle = self._large.open(item)
        return True

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        self.got.set_result((item, commit, held))

    @property
    def item(self) -> Item:
        result = self.got.result()
        assert result is not None
        return result[0]

    def end(self, error: ServerError | None) -> None:
        if error is None:
            self.got.set_result(None)
        else:
            self.got.set_exception(error)


class Promise(Dependent):
    """Ends with a commit, as a reply does."""

    def __init__(self, commit: Completion) -> None:
        self._commit = commit
        self.kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if commit.ended:
            self.release()
        else:
            commit.dependents.append(self)

    def release(self) -> None:
        if self._commit.error is None:
            self.kept.set_result(None)
        else:
            self.kept.set_exception(self._commit.error)


class House:
    """`async with House(path) as house`: on leaving, the broker is closed as the server does it.

    sync, sync_ops: of every queue for which no rule has its own.
    """

    engine = "leveldb"
    """Of all queues, unless a rule says otherwise; a fixture goes through several."""

    def __init__(self, directory: Path, faults: Faults | None = None, **settings: Any) -> None:
        self.directory = directory
        self.faults = faults or Faults()
        names = {"sync", "sync_ops"} & settings.keys()
        every: dict[str, Any] = {name: settings.pop(name) for name in names}
        every["engine"] = self.engine
        settings["queue_rules"] = QueueRule(b"*", every), *settings.get("queue_rules", ())
        self._settings = replace(Settings(data=directory), **settings)

    async def __aenter__(self) -> Self:
        self.data = DataDir(self.directory)
        loop = asyncio.get_running_loop()
        self.broker = LocalBroker(self._settings, self.data, SystemClock(), loop)
        engines = self.broker._store.engines
        for kind, engine in list(engines.items()):
            engines[kind] = FaultyEngine(engine, self.faults)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await until(lambda: self.broker.idle)
        self.broker.close()
        self.data.close()

    async def ready(self, name: bytes) -> StoredQueue:
        """The queue of a name, ready or in error."""
        stored = self.broker.create(name)
        if not stored.ready and stored.error is None:
            came = asyncio.Event()
            stored.when_ready(came.set)
            await asyncio.wait_for(came.wait(), PATIENCE)
        return stored

    async def usable(self, name: bytes) -> StoredQueue:
        stored = await self.ready(name)
        if stored.error is not None:
            raise stored.error
        return stored

    async def put(self, name: bytes, *items: bytes, sync: bool = False) -> None:
        """Put items in one turn; returns when they are acknowledged, raises if they are refused."""
        stored = await self.usable(name)
        for data in items:
            commit = stored.queue.put(data, len(data), 0, 0, sync)
        await kept(commit)

    async def put_large(self, name: bytes, data: bytes) -> None:
        stored = await self.usable(name)
        upload = stored.begin_upload()
        upload.write([data])
        upload.finish(True)
        stored.end_upload()
        await kept(stored.queue.put(None, len(data), 0, 0, large=upload.number))

    async def _read(self, name: bytes, open: bool) -> Wait | None:
        stored = await self.usable(name)
        wait = Wait(open, large=stored.large)
        stored.queue.own.line.join(wait)
        stored.queue.serve(stored.queue.own)
        stored.load(stored.queue.own)
        got = await asyncio.wait_for(wait.got, PATIENCE)
        if got is None:
            return None
        if got[1] is not None:
            await kept(got[1])
        return wait

    async def take(self, name: bytes) -> bytes | None:
        """Take the next item; returns when that is acknowledged. None: there is none."""
        wait = await self._read(name, open=False)
        if wait is None:
            return None
        item = wait.item
        if wait.handle is None:
            return item.data
        data = os.pread(wait.handle, item.size, 0)
        os.close(wait.handle)
        return data

    async def drain(self, name: bytes) -> list[bytes | None]:
        taken: list[bytes | None] = []
        while (data := await self.take(name)) is not None:
            taken.append(data)
        return taken

    async def open(self, name: bytes) -> OpenRead:
        wait = await self._read(name, open=True)
        assert wait is not None
        result = wait.got.result()
        assert result is not None
        assert result[2] is not None
        return result[2]

    def queue(self, name: bytes) -> Queue:
        return self.broker.queues[name].queue

    async def close(self, name: bytes, held: OpenRead) -> None:
        commit = self.queue(name).close(held)
        assert commit is not None
        await kept(commit)

    async def delete(self, name: bytes) -> None:
        deletion = self.broker.delete(name)
        assert deletion is not None
        await kept(deletion)


async def kept(commit: Completion) -> None:
    """Wait until what a reply depends on is true; raises if it will not be."""
    await asyncio.wait_for(Promise(commit).kept, PATIENCE)
