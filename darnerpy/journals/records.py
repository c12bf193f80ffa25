"""The bytes of a journal: keys, blocks of items, marks. Pure; the on-disk format is defined here.

Keys ascend as things are written: a block of items is (first id, 1), a mark (next id, 0, batch).
A block holds the items of one batch (up to `BLOCK_BYTES`, `BLOCK_ITEMS`): a header with the format
version, the number of items, when they were put and their offset in the queue's stream of bytes, then
per item a head, its data (after where it was moved from, if it was) and a CRC that covers block header,
head and data, so that each item can be trusted or mistrusted by itself, and none can be taken for
another. A mark ends with a CRC over key and value.
"""

from collections.abc import Sequence
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple
from zlib import crc32

from ..errors import DamageError, NewerFormatError
from ..queues.batches import Batch, Mark, Returned
from ..queues.items import Item, Origin
from ..queues.positions import Span

__all__ = [
    "BLOCK",
    "BLOCK_BYTES",
    "BLOCK_HEAD_BYTES",
    "BLOCK_ITEMS",
    "ITEM_BYTES",
    "LOST_KEY",
    "MARK",
    "MARK_BYTES",
    "NAME_KEY",
    "MarkRecord",
    "block_count",
    "block_key",
    "decode_block",
    "decode_item",
    "decode_lost",
    "decode_mark",
    "encode_block",
    "encode_blocks",
    "encode_lost",
    "encode_mark",
    "is_full_mark",
    "item_seed",
    "mark_key",
    "record_size",
    "split_block_head",
    "split_key",
]

FORMAT: Final = 1
BLOCK_BYTES: Final = 64 * 1024
BLOCK_ITEMS: Final = 1024
MARK: Final = 0  # a mark stands before the block that begins where it ends
BLOCK: Final = 1
MARK_BYTES = 100
"""What a mark that is not full costs on disk, about."""

NAME_KEY = b"\x00" * 8 + b"\xff"
LOST_KEY = NAME_KEY + b"\x01"
"""Below all items and marks: the queue's name, and the ids of which is known that they are lost."""

_KEY = Struct(">QB")
_MARK_KEY = Struct(">QBQ")
_BLOCK = Struct("<BIQQ")
_ITEM = Struct("<BIIQ")
_CRC = Struct("<I")
_LARGE = Struct("<QI")
_MARK_HEAD = Struct("<BBQQQHI")
_CONSUMER = Struct("<BQQBII")
_SPAN = Struct("<QQQQ")
_RETURNED = Struct("<QIQ")
_ORIGIN = Struct("<BQQBB")
_LOST = Struct("<QQqqB")
_PLAIN_MARK = Struct(_MARK_HEAD.format + _CONSUMER.format.removeprefix("<"))

# Every put and every turn pass by these.
_pack_key: Final = _KEY.pack
_pack_mark_key: Final = _MARK_KEY.pack
_pack_crc: Final = _CRC.pack
_pack_block: Final = _BLOCK.pack
_pack_item: Final = _ITEM.pack
_pack_plain_mark: Final = _PLAIN_MARK.pack
_crc32: Final = crc32

BLOCK_HEAD_BYTES = _BLOCK.size
ITEM_BYTES = _ITEM.size + _CRC.size
"""What an item takes beside its data."""

_KIND_LARGE, _KIND_MOVED = 1, 2  # what the kind of an item is made of; 0 is the usual


def block_key(first_id: int) -> bytes:
    return _KEY.pack(first_id, BLOCK)


def mark_key(next_id: int, batch: int) -> bytes:
    return _MARK_KEY.pack(next_id, MARK, batch)


def split_key(key: bytes) -> tuple[int, int, int]:
    """An id, `BLOCK` or `MARK`, and a mark's batch number. Raises `DamageError`."""
    if len(key) == _KEY.size and key[8] == BLOCK:
        return *_KEY.unpack(key), 0
    if len(key) == _MARK_KEY.size and key[8] == MARK:
        item_id, kind, batch = _MARK_KEY.unpack(key)
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


def record_size(item: Item) -> int:
    """Bytes of an item in its block."""
    size = _ITEM.size + _CRC.size + (_LARGE.size if item.data is None else item.size)
    if item.origin is not None:
        size += _ORIGIN.size + len(item.origin.queue) + len(item.origin.consumer)
    return size


