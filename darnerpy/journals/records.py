"""The bytes of a journal: keys and blocks of items. Pure. This and `marks` are the format on disk.

Keys ascend as things are written: a block of items is (first id, 1), a mark (next id, 0, batch).
A block holds the items of one batch (up to `BLOCK_BYTES`, `BLOCK_ITEMS`): a header with the format
version, the number of items, when the first was put and its offset in the queue's stream of bytes, then
per item a head, its data (before it what only some have: when it was put, if at another time, when it is
due, where it was moved from) and a CRC that covers block header, head and data, so that each item can be
trusted or mistrusted by itself, and none can be taken for another.

All is written in format 2. Format 1 is the same without an item's own times, and in marks without
leases and what is paused; it is read for ever.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import Final

from ..checksums import crc32
from ..errors import DamageError, NewerFormatError
from ..queues.batches import Batch
from ..queues.items import Item, Origin

__all__ = [
    "BLOCK",
    "BLOCK_BYTES",
    "BLOCK_HEAD_BYTES",
    "BLOCK_ITEMS",
    "CRC",
    "FORMAT",
    "FORMATS",
    "ITEM_BYTES",
    "KINDS",
    "LOST_KEY",
    "MARK",
    "MARK_KEY",
    "NAME_KEY",
    "block_count",
    "block_key",
    "decode_block",
    "decode_item",
    "encode_block",
    "encode_blocks",
    "item_seed",
    "mark_key",
    "record_size",
    "split_block_head",
    "split_key",
]

FORMAT: Final = 2
FORMATS: Final = (2, 1)
"""Those that are known, the one that is written first."""
BLOCK_BYTES: Final = 64 * 1024
BLOCK_ITEMS: Final = 1024
MARK: Final = 0  # a mark stands before the block that begins where it ends
BLOCK: Final = 1

NAME_KEY = b"\x00" * 8 + b"\xff"
LOST_KEY = NAME_KEY + b"\x01"
"""Below all items and marks: the queue's name, and the ids of which is known that they are lost."""

_KEY = Struct(">QB")
MARK_KEY = Struct(">QBQ")
_BLOCK = Struct("<BIQQ")
_ITEM = Struct("<BIIQ")
CRC = Struct("<I")
_TIME = Struct("<Q")
_LARGE = Struct("<QI")
_ORIGIN = Struct("<BQQBB")

# Every item and nearly every turn pass by these. What they read has these types: said for mypyc, too.
_pack_key: Final = _KEY.pack
_pack_crc: Final = CRC.pack
_pack_block: Final = _BLOCK.pack
_pack_item: Final = _ITEM.pack
_unpack_block: Final[Callable[[bytes], tuple[int, int, int, int]]] = _BLOCK.unpack_from
_unpack_item: Final[Callable[[bytes, int], tuple[int, int, int, int]]] = _ITEM.unpack_from
_unpack_crc: Final[Callable[[bytes, int], tuple[int]]] = CRC.unpack_from
_crc32: Final = crc32

BLOCK_HEAD_BYTES: Final = _BLOCK.size
_KEY_BYTES: Final = _KEY.size
_ITEM_HEAD_BYTES: Final = _ITEM.size
_CRC_BYTES: Final = CRC.size
ITEM_BYTES = _ITEM_HEAD_BYTES + _CRC_BYTES
"""What an item takes beside its data."""

# What the kind of an item is made of; 0 is the usual.
_KIND_LARGE: Final = 1
_KIND_MOVED: Final = 2
_KIND_PUT: Final = 4
_KIND_DUE: Final = 8
KINDS: Final = 16
_TIME_BYTES: Final = _TIME.size


def block_key(first_id: int) -> bytes:
    return _KEY.pack(first_id, BLOCK)


def mark_key(next_id: int, batch: int) -> bytes:
    return MARK_KEY.pack(next_id, MARK, batch)


def is_block_key(key: bytes) -> bool:
    """Whether it is a block's; wrong bits may have made it nobody's."""
    return len(key) == _KEY_BYTES and key[8] == BLOCK


