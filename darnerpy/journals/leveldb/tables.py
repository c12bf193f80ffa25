"""The tables of a LevelDB, read past whatever is broken in them. Pure.

LevelDB gives up a block with one wrong bit, and a table with its index. Here checksums of blocks with
items are not asked: whoever reads has his own. But an index has nothing else that tells whether it is
right, and where it is not, only such blocks are believed to be where it says whose checksums agree.
What cannot be taken apart into entries is given as it is.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from ...errors import DamageError
from .format import (
    FOOTER_BYTES,
    TRAILER_BYTES,
    Handle,
    has_right_checksum,
    index_handle,
    read_entries,
    read_handle,
    read_snappy,
)

__all__ = ["Part", "read_table"]

_TAG_BYTES = 8
_PLAIN, _SNAPPY = 0, 1
_NO_FILTERS = b"\0\0\0\0\1\0\0\0\0" + bytes.fromhex("c0f2a1b0")
"""The block behind all that have entries of the database, with its trailer; the index follows it."""


class Part(NamedTuple):
    """A block. low, high: keys of which none of its own is below the one or above the other; b"" if
    that is not known. stored: its bytes, which `entries` takes apart.
    """

    low: bytes
    high: bytes
    stored: bytes

    def entries(self) -> tuple[list[tuple[bytes, int, bytes]], bytes, bool]:
        """Keys, tags and values as far as they can be told; all bytes there are; whether that is all."""
        found, data, whole = _taken_apart(self.stored)
        entries = []
        for key, value in found:
            if len(key) < _TAG_BYTES:
                whole = False
                continue
            tag = int.from_bytes(key[-_TAG_BYTES:], "little")
            entries.append((key[:-_TAG_BYTES], tag, value))
        return entries, data, whole


class _Extent(NamedTuple):
    """Where a block is. before: no key before the block is above it; after: no key behind is below it."""

    offset: int
    stop: int
    before: bytes
    after: bytes


def read_table(data: bytes) -> Iterator[Part]:
    """All parts of a table, in order."""
    extents, end = _extents(data)
    at, low = 0, b""
    for extent in sorted(extents):
        if extent.offset < at:
            continue
        if at < extent.offset:
            yield from _unindexed(data[at : extent.offset], low, extent.before)
        yield Part(low, extent.after, data[extent.offset : extent.stop])
        at, low = extent.stop, extent.after
    if at < end:
        yield from _unindexed(data[at:end], low, b"")


def _extents(data: bytes) -> tuple[list[_Extent], int]:
    """The blocks that are where the index tells, and where the last of all ends, if that is known."""
    extents: list[_Extent] = []
    end = len(data)
    try:
        index = index_handle(data[-FOOTER_BYTES:])
        stored = data[index.offset : index.offset + index.size + TRAILER_BYTES]
        believed = has_right_checksum(stored)
        if believed:
            end = min(end, index.offset)
        for key, value in _taken_apart(stored)[0]:
            with suppress(DamageError):
                extent = _extent(read_handle(value), key[:-_TAG_BYTES])
                if extent.stop <= end:
                    extents.append(extent)
    except DamageError:
        return [], end
    if not believed:
        extents = [found for each in extents if (found := _looked_at(data, each))]
    return extents, end


def _extent(handle: Handle, key: bytes) -> _Extent:
    return _Extent(handle.offset, handle.offset + handle.size + TRAILER_BYTES, key, key)


def _looked_at(data: bytes, told: _Extent) -> _Extent | None:
    """A block that a damaged index tells of, with the keys that it has itself; None if it is not there."""
    stored = data[told.offset : told.stop]
    if not has_right_checksum(stored):
        return None
    entries = Part(b"", b"", stored).entries()[0]
    return told._replace(before=entries[0][0], after=entries[-1][0]) if entries else None


def _unindexed(data: bytes, low: bytes, high: bytes) -> Iterator[Part]:
    """Blocks of which no index tells where they are: one begins where the one before ends."""
    at = 0
    while at < len(data) and not data.startswith(_NO_FILTERS, at):
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


def _taken_apart(stored: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, bool]:
    """The entries of a block with its trailer, as far as they can be told; its bytes; whether that is all."""
    body, trailer = stored[:-TRAILER_BYTES], stored[-TRAILER_BYTES:]
    compressed = trailer[:1] == bytes([_SNAPPY])
    found = _entries(body, compressed)
    # The byte that tells whether it is compressed may be the wrong one: the checksum covers it.
    other = bytes([_PLAIN if compressed else _SNAPPY])
    if not found[2] and has_right_checksum(body + other + trailer[1:]):
        return _entries(body, not compressed)
    return found


def _entries(body: bytes, compressed: bool) -> tuple[list[tuple[bytes, bytes]], bytes, bool]:
    data, whole = body, True
    if compressed:
        out, used = read_snappy(body, forgiving=True)
        data, whole = out or b"", used == len(body)
    found, end = read_entries(data)
    return found, data, whole and end >= 0
