"""siberite's data directory: two databases for each queue, its items and its cursors.

They are LevelDBs as the Go version of it writes them. Items have ids in ascending order. A cursor is
the id of the last item it has read; reads that failed were put aside for it and come first. Its
cursors become consumers of the queue.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from struct import Struct

from .leveldbs import BYTEWISE, Database, database_size, is_database, open_database
from .report import QueueReport
from .source import Content, Incoming, SourceQueue

__all__ = ["SiberiteSource"]

_ID = Struct(">Q")
_CURSOR, _FAILED = b"_c:", b"_r:"
_METADATA = "_.metadata"


class SiberiteSource:
    def __init__(self, directory: Path) -> None:
        self.queues: list[SourceQueue] = []
        self.left_alone: list[str] = []
        for name in sorted(os.listdir(os.fsencode(directory))):
            path = directory / os.fsdecode(name)
            items = path / os.fsdecode(name)
            if items.is_dir() and is_database(items):
                self.queues.append(_SiberiteQueue(name, path, items))
            else:
                self.left_alone.append(
                    f"{path}: no LevelDB {items}, as every queue of siberite's is"
                )


class _SiberiteQueue:
    def __init__(self, name: bytes, path: Path, items: Path) -> None:
        self.name = name
        self.consumers: list[bytes] = []
        self.size = database_size(items)
        self._items = items
        self._cursors = path / _METADATA

    @contextmanager
    def open(self, report: QueueReport) -> Iterator[Content]:
        with ExitStack() as stack:
            items = stack.enter_context(open_database(self._items, BYTEWISE, report))
            if not (self._cursors.is_dir() and is_database(self._cursors)):
                yield Content([], _items(items, {}, report))
                return
            cursors = stack.enter_context(open_database(self._cursors, BYTEWISE, report))
            positions = _positions(cursors, items, report)
            failed = _failed(cursors, positions)
            yield Content(sorted(positions), chain(failed, _items(items, positions, report)))


def _positions(cursors: Database, items: Database, report: QueueReport) -> dict[bytes, int]:
    """The id of the item that each cursor read last."""
    positions = {}
    last = items.last_key()
    for key, value in _with_prefix(cursors, _CURSOR):
        name = key[len(_CURSOR) :]
        if len(value) != _ID.size:
            report.damage.append(f"cursor {_text(name)} has no position: it gets all items")
            value = bytes(_ID.size)
        elif last is not None and value > last:
            # siberite begins at 1 again when it restarts with an empty queue.
            at, end = int.from_bytes(value), int.from_bytes(last)
            report.notes.append(
                f"cursor {_text(name)} stood at {at} though the last item is {end}: it gets all items"
            )
            value = bytes(_ID.size)
        positions[name] = _ID.unpack(value)[0]
    return positions


def _failed(cursors: Database, positions: dict[bytes, int]) -> Iterator[Incoming]:
    for name in sorted(positions):
        prefix = _FAILED + name + b":"
        readers = frozenset({name})
        for key, value in _with_prefix(cursors, prefix):
            if len(key) == len(prefix) + _ID.size:
                yield Incoming(len(value), value, readers=readers)


def _with_prefix(database: Database, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    return database.entries(prefix, prefix[:-1] + bytes([prefix[-1] + 1]))


def _items(
    database: Database, positions: dict[bytes, int], report: QueueReport
) -> Iterator[Incoming]:
    readers = _readers(positions)
    for key, value in database.entries():
        if len(key) == _ID.size:
            yield Incoming(len(value), value, readers=readers(_ID.unpack(key)[0]))
        else:
            report.damage.append(f"key {key[:32].hex()} is no item's: it is not taken")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _readers(positions: dict[bytes, int]) -> Callable[[int], frozenset[bytes] | None]:
    """Tells who is still to get an item: the queue itself and every cursor that is before it."""
    last = max(positions.values(), default=0)

    def readers(item_id: int) -> frozenset[bytes] | None:
        if item_id > last:
            return None
        return frozenset({b"", *(name for name, at in positions.items() if at < item_id)})

    return readers