def split_key(key: bytes) -> tuple[int, int, int]:
    """An id, `BLOCK` or `MARK`, and a mark's batch number. Raises `DamageError`."""
    if len(key) == _KEY.size and key[8] == BLOCK:
        return *_KEY.unpack(key), 0
    if len(key) == MARK_KEY.size and key[8] == MARK:
        item_id, kind, batch = MARK_KEY.unpack(key)
        return item_id, kind, batch
    raise DamageError(f"key {key[:32].hex()} is not one of a journal's")


def encode_blocks(batch: Batch) -> list[tuple[bytes, bytes]]:
    """The keys and values of a batch's items."""
    items = batch.items
    if batch.size <= BLOCK_BYTES and len(items) <= BLOCK_ITEMS:
        return [encode_block(items)] if items else []
    blocks: list[tuple[bytes, bytes]] = []
    start = 0
    while start < len(items):
        stop, size = start + 1, items[start].size
        most = min(len(items), start + BLOCK_ITEMS)
        while stop < most and size + items[stop].size <= BLOCK_BYTES:
            size += items[stop].size
            stop += 1
        blocks.append(encode_block(items[start:stop]))
        start = stop
    return blocks


def block_count(value: bytes) -> int:
    """How many items a block says it has; `decode_block` tells whether that can be believed."""
    count: int = _BLOCK.unpack_from(value)[1] if len(value) >= _BLOCK.size else 0
    return count


def record_size(item: Item, created: int) -> int:
    """Bytes of an item in a block whose first one was put at a time."""
    size = _ITEM.size + CRC.size + (_LARGE.size if item.data is None else item.size)
    size += _TIME_BYTES * ((item.created != created) + (item.due > 0))
    if item.origin is not None:
        size += _ORIGIN.size + len(item.origin.queue) + len(item.origin.consumer)
    return size


def encode_block(items: list[Item]) -> tuple[bytes, bytes]:
    """The key and value of one block; the ids and offsets of its items follow each other."""
    first = items[0]
    created = first.created
    key = _pack_key(first.id, BLOCK)
    header = _pack_block(FORMAT, len(items), created, first.offset)
    # It may be of more than 32 bits: `crc32` takes the lowest.
    seed = _crc32(key + header) + first.id
    parts = [header]
    for item in items:
        data = item.data
        if data is None or item.origin is not None or item.due or item.created != created:
            record = _encode_other(item, created)
        else:
            record = _pack_item(0, item.flags, item.size, item.expiry) + data
        parts.append(record)
        parts.append(_pack_crc(_crc32(record, seed)))
        seed += 1
    return key, b"".join(parts)


def _encode_other(item: Item, created: int) -> bytes:
    """The record of an item that is not as most are, in a block of a time; without its CRC."""
    data, kind = item.data, 0
    if data is None:
        data, kind = _LARGE.pack(item.large, item.crc), _KIND_LARGE
    if item.origin is not None:
        data, kind = _encode_origin(item.origin) + data, kind | _KIND_MOVED
    if item.due:
        data, kind = _TIME.pack(item.due) + data, kind | _KIND_DUE
    if item.created != created:
        data, kind = _TIME.pack(item.created) + data, kind | _KIND_PUT
    return _pack_item(kind, item.flags, item.size, item.expiry) + data


def decode_block(key: bytes, value: bytes) -> tuple[list[Item], int, str]:
    """The good items of a block, the id after its last one, and what is wrong ("" if nothing).

    Damage to an item's data costs that item; damage to what tells where the next one begins costs
    the rest of the block. Raises `DamageError` when no item is good, since then the header cannot be
    believed either, `NewerFormatError` for a later version's block.
    """
    item_id, _ = _KEY.unpack(key)
    try:
        version, count, created, offset = _unpack_block(value)
    except StructError:
        raise DamageError(f"block of item {item_id} is only {len(value)} bytes") from None
    stop = item_id + count
    items: list[Item]
    if version != 2 and version != 1:  # FORMATS: all pass by here
        return _decode_of_version(key, value, version)
    seed = _crc32(value[:BLOCK_HEAD_BYTES], _crc32(key)) + item_id  # as when it was encoded
    items = []
    wrong = ""
    at = BLOCK_HEAD_BYTES
    while item_id < stop:
        try:
            kind, flags, size, expiry = _unpack_item(value, at)
            begin = at + _ITEM_HEAD_BYTES
            end = begin + (_stored_size(kind, size, value, begin) if kind else size)
            (crc,) = _unpack_crc(value, end)
        except StructError:
            wrong = wrong or f"item {item_id} at byte {at} of its block is cut off"
            break
        good = crc == _crc32(value[at:end], seed)
        seed += 1
        data = value[begin:end]
        if good and not kind:
            items.append(Item(item_id, size, data, flags, created, expiry, offset))
        elif good:
            items.append(_decode_other(item_id, kind, size, data, flags, created, expiry, offset))
        else:
            wrong = wrong or f"item {item_id} at byte {at} of its block has a wrong checksum"
        offset += size
        item_id += 1
        at = end + _CRC_BYTES
    if not items:
        raise DamageError(wrong or f"block of item {item_id} holds nothing")
    return items, stop, wrong


