"""Appending batches to an arena: a copy into the map of the last segment, and no system call.

Owns that map, and how large the next segment is. A batch lies in one segment, whole; for one that does
not fit a new segment is begun. Who reads sees it when all of it is there. Whoever appends holds the
state's lock.
"""

import os
from typing import Any, Final

from ...queues.batches import Batch
from ...queues.items import Item
from ..marks import encode_mark
from ..records import BLOCK_BYTES, BLOCK_ITEMS, encode_block
from .files import File
from .format import (
    BLOCK,
    FOOT_BYTES,
    FULL,
    HEAD_BYTES,
    ITEM,
    LAST,
    MARK,
    NOTE_AT,
    RECORD_BYTES,
    Head,
    Note,
    encode_head,
    encode_note,
    encode_record,
    extent,
    link_to,
)
from .segments import Segment
from .state import State
from .syncing import Syncs

__all__ = ["Appender"]

_SMALLEST: Final = 64 * 1024
_PAGE: Final = 4096
_NOTE_EVERY: Final = 64 * 1024
_SMALL: Final = 4096


class Part:
    """A record that is to be appended."""

    __slots__ = ("created", "expiry", "flags", "id", "kind", "offset", "payload", "value")

    def __init__(self, kind: int, flags: int, id: int, value: int, payload: bytes) -> None:
        self.kind = kind
        self.flags = flags
        self.id = id
        self.value = value
        self.payload = payload
        self.offset = self.created = self.expiry = 0