def encode_block(items: list[Item]) -> tuple[bytes, bytes]:
    """The key and value of one block; the ids and offsets of its items follow each other, and they
    were put at one time.
    """
    first = items[0]
    key = _pack_key(first.id, BLOCK)
    header = _pack_block(FORMAT, len(items), first.created, first.offset)
    # It may be of more than 32 bits: `crc32` takes the lowest.
    seed = _crc32(key + header) + first.id
    parts = [header]
    for item in items:
        data = item.data
        if data is None or item.origin is not None:
            record = _encode_other(item)
        else:
            record = _pack_item(0, item.flags, item.size, item.expiry) + data
        parts.append(record)
        parts.append(_pack_crc(_crc32(record, seed)))
        seed += 1
    return key, b"".join(parts)


def _encode_other(item: Item) -> bytes:
    """The record of an item that is large or was moved, without its CRC."""
    data, kind = item.data, 0
    if data is None:
        data, kind = _LARGE.pack(item.large, item.crc), _KIND_LARGE
    if item.origin is not None:
        data, kind = _encode_origin(item.origin) + data, kind | _KIND_MOVED
    return _pack_item(kind, item.flags, item.size, item.expiry) + data


def decode_block(key: bytes, value: bytes) -> tuple[list[Item], int, str]:
    """The good items of a block, the id after its last one, and what is wrong ("" if nothing).

    Damage to an item's data costs that item; damage to what tells where the next one begins costs
    the rest of the block. Raises `DamageError` when no item is good, since then the header cannot be
    believed either, `NewerFormatError` for a later version's block.
    """
    item_id, _ = _KEY.unpack(key)
    try:
        version, count, created, offset = _BLOCK.unpack_from(value)
    except StructError:
        raise DamageError(f"block of item {item_id} is only {len(value)} bytes") from None
    stop = item_id + count
    items: list[Item]
    if version != FORMAT:
        try:
            items, stop, _ = decode_block(key, bytes([FORMAT]) + value[1:])
        except DamageError:
            text = f"block of item {item_id} has format {version}, {FORMAT} is known"
            raise NewerFormatError(text) from None
        # The items' checksums cover the version: only that is damaged.
        return items, stop, f"block of item {item_id} has a wrong version"
    seed = crc32(value[: _BLOCK.size], crc32(key))
    items = []
    wrong = ""
    at = _BLOCK.size
    while item_id < stop:
        try:
            kind, flags, size, expiry = _ITEM.unpack_from(value, at)
            begin = at + _ITEM.size
            stored = _LARGE.size if kind & _KIND_LARGE else size
            end = begin + stored + (_origin_size(value, begin) if kind & _KIND_MOVED else 0)
            data = value[begin:end]
            good = _CRC.unpack_from(value, end)[0] == crc32(
                data, crc32(value[at:begin], seed + item_id & 0xFFFFFFFF)
            )
        except StructError:
            wrong = wrong or f"item {item_id} at byte {at} of its block is cut off"
            break
        if good and not kind:
            items.append(Item(item_id, size, data, flags, created, expiry, offset))
        elif good:
            items.append(_decode_other(item_id, kind, size, data, flags, created, expiry, offset))
        else:
            wrong = wrong or f"item {item_id} at byte {at} of its block has a wrong checksum"
        offset += size
        item_id += 1
        at = end + _CRC.size
    if not items:
        raise DamageError(wrong or f"block of item {item_id} holds nothing")
    return items, stop, wrong


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
    """An item that is large or was moved."""
    origin = _decode_origin(data) if kind & _KIND_MOVED else None
    body: bytes | None = data[len(data) - size :]
    number = crc = 0
    if kind & _KIND_LARGE:
        body, (number, crc) = None, _LARGE.unpack(data[-_LARGE.size :])
    return Item(item_id, size, body, flags, created, expiry, offset, number, origin, crc)


def split_block_head(value: bytes) -> tuple[int, int, int]:
    """How many items a block has, when they were put, and the offset of the first."""
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
        kind, flags, size, expiry = _ITEM.unpack_from(value, at)
        begin = at + _ITEM.size
        stored = _LARGE.size if kind & _KIND_LARGE else size
        end = begin + stored + (_origin_size(value, begin) if kind & _KIND_MOVED else 0)
        data = value[begin:end]
        crc = crc32(data, crc32(value[at:begin], seed + item_id & 0xFFFFFFFF))
        if _CRC.unpack_from(value, end)[0] != crc:
            return None
    except StructError:
        return None
    item = _decode_other(item_id, kind, size, data, flags, created, expiry, 0)
    return item, end + _CRC.size


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


class MarkRecord(NamedTuple):
    """A decoded mark. full: it holds every consumer, whole, and the kept spans."""

    full: bool
    next_id: int
    next_offset: int
    trimmed: int
    marks: list[Mark]
    kept: list[Span]