def _decode_of_version(key: bytes, value: bytes, version: int) -> tuple[list[Item], int, str]:
    """The items' checksums cover the version: if they are right with another, only that is damaged."""
    item_id, _ = _KEY.unpack(key)
    for known in FORMATS:
        try:
            items, stop, _ = decode_block(key, bytes([known]) + value[1:])
        except DamageError:
            continue
        return items, stop, f"block of item {item_id} has a wrong version"
    text = f"block of item {item_id} has format {version}, {FORMAT} is known"
    raise NewerFormatError(text)


def _times_size(kind: int) -> int:
    return _TIME_BYTES * (bool(kind & _KIND_PUT) + bool(kind & _KIND_DUE))


def _stored_size(kind: int, size: int, value: bytes, at: int) -> int:
    """Bytes behind the head of an item that is not as most are, which begin somewhere in a block."""
    times = _times_size(kind)
    stored = times + (_LARGE.size if kind & _KIND_LARGE else size)
    return stored + (_origin_size(value, at + times) if kind & _KIND_MOVED else 0)


def _decode_other(
    item_id: int,
    kind: int,
    size: int,
    data: bytes,
    flags: int,
    created: int,
    expiry: int,
    offset: int,
) -> Item:
    """An item that is not as most are."""
    due = at = 0
    if kind & _KIND_PUT:
        (created,) = _TIME.unpack_from(data)
        at = _TIME_BYTES
    if kind & _KIND_DUE:
        (due,) = _TIME.unpack_from(data, at)
    origin = _decode_origin(data[_times_size(kind) :]) if kind & _KIND_MOVED else None
    body: bytes | None = data[len(data) - size :]
    number = crc = 0
    if kind & _KIND_LARGE:
        body, (number, crc) = None, _LARGE.unpack(data[-_LARGE.size :])
    return Item(item_id, size, body, flags, created, expiry, offset, number, origin, crc, due)


def split_block_head(value: bytes) -> tuple[int, int, int]:
    """How many items a block has, when the first was put, and its offset."""
    _, count, created, offset = _BLOCK.unpack_from(value)
    return count, created, offset


def item_seed(key: bytes, value: bytes) -> int:
    """What the checksums of a block's items begin with."""
    return crc32(value[: _BLOCK.size], crc32(key))


def decode_item(
    value: bytes, at: int, seed: int, item_id: int, created: int
) -> tuple[Item, int] | None:
    """The item of an id if it begins at some byte of a block, and where it ends; its offset is not known."""
    try:
        kind, flags, size, expiry = _unpack_item(value, at)
        begin = at + _ITEM_HEAD_BYTES
        end = begin + _stored_size(kind, size, value, begin)
        if _unpack_crc(value, end)[0] != crc32(value[at:end], seed + item_id):
            return None
    except StructError:
        return None
    data = value[begin:end]
    item = _decode_other(item_id, kind, size, data, flags, created, expiry, 0)
    return item, end + _CRC_BYTES


def _encode_origin(origin: Origin) -> bytes:
    names = (origin.queue, origin.consumer)
    head = _ORIGIN.pack(origin.why, origin.id, origin.created, *map(len, names))
    return head + b"".join(names)


def _origin_size(value: bytes, at: int) -> int:
    *_, queue, consumer = _ORIGIN.unpack_from(value, at)
    size: int = _ORIGIN.size + queue + consumer
    return size


def _decode_origin(data: bytes) -> Origin:
    why, item_id, created, queue, consumer = _ORIGIN.unpack_from(data)
    names = data[_ORIGIN.size :]
    return Origin(names[:queue], names[queue : queue + consumer], item_id, why, created)
