"""The tables of a LevelDB, read past whatever is broken in them. Pure.

LevelDB gives up a block with one wrong bit, and a table with its index. Here checksums of blocks are
not asked: whoever reads has his own. What cannot be taken apart into entries is given as it is.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import DamageError
from .leveldb_format import (
    FOOTER_BYTES,
    TRAILER_BYTES,
    Handle,
    index_handle,
    read_entries,
    read_handle,
    read_snappy,
)

__all__ = ["Part", "read_table"]

_TAG_BYTES = 8
_PLAIN, _SNAPPY = 0, 1


class Part(NamedTuple):
    """A block. low, high: keys of which none of its own is below the one or above the other; b"" if
    that is not known. stored: its bytes, which `entries` takes apart.
    """

    low: bytes
    high: bytes
    stored: bytes

    def entries(self) -> tuple[list[tuple[bytes, int, bytes]], bytes, bool]:
        """Keys, tags and values as far as they can be told; all bytes there are; whether that is all."""
        data, whole = _unpacked(self.stored)
        found, end = read_entries(data)
        entries = []
        for key, value in found:
            if len(key) < _TAG_BYTES:
                whole = False
                continue
            tag = int.from_bytes(key[-_TAG_BYTES:], "little")
            entries.append((key[:-_TAG_BYTES], tag, value))
        return entries, data, whole and end >= 0


def read_table(data: bytes) -> Iterator[Part]:
    """All parts of a table, in order."""
    extents: list[tuple[Handle, bytes]] = []
    end = len(data)
    try:
        index = index_handle(data[-FOOTER_BYTES:])
        stored = data[index.offset : index.offset + index.size + TRAILER_BYTES]
        end = min(end, index.offset)
        for key, value in read_entries(_unpacked(stored)[0])[0]:
            handle = read_handle(value)
            if handle.offset + handle.size + TRAILER_BYTES <= end:
                extents.append((handle, key[:-_TAG_BYTES]))
    except DamageError:
        pass
    extents.sort()
    at, low = 0, b""
    for handle, high in extents:
        if handle.offset < at:
            continue
        if at < handle.offset:
            yield from _unindexed(data[at : handle.offset], low, high)
        stop = handle.offset + handle.size + TRAILER_BYTES
        yield Part(low, high, data[handle.offset : stop])
        at, low = stop, high
    if at < end:
        yield from _unindexed(data[at:end], low, b"")


def _unindexed(data: bytes, low: bytes, high: bytes) -> Iterator[Part]:
    """Blocks of which no index tells where they are: one begins where the one before ends."""
    at = 0
    while at < len(data):
        end = _end_of_block(data, at)
        yield Part(low, high, data[at:end] if end else data[at:] + bytes(TRAILER_BYTES))
        at = end or len(data)


def _end_of_block(data: bytes, at: int) -> int:
    """Behind the trailer of a block that begins here; 0 if that cannot be told."""
    out, used = read_snappy(data[at:])
    end = at + used
    if out is not None and end + TRAILER_BYTES <= len(data) and data[end] == _SNAPPY:
        return end + TRAILER_BYTES
    _, used = read_entries(data[at:], alone=False)
    end = at + used
    count = 0
    while used > 0 and end + 4 + TRAILER_BYTES <= len(data):
        if int.from_bytes(data[end : end + 4], "little") == count and count:
            if data[end + 4] == _PLAIN:
                return end + 4 + TRAILER_BYTES
            break
        count += 1
        end += 4
    return 0


def _unpacked(stored: bytes) -> tuple[bytes, bool]:
    """What a block with its trailer holds; whether that is all of it."""
    if len(stored) > TRAILER_BYTES and stored[-TRAILER_BYTES] == _SNAPPY:
        out, used = read_snappy(stored[:-TRAILER_BYTES], forgiving=True)
        return out or b"", used == len(stored) - TRAILER_BYTES
    return stored[:-TRAILER_BYTES], True
