"""Darner's data directory: a LevelDB for each queue, in a directory that has the queue's name.

Keys are an id and a kind, ordered by kind first: entries (1) are items, each whole or, when it is
over 1024 bytes, a header that tells which chunks (2) it consists of. Every entry there is waits: one
that somebody had open was not deleted yet. Ids that are missing between others are no loss, they were
taken out of turn.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from struct import Struct

from ..errors import DamageError
from .leveldbs import Database, Order, database_size, is_database, open_database
from .report import QueueReport, count
from .source import LARGE, Content, Incoming, SourceQueue

__all__ = ["DarnerSource"]

_KEY = Struct(">BQ")
_HEADER = Struct("<QQQ2s")
_ENTRY, _CHUNK = 1, 2
_IS_HEADER = b"\x01\x00"
_LAST_ID = 2**64 - 1


def _sortable(key: bytes) -> bytes:
    """The kind, then the id; its bytes are turned round, so that they compare as numbers do."""
    return key[8:] + key[7::-1]


_ORDER = Order(b"queue::comparator", _sortable)


class DarnerSource:
    def __init__(self, directory: Path) -> None:
        self.queues: list[SourceQueue] = []
        self.left_alone: list[str] = []
        for name in sorted(os.listdir(os.fsencode(directory))):
            path = directory / os.fsdecode(name)
            if is_database(path):
                self.queues.append(_DarnerQueue(name, path))
            else:
                self.left_alone.append(f"{path}: no LevelDB, as every queue of Darner's is")


class _DarnerQueue:
    def __init__(self, name: bytes, path: Path) -> None:
        self.name = name
        self.consumers: list[bytes] = []
        self.size = database_size(path)
        self._path = path

    @contextmanager
    def open(self, report: QueueReport) -> Iterator[Content]:
        if self.name.rpartition(b".")[2].isdigit():
            deleted = self.name.rpartition(b".")[0].decode("utf-8", "backslashreplace")
            report.notes.append(f"may be what Darner kept of {deleted} after it was deleted")
        with open_database(self._path, _ORDER, report) as database:
            yield Content([], _items(database, report))


def _items(database: Database, report: QueueReport) -> Iterator[Incoming]:
    used: list[tuple[int, int]] = []
    for key, value in database.entries(_KEY.pack(_ENTRY, 0), _KEY.pack(_CHUNK, 0)):
        if len(key) != _KEY.size:
            report.damage.append(f"key {key[:32].hex()} is no item's: it is not taken")
            continue
        try:
            if value.endswith(_IS_HEADER):
                header = _header(value)
                yield _chunked(database, *header)
                _add_range(used, *header[:2])
            else:
                data = _whole(value)
                yield Incoming(len(data), data)
        except DamageError as error:
            report.damage.append(f"item {_KEY.unpack(key)[1]} is not taken: {error}")
    unused = _count_others(database, used)
    if unused:
        report.notes.append(
            f"{count(unused, 'chunk')} of unfinished uploads or damaged items left behind"
        )


def _whole(value: bytes) -> bytes:
    """The data of an item that is one value: where it ended in NUL, another was added."""
    if not value.endswith(b"\x00"):
        return value
    if len(value) > 1 and value[-2]:
        raise DamageError(f"its {len(value)} bytes end in {value[-2:].hex(' ')}")
    return value[:-1]


def _header(value: bytes) -> tuple[int, int, int]:
    """The first chunk of a large item, the one after its last, and its size."""
    if len(value) != _HEADER.size:
        raise DamageError(f"its header is {len(value)} bytes, {_HEADER.size} were expected")
    begin, end, size, _ = _HEADER.unpack(value)
    return begin, end, size


def _chunked(database: Database, begin: int, end: int, size: int) -> Incoming:
    pieces = partial(_pieces, database, begin, end, size)
    if size > LARGE:
        return Incoming(size, None, pieces=pieces)
    return Incoming(size, b"".join(pieces()))


def _pieces(database: Database, begin: int, end: int, size: int) -> Iterator[bytes]:
    found, left = 0, size
    for _, chunk in database.entries(_KEY.pack(_CHUNK, begin), _KEY.pack(_CHUNK, end)):
        found += 1
        left -= len(chunk)
        yield chunk
    if found != end - begin:
        raise DamageError(f"{found} of its chunks {begin} to {end - 1} are there")
    if left:
        raise DamageError(f"its chunks are {size - left} bytes, {size} were expected")


def _add_range(ranges: list[tuple[int, int]], begin: int, end: int) -> None:
    """Remember a range of chunks; most continue the one before."""
    if ranges and ranges[-1][1] == begin:
        ranges[-1] = (ranges[-1][0], end)
    else:
        ranges.append((begin, end))


def _count_others(database: Database, used: list[tuple[int, int]]) -> int:
    """How many chunks there are outside of these ranges."""
    others = at = 0
    for begin, end in (*sorted(used), (_LAST_ID, _LAST_ID)):
        if at < begin:
            between = database.entries(_KEY.pack(_CHUNK, at), _KEY.pack(_CHUNK, begin))
            others += sum(1 for _ in between)
        at = max(at, end)
    return others
