"""Queues on disk to be looked at: made by the parts the server has, damaged by hand."""

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from darnerpy.brokers.datadir import DataDir
from darnerpy.inspection.contents import incoming
from darnerpy.inspection.findings import QueueCheck
from darnerpy.inspection.offline import open_queue
from darnerpy.inspection.walk import Walk
from darnerpy.journals.contract import DiskEngine
from darnerpy.journals.engines import DEFAULT
from darnerpy.migration.source import Incoming
from darnerpy.migration.target import QueueWriter
from darnerpy.queues.items import DEAD, Origin
from tests.journals.kept import Kept

__all__ = [
    "LARGE",
    "Told",
    "contents",
    "data_directory",
    "fill",
    "fingerprints",
    "flip",
    "harm",
    "kept",
    "make",
    "only",
    "paused",
]

LARGE = 256 * 1024 + 1


class Told(NamedTuple):
    """What is to be kept of an item, whatever is done to its queue; readers: by name, in order."""

    data: bytes
    flags: int
    created: int
    expiry: int
    origin: Origin | None
    readers: tuple[bytes, ...]
    returns: tuple[tuple[bytes, int, int], ...]
    due: int = 0
    leases: tuple[tuple[bytes, int, int, int], ...] = ()


def data_directory(path: Path) -> Path:
    with closing(DataDir(path)):
        return path


def kept(data: Path, engine: DiskEngine = DEFAULT) -> Kept:
    """The queue `work` of a data directory, to be filled by hand; close it."""
    return Kept(data_directory(data) / "queues" / "work", engine)


def make(
    data: Path,
    name: bytes,
    consumers: Iterable[bytes],
    items: Iterable[Incoming],
    engine: DiskEngine = DEFAULT,
    paused: int = 0,
) -> None:
    """A queue with these items, put in order."""
    names = {each: each for each in consumers}
    with (
        closing(DataDir(data)) as place,
        QueueWriter(place, name, engine, names, exact=True, paused=paused) as writer,
    ):
        for item in items:
            writer.put(item, item.created)
        writer.finish()


def contents(data: Path, name: str = "work") -> list[Told]:
    """All that somebody is still to get."""
    told = []
    with open_queue(data / "queues" / name) as queue:
        everyone = sorted(queue.found.positions)
        walk = Walk(queue, QueueCheck(name), lambda done, total: None, synced=False)
        for item in incoming(queue, (each for each in walk.items() if not each.passed_over)):
            pieces = [item.data or b""] if item.pieces is None else item.pieces()
            told.append(
                Told(
                    b"".join(pieces),
                    item.flags,
                    item.created,
                    item.expiry,
                    item.origin,
                    tuple(everyone if item.readers is None else sorted(item.readers)),
                    tuple(sorted((n, r.attempts, r.due) for n, r in item.returns.items())),
                    item.due,
                    tuple(sorted((n, *lease[1:]) for n, lease in item.leases.items())),
                )
            )
    return told


def paused(data: Path, name: str = "work") -> int:
    """What of a queue is paused."""
    with open_queue(data / "queues" / name) as queue:
        return queue.found.paused


def fill(kept: Kept) -> None:
    """Of everything a queue can have, something."""
    queue = kept.queue
    for n in range(1, 41):
        kept.put(b"item %d " % n * n)
        if n == 10:
            queue.consumer(b"audit")
            queue.consumer(b"caf\xe9")
    kept.put(*(b"together %d" % n for n in range(300)))
    kept.put(b"")
    kept.put_large(b"x" * LARGE)
    queue.put(b"moved", 5, 2**32 - 1, 2**62, origin=Origin(b"graves", b"audit", 77, DEAD, 123_456))
    queue.put(b"for audit", 9, 0, 0, only=queue.consumer(b"audit"))
    kept.commit()
    kept.load()
    held = [queue.open(queue.own) for _ in range(8)]
    for number, each in enumerate(held):
        assert each is not None
        if number in (2, 3, 6):
            queue.close(each)
        elif number in (4, 5):
            queue.abort(each)
    kept.commit()
    again = queue.open(queue.own)
    assert again is not None
    queue.abort(again)
    kept.commit()


def flip(path: Path, at: int) -> None:
    """Have one bit of a file wrong."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def harm(data: Path, engine: DiskEngine, stored: bytes) -> None:
    """Have one bit wrong of something that the journal of the queue `work` holds once."""
    folder = data / "queues/work" / engine.name
    [(path, at)] = [
        (path, found.start())
        for path in folder.iterdir()
        for found in re.finditer(re.escape(stored), path.read_bytes())
    ]
    flip(path, at)


def only(directory: Path, pattern: str) -> Path:
    [path] = [path for path in directory.rglob(pattern) if path.stat().st_size]
    return path


def fingerprints(directory: Path) -> dict[str, str]:
    """Every file's name and what is in it, but for those that say who was here."""
    return {
        os.fspath(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "LOCK"
    }
