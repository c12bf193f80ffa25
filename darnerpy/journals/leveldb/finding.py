"""Items and marks in bytes of which nothing else is known. Pure.

Each item's checksum covers its id, its block's head and itself, so it tells alone whether bytes are an
item; where one begins is guessed until one fits. Nothing is believed without its checksum.
"""

import re
from collections.abc import Iterator
from itertools import chain
from struct import error as StructError
from typing import NamedTuple

from ...errors import DamageError, NewerFormatError
from ...queues.items import Item
from ..marks import decode_mark
from ..records import (
    BLOCK_HEAD_BYTES,
    BLOCK_ITEMS,
    FORMATS,
    ITEM_BYTES,
    KINDS,
    block_key,
    decode_block,
    decode_item,
    item_seed,
    split_block_head,
)

__all__ = ["Found", "find_items", "find_marks", "items_of"]

_HEAD = re.compile(
    rb"(?=[\x01\x02]..\x00\x00......\x00\x00......\x00\x00)",  # format, items, time, offset: in bounds
    re.DOTALL,
)
_KEYED = re.compile(rb"(?=\x01\x09(.{8})\x01[\x00-\xff])", re.DOTALL)
"""A key of a block, as one is put by a record of a log."""
_MARK = re.compile(rb"(?=\x01\x11(.{8}\x00.{8}))", re.DOTALL)
_KEY_BYTES = 9
_MOST_BYTES = 1024 * 1024
"""No block is as large: one item of 256 KiB may be more than a block's usual 64."""
_MOST_GUESSES = 20_000
_LONGEST_NUMBER = 5
_TOO_MUCH = 1 << 48
"""As a time in milliseconds or an offset in bytes; `_HEAD` goes by it."""
_NO_ITEM = bytes(ITEM_BYTES)


class Found(NamedTuple):
    """The whole items of a block. stop: the id after the last one that it had, if there are any."""

    items: list[Item]
    stop: int


_NOTHING = Found([], 0)


def find_items(data: bytes, first: int, stop: int) -> Iterator[Found]:
    """The items that lie in some bytes, a block at a time: those of ids from first up to stop, and
    those whose keys lie before them.
    """
    done = 0
    for at, keyed in _places(data):
        if at < done:
            continue
        value = data[at : at + _MOST_BYTES]
        found = _NOTHING
        for item_id in keyed:
            found = found if found.items else items_of(block_key(item_id), value)
        if not found.items and value and value[0] in FORMATS:
            found = _guessed(value, range(first, min(stop, first + _MOST_GUESSES)))
        if items := found.items:
            yield found
            done = at + BLOCK_HEAD_BYTES + sum(item.size for item in items if not item.large)
            if first <= items[-1].id < stop:
                first = items[-1].id + 1


def _guessed(value: bytes, ids: range) -> Found:
    """The items of a block whose first is one of these, if it is whole."""
    for item_id in ids:
        key = block_key(item_id)
        if _item_at(value, BLOCK_HEAD_BYTES, key, item_id) is not None:
            return items_of(key, value, mend=False)
    return _NOTHING


def _places(data: bytes) -> list[tuple[int, list[int]]]:
    """Where blocks may begin, and the ids that their keys tell."""
    places: dict[int, list[int]] = {match.start(): [] for match in _HEAD.finditer(data)}
    for match in _KEYED.finditer(data):
        item_id = int.from_bytes(match[1], "big")
        key_end = match.start() + 2 + _KEY_BYTES
        for at in range(key_end + 1, key_end + 1 + _LONGEST_NUMBER):
            places.setdefault(at, []).append(item_id)
    return sorted(places.items())


def items_of(key: bytes, value: bytes, mend: bool = True) -> Found:
    """The whole items of a block, whatever lies between them; none if it is no block.

    mend: try what follows from one flipped bit in the block's head, too.
    """
    try:
        items, stop, wrong = decode_block(key, value)
    except DamageError:
        found = _look_through(key, value)
        return found if found.items or not mend else _mended(key, value)
    except NewerFormatError:
        return _NOTHING
    if wrong and stop - items[0].id > len(items):
        every = {item.id: item for item in chain(_look_through(key, value).items, items)}
        items = [every[item_id] for item_id in sorted(every)]
    return Found(items, stop)


def _mended(key: bytes, value: bytes) -> Found:
    head = bytearray(value[:BLOCK_HEAD_BYTES])
    for bit in range(8 * len(head)):
        head[bit // 8] ^= 1 << bit % 8
        mended = bytes(head) + value[BLOCK_HEAD_BYTES:]
        head[bit // 8] ^= 1 << bit % 8
        if _item_at(mended, BLOCK_HEAD_BYTES, key, int.from_bytes(key[:8], "big")) is not None:
            return items_of(key, mended, mend=False)
    return _NOTHING


def _look_through(key: bytes, value: bytes) -> Found:
    """Items found one by one: behind one that is damaged the next may begin anywhere."""
    try:
        count, created, offset = split_block_head(value)
    except StructError:
        return _NOTHING
    if not 0 < count <= BLOCK_ITEMS or max(created, offset) >= _TOO_MUCH:
        return _NOTHING
    seed = item_seed(key, value)
    item_id = int.from_bytes(key[:8], "big")
    stop = item_id + count
    items: list[Item] = []
    at = known = BLOCK_HEAD_BYTES
    while item_id < stop and at + ITEM_BYTES <= len(value):
        # As many as there is room for may have been lost since the last one.
        latest = min(stop, item_id + 1 + (at - known) // ITEM_BYTES)
        found = None
        if value[at] < KINDS and (at == known or value[at : at + ITEM_BYTES] != _NO_ITEM):
            for guess in range(item_id, latest):
                found = decode_item(value, at, seed, guess, created)
                if found is not None:
                    break
        if found is None:
            at += 1
            continue
        item, end = found
        offset += max(0, at - known - ITEM_BYTES * (item.id - item_id))
        item.offset = offset
        items.append(item)
        offset += item.size
        item_id = item.id + 1
        at = known = end
    return Found(items, stop)


def _item_at(value: bytes, at: int, key: bytes, item_id: int) -> Item | None:
    found = decode_item(value, at, item_seed(key, value), item_id, 0)
    return found[0] if found else None


def find_marks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the marks that lie whole in some bytes of a log."""
    for match in _MARK.finditer(data):
        at = match.start() + 2 + len(match[1])
        size = shift = 0
        for byte in data[at : at + _LONGEST_NUMBER]:
            size |= (byte & 0x7F) << shift
            shift += 7
            at += 1
            if byte < 0x80:
                break
        value = data[at : at + size]
        try:
            decode_mark(match[1], value)
        except (DamageError, NewerFormatError):
            continue
        yield match[1], value