class Appender:
    """next_id: the first id that is not written. trimmed: what marks say is deleted. full_sequence: of the
    last full mark, 0 if there is none.

    highest: no segment has a higher number.
    """

    __slots__ = (
        "_arena_size",
        "_at",
        "_full",
        "_identity",
        "_last",
        "_limit",
        "_link",
        "_map",
        "_name",
        "_next_size",
        "_noted",
        "_number",
        "_segment",
        "_state",
        "_syncs",
        "full_sequence",
        "next_id",
        "trimmed",
    )

    def __init__(
        self, state: State, syncs: Syncs, name: bytes, arena_size: int, highest: int
    ) -> None:
        self.next_id = self.trimmed = 1
        self.full_sequence = 0
        self._full: tuple[int, bytes] | None = None
        self._state = state
        self._syncs = syncs
        self._name = name
        self._arena_size = arena_size
        self._number = highest
        self._link = 0
        self._next_size = min(_SMALLEST, arena_size)
        self._segment: Segment | None = None
        self._map: Any = None
        self._identity = self._at = self._limit = self._noted = self._last = 0

    # -- segments ----------------------------------------------------------------------------------

    def resume(self, segment: Segment) -> None:
        """Go on in the last segment, which has but zeros behind its end."""
        file = self._state.files.open(segment.name, writable=True)
        try:
            mapped = file.map(writable=True)
        except BaseException:
            file.close()
            raise
        self._appends_to(segment, file, mapped)
        self._last = segment.note.last
        segment.own_from = segment.end
        if segment.note.sure_to != segment.end:
            segment.note = segment.note._replace(sure_from=segment.end, sure_to=segment.end)
        self._next_size = min(2 * segment.size, self._arena_size)

    def recovered(self, next_id: int, trimmed: int, link: int) -> None:
        """What was found in what is there. link: to the last full mark."""
        self.next_id, self.trimmed, self._link = next_id, trimmed, link

    def begin(self, first_id: int, need: int = 0) -> None:
        """Begin a new segment, in which there is room for so much."""
        state = self._state
        if self._map is None and state.segments:
            self._seal(state.segments[-1])
        size = self._next_size
        if HEAD_BYTES + need > size:
            size = -(-(HEAD_BYTES + need) // _PAGE) * _PAGE
        number = self._number + 1
        identity = int.from_bytes(os.urandom(8), "little") or 1
        segment = Segment(number, identity, size, first_id, state.sequence + 1)
        segment.end = segment.own_from = HEAD_BYTES
        segment.note = Note(0, HEAD_BYTES, HEAD_BYTES, HEAD_BYTES)
        head = Head(number, identity, size, state.sequence + 1, first_id, 0, 0, 0, self._name)
        if state.segments:
            last = state.segments[-1]
            head = head._replace(before=last.number, before_end=last.end)
        data = encode_head(head)
        file = state.files.make(segment.name, size)
        try:
            mapped = file.map(writable=True)
            mapped[: len(data)] = data
        except BaseException:
            file.close()
            state.files.remove(segment.name)
            raise
        self._number = number
        self._appends_to(segment, file, mapped)
        self._syncs.named()
        state.segments = (*state.segments, segment)
        self._next_size = min(2 * self._next_size, self._arena_size)

    def start_over(self) -> None:
        """Nothing waits, and the last record is a full mark: have it in a new segment, a small one, alone.

        There it stands twice, as one of them may be damaged.
        """
        assert self._full is not None
        number, payload = self._full
        self._next_size = min(_SMALLEST, self._arena_size)
        size = extent(len(payload))
        self.begin(self.next_id, 2 * size)
        for _ in range(2):
            at, link = self._at, self._link
            self._put(at, MARK, FULL | LAST, 0, number, self.next_id, link, 0, 0, 0, 0, payload)
            self._appended(size, 1)
            self._wrote_full(at, number, payload)

    @property
    def has_grown(self) -> bool:
        """Whether the segment is larger than the first one of a queue."""
        return self._limit > min(_SMALLEST, self._arena_size)

    def _wrote_full(self, at: int, number: int, payload: bytes) -> None:
        assert self._segment is not None
        self._link = link_to(self._segment.number, at)
        self._full = number, payload
        self.full_sequence = self._state.sequence

    def _seal(self, segment: Segment) -> None:
        """What was not whole behind the end of a segment is never to be taken for anything."""
        if segment.note.final:
            return
        file = self._state.files.open(segment.name, writable=True)
        try:
            segment.note = segment.note._replace(end=segment.end, final=True)
            file.write(NOTE_AT, encode_note(segment.note))
        finally:
            file.close()
        if not segment.unsynced:
            self._syncs.wrote(segment)

    def _appends_to(self, segment: Segment, file: File, mapped: Any) -> None:
        if self._map is not None:
            self._note(self._map, final=True)
            self._map.close()
        self._map = mapped
        self._segment = segment
        self._identity = segment.identity
        self._at = self._noted = segment.end
        self._limit = segment.size
        self._last = 0
        self._syncs.appends_to(segment, file)

    def close(self) -> None:
        """Nothing more is written to the segment: note where it ends."""
        mapped, self._map = self._map, None
        if mapped is not None:
            self._note(mapped, final=False)
            mapped.close()

    def _note(self, mapped: Any, final: bool) -> None:
        """Have the next opening find the end at once."""
        segment = self._segment
        assert segment is not None
        sure_from, sure_to = segment.note.sure_from, segment.note.sure_to
        segment.note = Note(self._last, self._at, sure_from, sure_to, final)
        note = encode_note(segment.note)
        mapped[NOTE_AT : NOTE_AT + len(note)] = note
        self._noted = self._at

    # -- batches -----------------------------------------------------------------------------------

    def append(self, batch: Batch) -> None:
        """Append a batch. Raises `OSError`; then nothing of it is there."""
        items = batch.items
        if len(items) != 1 or batch.marks or not _is_plain(items[0]):
            self._append_all(batch)
            return
        item = items[0]
        data = item.data
        assert data is not None
        size = extent(len(data))
        at = self._room(size, item.id)
        self._put(
            at, ITEM, LAST, 0, batch.number, item.id, self._link, item.offset, item.created,
            item.expiry, item.flags, data,
        )  # fmt: skip
        self._appended(size, 1)
        self.next_id = item.id + 1

    def _append_all(self, batch: Batch) -> None:
        parts, payload = _parts(batch.items), b""
        if batch.marks:
            payload = encode_mark(batch, self.trimmed)[1]
            parts.append(Part(MARK, FULL if batch.full else 0, batch.next_id, 0, payload))
        size = 0
        for part in parts:
            size += extent(len(part.payload))
        if not parts:
            return
        start = at = self._room(size, parts[0].id)
        last = len(parts) - 1
        for index, part in enumerate(parts):
            flags = part.flags | LAST if index == last else part.flags
            self._put(
                at, part.kind, flags, index, batch.number, part.id, start if index else self._link,
                part.offset, part.created, part.expiry, part.value, part.payload,
            )  # fmt: skip
            at += extent(len(part.payload))
        self._appended(size, len(parts))
        self.next_id = batch.items[-1].id + 1 if batch.items else max(self.next_id, batch.next_id)
        if batch.full:
            self._wrote_full(start, batch.number, payload)

    def _room(self, size: int, first_id: int) -> int:
        """Where so many bytes can be put."""
        if self._at + size > self._limit or self._map is None:
            self.begin(first_id, size)
        return self._at

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
        mapped = self._map
        head, foot = encode_record(
            at, kind, flags, index, self._identity, self._state.sequence + 1 + index, batch, id,
            link, offset, created, expiry, value, payload,
        )  # fmt: skip
        length = len(payload)
        begin = at + RECORD_BYTES
        if length <= _SMALL:
            mapped[at : begin + length] = head + payload
        else:
            mapped[at:begin] = head
            mapped[begin : begin + length] = payload
        end = at + extent(length)
        mapped[end - FOOT_BYTES : end] = foot

    def _appended(self, size: int, count: int) -> None:
        """A batch is there: whoever reads may see it."""
        segment, state = self._segment, self._state
        assert segment is not None
        self._last = self._at
        self._at += size
        state.sequence += count
        segment.last_sequence = state.sequence
        segment.end = self._at
        if not segment.unsynced:
            self._syncs.wrote(segment)
        if self._at - self._noted >= _NOTE_EVERY:
            self._note(self._map, final=False)


def _is_plain(item: Item) -> bool:
    """Whether its data, and the head of a record, is all there is to say."""
    return item.data is not None and item.origin is None and not item.due


def _parts(items: list[Item]) -> list[Part]:
    """The records of some items that are appended together."""
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
