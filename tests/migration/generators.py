"""Data directories as Darner, Kestrel and siberite leave them, made from what is known of their formats."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from struct import pack
from typing import Any

from darnerpy.journals.leveldb import plyvel

__all__ = [
    "DarnerQueue",
    "add",
    "add_xid",
    "addx",
    "confirm_remove",
    "go_on",
    "remove",
    "remove_tentative",
    "save_xid",
    "siberite_queue",
    "snapshot",
    "unremove",
]

CHUNK = 1024


def snapshot(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that reading may not change in a directory: names, times, link counts, bytes."""
    found = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_mtime_ns, status.st_nlink, data)
    return found


# -- Darner ----------------------------------------------------------------------------------------


class DarnerQueue:
    """One queue as Darner stores it; a context, closed at its end.

    For little data only: a comparator in Python may hang when LevelDB compacts in its own thread.
    """

    def __init__(self, directory: Path, name: str, first_id: int = 0, first_chunk: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        by_kind_and_id: dict[str, Any] = {
            "comparator": _compare,
            "comparator_name": b"queue::comparator",
        }
        self.path = directory / name
        self._db = plyvel.DB(os.fspath(self.path), create_if_missing=True, **by_kind_and_id)
        self._head, self._chunks = first_id, first_chunk

    def __enter__(self) -> "DarnerQueue":
        return self

    def __exit__(self, *exception: object) -> None:
        self._db.close()

    def put(self, *items: bytes) -> None:
        for item in items:
            if len(item) > CHUNK:
                begin = self._chunks
                self.put_chunks(item)
                self.put_value(pack("<QQQ", begin, self._chunks, len(item)) + b"\x01\x00")
            else:
                self.put_value(item + b"\x00" if item.endswith(b"\x00") else item)

    def put_value(self, value: bytes) -> None:
        """An entry whose bytes are given as they are stored."""
        self._db.put(pack("<QB", self._head, 1), value)
        self._head += 1

    def put_chunks(self, item: bytes) -> None:
        """An upload of which nothing else was stored."""
        for at in range(0, len(item), CHUNK):
            self._db.put(pack("<QB", self._chunks, 2), item[at : at + CHUNK])
            self._chunks += 1

    def take(self, *ids: int) -> None:
        for item_id in ids:
            self._db.delete(pack("<QB", item_id, 1))

    def lose_chunk(self, chunk: int) -> None:
        self._db.delete(pack("<QB", chunk, 2))


def _compare(one: bytes, other: bytes) -> int:
    first, second = _order(one), _order(other)
    return (first > second) - (first < second)


def _order(key: bytes) -> tuple[bytes, int]:
    return key[8:], int.from_bytes(key[:8], "little")


# -- siberite --------------------------------------------------------------------------------------


def siberite_queue(
    directory: Path,
    name: str,
    items: Mapping[int, bytes],
    cursors: Mapping[str, int] | None = None,
    failed: Mapping[str, Iterable[bytes]] | None = None,
) -> None:
    """items: by id. cursors: the id of the last item each has read. failed: reads put aside."""
    queue = directory / name
    queue.mkdir(parents=True)
    with plyvel.DB(os.fspath(queue / name), create_if_missing=True) as database:
        for item_id, data in items.items():
            database.put(pack(">Q", item_id), data)
    with plyvel.DB(os.fspath(queue / "_.metadata"), create_if_missing=True) as database:
        for cursor, at in (cursors or {}).items():
            database.put(b"_c:" + cursor.encode(), pack(">Q", at))
        for cursor, reads in (failed or {}).items():
            for number, data in enumerate(reads, 1):
                database.put(b"_r:" + cursor.encode() + b":" + pack(">Q", number), data)


# -- Kestrel ---------------------------------------------------------------------------------------


def add(data: bytes, expiry_s: int = 0) -> bytes:
    return b"\x00" + pack("<ii", 4 + len(data), expiry_s) + data


def addx(data: bytes, created: int = 1, expiry: int = 0, kind: bytes = b"\x02") -> bytes:
    return kind + pack("<iqq", 16 + len(data), created, expiry) + data


def add_xid(xid: int, data: bytes, created: int = 1, expiry: int = 0) -> bytes:
    return addx(data, created, expiry, b"\x07" + pack("<i", xid))


def go_on(xid: int, data: bytes, created: int = 1, expiry: int = 0) -> bytes:
    """CONTINUE: one is done, another begins."""
    return addx(data, created, expiry, b"\x08" + pack("<i", xid))


def remove() -> bytes:
    return b"\x01"


def remove_tentative(xid: int = 0) -> bytes:
    """The old record, which leaves the number to be counted, or the new one, which names it."""
    return b"\x09" + pack("<i", xid) if xid else b"\x03"


def save_xid(xid: int) -> bytes:
    return b"\x04" + pack("<i", xid)


def unremove(xid: int) -> bytes:
    return b"\x05" + pack("<i", xid)


def confirm_remove(xid: int) -> bytes:
    return b"\x06" + pack("<i", xid)
