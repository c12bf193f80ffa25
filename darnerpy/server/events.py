"""The bytes of what a tap tells: one message for all events of a turn.

Owns the format (docs/tap.md), both ways. A message has a head and a block for each queue; a block has a
table of what its events have in common (kind, consumer, target), and three columns: id, size, and which row
of the table. Numbers are little-endian. All events ever told are numbered, and a message says which number
its first one has, so that whoever misses messages knows how many events were in them.
"""

import sys
from struct import Struct
from typing import Final, NamedTuple

from ..errors import DataFormatError
from ..queues import events as queue_events
from ..queues.events import Events

__all__ = ["FILE", "KINDS", "VERSION", "Event", "begin", "decode", "encode", "span_of"]

FILE: Final = "tap"
"""The ring's name in the data directory."""

VERSION: Final = 1

START: Final = len(queue_events.KINDS)
"""A server begins to tell: it was started, or told to tap. The id is its process."""

KINDS: Final = (*queue_events.KINDS, "start")

_HEAD: Final = Struct("<BxHIQQ")
"""Version, blocks, events, number of the first one, time."""

_BLOCK: Final = Struct("<BxHI")
"""Length of the queue's name, rows of the table, events. The name follows, then table and columns."""

_ROW: Final = Struct("<BBB")
"""Kind, length of the consumer's name, length of the target's. The names follow."""

_ORDER: Final = "@" if sys.byteorder == "little" else "<"

_MOST: Final = 4096
"""Events of a block, and after which a message is long enough. Few turns have so many."""

_rows: Final[dict[tuple[int, bytes, bytes], bytes]] = {}
_structs: Final[dict[int, Struct]] = {}
"""What was made once: rows that are much the same from turn to turn, and how to write so many events."""


class Event(NamedTuple):
    """number: of all that were ever told. time: when it was told, milliseconds since the epoch.

    kind: one of `KINDS`. queue: b"" of a start. consumer: b"" is the queue's own; of a put it is the one
    that it is for, b"" for all. id, size: of the item, or, for what happens to a whole consumer, how many
    items and bytes. target: the queue an item has moved to.
    """

    number: int
    time: int
    kind: str
    queue: bytes
    consumer: bytes
    id: int
    size: int
    target: bytes


def encode(number: int, time: int, happened: list[Events]) -> list[tuple[bytes, int]]:
    """Messages, mostly one, each with how many events are in it. number: of the first."""
    messages: list[tuple[bytes, int]] = []
    blocks: list[bytes] = []
    count = 0
    for events in happened:
        for part in _cut(events):
            blocks.append(_block(part))
            count += len(part.of)
            if count >= _MOST:
                messages.append((_message(number, time, count, blocks), count))
                number += count
                blocks, count = [], 0
    if blocks:
        messages.append((_message(number, time, count, blocks), count))
    return messages


def begin(pid: int) -> Events:
    """What a server tells first."""
    return Events(b"", [(START, b"", b"")], [0], [pid], [0])


def decode(message: bytes) -> list[Event]:
    """The events of a message. Raises `DataFormatError` if it is of another version."""
    blocks, _, number, time = _head(message)
    at = _HEAD.size
    found: list[Event] = []
    for _ in range(blocks):
        length, rows, count = _BLOCK.unpack_from(message, at)
        queue, at = _text(message, at + _BLOCK.size, length)
        table: list[tuple[str, bytes, bytes]] = []
        for _ in range(rows):
            kind, consumer_length, target_length = _ROW.unpack_from(message, at)
            consumer, at = _text(message, at + _ROW.size, consumer_length)
            target, at = _text(message, at, target_length)
            table.append((KINDS[kind], consumer, target))
        columns = _columns(count)
        numbers = columns.unpack_from(message, at)
        at += columns.size
        parts = numbers[:count], numbers[count : 2 * count], numbers[2 * count :]
        for item_id, size, of in zip(*parts, strict=True):
            kind_name, consumer, target = table[of]
            number += 1
            found.append(Event(number - 1, time, kind_name, queue, consumer, item_id, size, target))
    return found


def span_of(message: bytes) -> tuple[int, int]:
    """The number of the first event of a message, and that of the first one after it."""
    _, count, number, _ = _head(message)
    return number, number + count


def _cut(events: Events) -> list[Events]:
    """The same, no more than so many at a time."""
    if len(events.of) <= _MOST:
        return [events]
    found: list[Events] = []
    for start in range(0, len(events.of), _MOST):
        part = slice(start, start + _MOST)
        columns = events.of[part], events.ids[part], events.sizes[part]
        found.append(Events(events.queue, events.sorts, *columns))
    return found


def _message(number: int, time: int, count: int, blocks: list[bytes]) -> bytes:
    return _HEAD.pack(VERSION, len(blocks), count, number, time) + b"".join(blocks)


def _block(events: Events) -> bytes:
    parts = [_BLOCK.pack(len(events.queue), len(events.sorts), len(events.of)), events.queue]
    for sort in events.sorts:
        row = _rows.get(sort)
        parts.append(_row(sort) if row is None else row)
    columns = _columns(len(events.of))
    parts.append(columns.pack(*events.ids, *events.sizes, *events.of))
    return b"".join(parts)


def _row(sort: tuple[int, bytes, bytes]) -> bytes:
    if len(_rows) >= _MOST:
        _rows.clear()
    kind, consumer, target = sort
    row = _rows[sort] = _ROW.pack(kind, len(consumer), len(target)) + consumer + target
    return row


def _columns(count: int) -> Struct:
    """Ids, sizes and rows of so many events. What is native is written faster, and is the same here."""
    known = _structs.get(count)
    if known is None:
        known = _structs[count] = Struct(f"{_ORDER}{count}Q{count}Q{count}H")
    return known


def _text(message: bytes, start: int, length: int) -> tuple[bytes, int]:
    return message[start : start + length], start + length


def _head(message: bytes) -> tuple[int, int, int, int]:
    version, blocks, count, number, time = _HEAD.unpack_from(message)
    if version != VERSION:
        raise DataFormatError(
            f"the server writes events in format {version}; this darnerpy knows {VERSION}"
        )
    return blocks, count, number, time
