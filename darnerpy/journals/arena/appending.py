"""Appending batches to an arena: a copy into the map of a segment, and no system call but for what is large.

A batch lies in one segment, whole; for one that does not fit a new segment is begun. Who reads sees it
when all of it is there. Owns the links from each batch to the last full mark. Whoever appends holds the
state's lock.
"""

from typing import Final

from ...checksums import crc32
from ...queues.batches import Batch
from ...queues.items import Item
from ..marks import mark_body
from ..records import BLOCK_BYTES, BLOCK_ITEMS, encode_block
from .active import Active
from .format import (
    BLOCK,
    FOOT_BYTES,
    FULL,
    ITEM,
    LAST,
    MARK,
    RECORD_BYTES,
    extent,
    link_to,
    pack_crc,
    pack_foot,
    pack_record,
)
from .spares import USUAL_MARK_BYTES, Spares
from .state import State

__all__ = ["Appender", "Part", "parts_of"]

_SMALL: Final = 4096
_LONG: Final = 32 * 1024
"""A longer payload is written by a call: that takes half as long as to have its pages mapped one by one."""

_LOW: Final = 0xFFFFFFFF
_PADDING: Final = tuple(bytes(size) for size in range(8))
_crc32: Final = crc32


class Part:
    """A record that is to be written."""

    __slots__ = ("created", "expiry", "flags", "id", "kind", "offset", "payload", "value")

    def __init__(self, kind: int, flags: int, id: int, value: int, payload: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.id = id
        self.value = value
        self.payload = payload
        self.offset = self.created = self.expiry = 0


class Appender:
    """next_id, next_offset: of what is not written. trimmed: what marks say is deleted. wants_full: see
    `Journal`.
    """

    __slots__ = (
        "_active",
        "_full",
        "_link",
        "_spares",
        "_state",
        "next_id",
        "next_offset",
        "trimmed",
        "wants_full",
    )

    def __init__(self, state: State, active: Active, spares: Spares) -> None:
        self.next_id = self.trimmed = 1
        self.next_offset = 0
        self.wants_full = False
        self._state = state
        self._active = active
        self._spares = spares
        self._full = (0, 1, 0, b"")
        self._link = 0

    def recovered(self, next_id: int, next_offset: int, trimmed: int, link: int) -> None:
        """What was found in what is there. link: to the last full mark."""
        self.next_id, self.next_offset, self.trimmed = next_id, next_offset, trimmed
        self._link = link

    def append(self, batch: Batch) -> None:
        """Append a batch. Raises `OSError`; then nothing of it is there."""
        items = batch.items
        if not items and not batch.full:
            self._append_mark(batch)
            return
        if len(items) != 1 or batch.marks or not _is_plain(items[0]):
            self._append_all(batch)
            return
        item = items[0]
        data = item.data
        assert data is not None
        size = extent(len(data))
        active = self._active
        if active.map is None or active.at + size > active.items_limit:
            self._make_room(size, item.id, item.offset, False)
        self._put(
            active.at, ITEM, LAST, 0, batch.number, item.id, self._link, item.offset, item.created,
            item.expiry, item.flags, data,
        )  # fmt: skip
        active.appended(size, 1)
        self.next_id = item.id + 1
        self.next_offset = item.offset + item.size

    def _append_mark(self, batch: Batch) -> None:
        """Of a batch that only tells where consumers are by now."""
        if not batch.marks:
            return
        payload = mark_body(batch, self.trimmed)
        size = extent(len(payload))
        active = self._active
        if active.map is None or active.at + size > active.limit:
            self._make_room(size, batch.next_id, batch.next_offset, True)
        self._put(
            active.at, MARK, LAST, 0, batch.number, batch.next_id, self._link, 0, 0, 0, 0, payload
        )
        active.appended(size, 1)
        if len(payload) > USUAL_MARK_BYTES:
            self._spares.wrote(len(payload), False)
        if active.items_limit == 0:
            self.wants_full = active.is_short_of_room

    def _append_all(self, batch: Batch) -> None:
        items = batch.items
        parts, payload = parts_of(items), b""
        if batch.marks:
            payload = mark_body(batch, self.trimmed)
            parts.append(Part(MARK, FULL if batch.full else 0, batch.next_id, 0, payload))
            self._spares.wrote(len(payload), batch.full)
        if not parts:
            return
        first_offset = items[0].offset if items else batch.next_offset
        self._append(parts, batch.number, first_offset, not items)
        if items:
            self.next_id, self.next_offset = items[-1].id + 1, items[-1].offset + items[-1].size
        if batch.full:
            self._full = (batch.number, batch.next_id, batch.next_offset, payload)

    def start_over(self) -> None:
        """Nothing waits, and the last record is a full mark: have it in a new segment, a small one, alone.

        There it stands twice, as one of them may be damaged.
        """
        number, next_id, next_offset, payload = self._full
        self._active.start_small()
        self._active.begin(next_id, next_offset, 2 * extent(len(payload)))
        for _ in range(2):
            self._append([Part(MARK, FULL, next_id, 0, payload)], number, next_offset, True)

    def _append(self, parts: list[Part], number: int, first_offset: int, only_marks: bool) -> None:
        active, size = self._active, 0
        for part in parts:
            size += extent(len(part.payload))
        if active.map is None or active.at + size > (
            active.limit if only_marks else active.items_limit
        ):
            self._make_room(size, parts[0].id, first_offset, only_marks)
        start = at = active.at
        last = len(parts) - 1
        for index, part in enumerate(parts):
            flags = part.flags | LAST if index == last else part.flags
            self._put(
                at, part.kind, flags, index, number, part.id, start if index else self._link,
                part.offset, part.created, part.expiry, part.value, part.payload,
            )  # fmt: skip
            at += extent(len(part.payload))
        active.appended(size, len(parts))
        if parts[last].flags & FULL and active.segment is not None:
            self._link = link_to(active.segment.number, start)
            self._state.full_sequence = self._state.sequence
        self.wants_full = active.is_short_of_room

    def _make_room(self, size: int, first_id: int, first_offset: int, only_marks: bool) -> None:
        """Have the segment mapped, or a new one, if so many bytes do not fit."""
        active = self._active
        if active.map is None:
            active.wake()
        limit = active.limit if only_marks else active.items_limit
        if active.map is None or active.at + size > limit:
            active.begin(first_id, first_offset, size, only_marks)

    def _put(
        self,
        at: int,
        kind: int,
        flags: int,
        index: int,
        batch: int,
        id: int,
        link: int,
        offset: int,
        created: int,
        expiry: int,
        value: int,
        payload: bytes,
    ) -> None:
        active = self._active
        mapped, length = active.map, len(payload)
        sequence = self._state.sequence + 1 + index
        head = pack_record(
            kind, flags, index, length, active.identity, sequence, batch, id, link, offset, created,
            expiry, value,
        )  # fmt: skip
        crc = _crc32(head, at & _LOW)
        foot = pack_foot(_crc32(payload, crc), sequence & _LOW)
        begin = at + RECORD_BYTES
        stop = begin + ((length + 7) & ~7)
        if length <= _SMALL:  # what is written of it in which order is nothing to its checksums
            padding = _PADDING[stop - begin - length]
            mapped[at : stop + FOOT_BYTES] = b"".join((head, pack_crc(crc), payload, padding, foot))
            return
        mapped[at:begin] = head + pack_crc(crc)
        if length <= _LONG or active.file is None:
            mapped[begin : begin + length] = payload
        else:
            active.file.write(begin, payload)
        mapped[stop : stop + FOOT_BYTES] = foot


def _is_plain(item: Item) -> bool:
    """Whether its data, and the head of a record, is all there is to say."""
    return item.data is not None and item.origin is None and not item.due


def parts_of(items: list[Item]) -> list[Part]:
    """The records of some items that follow each other."""
    parts: list[Part] = []
    start = 0
    while start < len(items):
        first = items[start]
        stop, size = start + 1, first.size
        most = min(len(items), start + BLOCK_ITEMS)
        while stop < most and size + items[stop].size <= BLOCK_BYTES:
            size += items[stop].size
            stop += 1
        data = first.data
        if stop == start + 1 and data is not None and _is_plain(first):
            part = Part(ITEM, 0, first.id, first.flags, data)
            part.offset, part.created, part.expiry = first.offset, first.created, first.expiry
        else:
            part = Part(BLOCK, 0, first.id, stop - start, encode_block(items[start:stop])[1])
        parts.append(part)
        start = stop
    return parts