def encode_mark(batch: Batch, trimmed: int) -> tuple[bytes, bytes]:
    marks, kept, next_id = batch.marks, batch.kept, batch.next_id
    key = _pack_mark_key(next_id, MARK, batch.number)
    mark = marks[0] if len(marks) == 1 else None
    if mark is None or mark.consumer or mark.spans or mark.returns or kept:
        head = FORMAT, batch.full, next_id, batch.next_offset, trimmed, len(marks), len(kept)
        body = _MARK_HEAD.pack(*head) + b"".join(map(_encode_consumer, marks)) + _encode_spans(kept)
    else:  # of the queue's own consumer, which has moved on: so are nearly all, and each turn makes one
        body = _pack_plain_mark(
            FORMAT, batch.full, next_id, batch.next_offset, trimmed, 1, 0,
            0, mark.position, mark.offset, mark.whole, 0, 0,
        )  # fmt: skip
    return key, body + _pack_crc(crc32(body, crc32(key)))


def _encode_consumer(mark: Mark) -> bytes:
    name, spans, returns = mark.consumer, mark.spans, mark.returns
    head = _CONSUMER.pack(
        len(name), mark.position, mark.offset, mark.whole, len(spans), len(returns)
    )
    back = [_RETURNED.pack(each.id, each.attempts, each.due) for each in returns]
    return head + name + _encode_spans(spans) + b"".join(back)


def _encode_spans(spans: Sequence[Span]) -> bytes:
    return b"".join([_SPAN.pack(*span) for span in spans])


def is_full_mark(key: bytes, value: bytes) -> bool:
    """Whether an entry is a mark, undamaged, and a full one: nothing before it need be read."""
    try:
        return len(key) == _MARK_KEY.size and decode_mark(key, value).full
    except (DamageError, NewerFormatError):
        return False


def decode_mark(key: bytes, value: bytes) -> MarkRecord:
    """Raises `DamageError`, or `NewerFormatError` for a later version's mark."""
    next_id, _, batch = _MARK_KEY.unpack(key)
    where = f"mark {batch} before item {next_id}"
    body = value[: -_CRC.size]
    if len(value) < _CRC.size or _CRC.unpack(value[len(body) :])[0] != crc32(body, crc32(key)):
        raise DamageError(f"{where} has a wrong checksum")
    if body and body[0] != FORMAT:
        raise NewerFormatError(f"{where} has format {body[0]}, {FORMAT} is known")
    try:
        return _decode_mark(body)
    except StructError:
        raise DamageError(f"{where} has counts that do not fit its {len(value)} bytes") from None


def _decode_mark(body: bytes) -> MarkRecord:
    """Raises `StructError` for a body that is shorter or longer than its counts say."""
    _, full, next_id, next_offset, trimmed, mark_count, kept_count = _MARK_HEAD.unpack_from(body)
    at = _MARK_HEAD.size
    marks: list[Mark] = []
    for _ in range(mark_count):
        length, position, offset, whole, span_count, count = _CONSUMER.unpack_from(body, at)
        at += _CONSUMER.size
        name = body[at : at + length]
        at += length
        spans = _decode_spans(body, at, span_count)
        at += span_count * _SPAN.size
        stop = at + count * _RETURNED.size
        returns = [Returned(*fields) for fields in _RETURNED.iter_unpack(body[at:stop])]
        at = stop
        marks.append(Mark(name, position, offset, spans, bool(whole), returns))
    kept = _decode_spans(body, at, kept_count)
    if at + kept_count * _SPAN.size != len(body):  # whatever a checksum over more of it says
        raise StructError
    return MarkRecord(bool(full), next_id, next_offset, trimmed, marks, kept)


def _decode_spans(body: bytes, at: int, count: int) -> list[Span]:
    stop = at + count * _SPAN.size
    return [Span(*fields) for fields in _SPAN.iter_unpack(body[at:stop])]


def encode_lost(lost: list[tuple[Span, bool]]) -> bytes:
    """lost: ids that are not there any more; true where damage is the cause, and no power cut can be."""
    body = bytes([FORMAT]) + b"".join(_LOST.pack(*span, damaged) for span, damaged in lost)
    return body + _CRC.pack(crc32(body, crc32(LOST_KEY)))


def decode_lost(value: bytes) -> list[tuple[Span, bool]]:
    """Raises `DamageError`, or `NewerFormatError` for what a later version wrote."""
    body = value[: -_CRC.size]
    if len(value) < _CRC.size or _CRC.unpack(value[len(body) :])[0] != crc32(body, crc32(LOST_KEY)):
        raise DamageError("the list of lost items has a wrong checksum")
    if body[:1] != bytes([FORMAT]):
        raise NewerFormatError(f"the list of lost items has format {body[0]}, {FORMAT} is known")
    return [(Span(*fields), bool(damaged)) for *fields, damaged in _LOST.iter_unpack(body[1:])]
