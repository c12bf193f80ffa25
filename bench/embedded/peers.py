"""The libraries that are measured, each as the same few calls.

Owns what is fair: `synced` is as each library itself can promise an item on disk, `get` takes an item
for good, and confirms it where there is something to confirm. Runs in the environment of the library
that it measures, so each is imported only when it is used, and nothing else of this package is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["CONFIRMING", "OURS", "PEERS", "Library", "Peer"]


@dataclass
class Peer:
    """An open queue. What it cannot do is None."""

    put: Callable[[bytes], object]
    get: Callable[[], bytes]
    close: Callable[[], object] = lambda: None
    put_many: Callable[[list[bytes]], object] | None = None
    get_many: Callable[[int], Sequence[bytes]] | None = None


@dataclass
class Library:
    """open: in an empty directory, with or without a sync before each call returns.

    policies: which of the two it can do. about: what it is, and what it does without.
    """

    open: Callable[[str, bool], Peer]
    about: str = ""
    policies: tuple[bool, ...] = (False, True)


def _darnerpy(engine: str, reserve: bool = False) -> Callable[[str, bool], Peer]:
    def make(path: str, synced: bool) -> Peer:
        sync = "always" if synced else "never"
        queue: Any = import_module("darnerpy").Queue(path, engine=engine, sync=sync)

        def reserved() -> bytes:
            with queue.reserve() as item:
                data: bytes = item.data
                return data

        if reserve:
            return Peer(queue.put, reserved, queue.close)
        return Peer(queue.put, queue.get, queue.close, queue.put_many, queue.get_many)

    return make


def _queuelib(path: str, synced: bool) -> Peer:
    queue: Any = import_module("queuelib").FifoDiskQueue(path + "/q")
    return Peer(queue.push, queue.pop, queue.close)


def _persist_files(path: str, synced: bool) -> Peer:
    queue: Any = import_module("persistqueue").Queue(path + "/q", autosave=True)

    def get() -> bytes:
        data: bytes = queue.get()
        queue.task_done()
        return data

    return Peer(queue.put, get)


def _persist_ack(path: str, synced: bool) -> Peer:
    queue: Any = import_module("persistqueue").SQLiteAckQueue(path, auto_commit=True)

    def get() -> bytes:
        data: bytes = queue.get()
        queue.ack(data)
        return data

    return Peer(queue.put, get, queue.close)


def _litequeue(path: str, synced: bool) -> Peer:
    queue: Any = import_module("litequeue").LiteQueue(path + "/q.db")

    def get() -> bytes:
        found = queue.pop()
        queue.done(found.message_id)
        data: bytes = found.data.encode("latin-1")
        return data

    return Peer(lambda data: queue.put(data.decode("latin-1")), get, queue.close)


def _diskcache(path: str, synced: bool) -> Peer:
    queue: Any = import_module("diskcache").Deque(directory=path)
    return Peer(queue.append, queue.popleft, queue.cache.close)


class _Bytes:
    """Keeps what is put as it is."""

    def dumps(self, obj: bytes, /) -> bytes:
        return obj

    def loads(self, data: bytes, /) -> bytes:
        return data


def _localqueue(path: str, synced: bool) -> Peer:
    library: Any = import_module("localqueue")
    durability = library.DurabilityMode.DURABLE if synced else library.DurabilityMode.RELAXED
    queue = library.SimpleQueue(path + "/q.db", durability=durability, serializer=_Bytes())

    def get() -> bytes:
        job = queue.get()
        queue.ack(job)
        data: bytes = job.data
        return data

    return Peer(queue.put, get, queue.close, queue.put_many)


def _lmdb_queue(path: str, synced: bool) -> Peer:
    queue: Any = import_module("equeue").Queue(path, sync=synced)

    def get() -> bytes:
        record = queue.get(timeout=5)
        record.ack()
        data: bytes = record.payload
        return data

    return Peer(queue.put, get, queue.close)


def _leanqueue(path: str, synced: bool) -> Peer:
    queue: Any = import_module("leanqueuedb").Queue(path, 0 if synced else 1000)

    def get() -> bytes:
        found = queue.get()
        found.ack()
        data: bytes = found.body
        return data

    def get_many(number: int) -> list[bytes]:
        found = queue.get_many(number)
        queue.ack_many([each.seq for each in found])
        return [each.body for each in found]

    return Peer(queue.put, get, queue.close, queue.put_many, get_many)


def _nque(path: str, synced: bool) -> Peer:
    queue: Any = import_module("nque").FifoBasicQueueLmdb(path, items_count_max=1_000_000)

    def get() -> bytes:
        data: bytes = queue.pop(1)[0]
        return data

    return Peer(lambda data: queue.put([data]), get, put_many=queue.put, get_many=queue.pop)


def _femtoqueue(path: str, synced: bool) -> Peer:
    queue: Any = import_module("femtoqueue").FemtoQueue(path, "node", sync_after_write=synced)

    def get() -> bytes:
        task = queue.pop()
        queue.done(task)
        data: bytes = task.data
        return data

    return Peer(queue.push, get)


class _Keys:
    """Keys that ascend, for what is no queue."""

    def __init__(self) -> None:
        self._first = self._next = 0
        self._pack = struct.Struct(">Q").pack

    def new(self) -> bytes:
        self._next += 1
        return self._pack(self._next)

    def oldest(self) -> bytes:
        self._first += 1
        return self._pack(self._first)


def _lmdb(path: str, synced: bool) -> Peer:
    more = {} if synced else {"writemap": True, "map_async": True, "sync": False}
    base: Any = import_module("lmdb").open(path, map_size=4 << 30, metasync=synced, **more)
    keys = _Keys()

    def put_many(items: list[bytes]) -> None:
        with base.begin(write=True) as change:
            for data in items:
                change.put(keys.new(), data, append=True)

    def get_many(number: int) -> list[bytes]:
        with base.begin(write=True) as change:
            return [change.pop(keys.oldest()) for _ in range(number)]

    return Peer(
        lambda data: put_many([data]), lambda: get_many(1)[0], base.close, put_many, get_many
    )


def _plyvel(path: str, synced: bool) -> Peer:
    try:
        library: Any = import_module("plyvel")
    except ModuleNotFoundError:
        library = import_module("plyvel_next")
    base = library.DB(path, create_if_missing=True, compression=None)
    keys = _Keys()

    def get() -> bytes:
        key = keys.oldest()
        data: bytes = base.get(key)
        base.delete(key, sync=synced)
        return data

    def put_many(items: list[bytes]) -> None:
        with base.write_batch(sync=synced) as batch:
            for data in items:
                batch.put(keys.new(), data)

    def get_many(number: int) -> list[bytes]:
        found = []
        with base.write_batch(sync=synced) as batch:
            for _ in range(number):
                key = keys.oldest()
                found.append(base.get(key))
                batch.delete(key)
        return found

    def put(data: bytes) -> None:
        base.put(keys.new(), data, sync=synced)

    return Peer(put, get, base.close, put_many, get_many)


_NO_SYNC, _ALWAYS_SYNC = (False,), (True,)

OURS = {
    "darnerpy, arena": Library(_darnerpy("arena")),
    "darnerpy, arena, reserve": Library(
        _darnerpy("arena", reserve=True), "at least once: reserve and confirm, a commit each"
    ),
    "darnerpy, leveldb": Library(_darnerpy("leveldb")),
    "darnerpy, memory": Library(_darnerpy("memory"), "nothing outlives the process", _NO_SYNC),
}

PEERS = {
    "localqueue": Library(_localqueue, "SQLite and Rust; leases"),
    "leanqueue": Library(_leanqueue, "Rust; leases; a sync a second at least"),
    "lmdb-queue": Library(_lmdb_queue, "LMDB; leases; syncs nothing unless told"),
    "litequeue": Library(_litequeue, "SQLite; text only", _NO_SYNC),
    "persist-queue, files": Library(_persist_files, "pickles; no confirmation", _NO_SYNC),
    "persist-queue, AckQueue": Library(_persist_ack, "SQLite", _ALWAYS_SYNC),
    "diskcache.Deque": Library(_diskcache, "SQLite; no confirmation", _NO_SYNC),
    "nque": Library(_nque, "LMDB; no confirmation", _ALWAYS_SYNC),
    "femtoqueue": Library(_femtoqueue, "a file an item"),
    "queuelib": Library(_queuelib, "no confirmation, no recovery, no sync; one thread", _NO_SYNC),
    "bare lmdb": Library(_lmdb, "no queue: a put, or a get and a delete, a transaction"),
    "bare plyvel": Library(_plyvel, "no queue: a put, or a get and a delete"),
}

CONFIRMING = ("localqueue", "leanqueue", "lmdb-queue", "litequeue", "femtoqueue")
"""Those that confirm what was taken, and have all that was not after a restart."""
