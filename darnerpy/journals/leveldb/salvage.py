"""Winning back what LevelDB gave up, from the files that were put aside before it did.

What it has opened, or repaired, is what there is. To that is added every item and mark that the files
still hold, by their own checksums and under their own ids, unless all consumers are past them. Then it
is known which ids are lost, and whether a power cut may be the cause. Done again after it was cut off,
it comes to the same.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ...errors import DamageError, NewerFormatError
from ...queues.batches import Batch
from ...queues.items import Item
from ...queues.positions import Positions, Span
from ...units import counted
from ..contract import Recovery
from ..marks import MarkRecord, decode_lost, decode_mark, encode_lost
from ..records import (
    BLOCK_ITEMS,
    ITEM_BYTES,
    LOST_KEY,
    MARK,
    NAME_KEY,
    block_key,
    decode_block,
    encode_blocks,
    is_block_key,
    split_block_head,
    split_key,
)
from ..replay import replay
from .finding import Found, find_items, find_marks, items_of
from .remains import Doubt, Region, Remains, id_in, manifest_of, table_parts

__all__ = ["Won", "note_lost", "win_back"]

_LOWEST = block_key(1)[:-1]
_STEP = 256 * 1024
_ENDLESS = 1 << 62
_TAG_BYTES, _DELETION = 8, b"\0"  # what follows a key in tables, and how it begins if that is gone


@dataclass(slots=True)
class Won:
    """How much was won back, and how many ids are lost of those that somebody was still to get."""

    items: int = 0
    marks: int = 0
    lost: int = 0

    def __bool__(self) -> bool:
        return bool(self.items or self.marks or self.lost)

    def __str__(self) -> str:
        won = f"{counted(self.items, 'item')} and {counted(self.marks, 'mark')}"
        return f"won back: {won}; lost: {counted(self.lost, 'item')}"


def win_back(handle: Any, folder: Path, tables: list[Path] | None, repaired: bool = False) -> Won:
    """Put into an open LevelDB, unsynced, what it misses of the files in a folder: of the logs, and of
    these tables. None: the tables are all whole and in use. repaired: any entry may be wrong.
    """
    won = Won()
    remains = Remains(folder)
    regions = list(remains.regions)
    for table in tables or ():
        regions += _look_into(table, remains)
    _standing(handle)  # refuses what a later version wrote before anything is put
    won.marks = _put_marks(handle, remains, regions)
    standing = _standing(handle)
    consumers = list(standing.positions.values()) or [Positions()]
    low = min(at.position for at in consumers)
    if tables is None:
        low = max(low, _end_of_tables(handle, folder))
    stored = _Stored(handle, low, 1 if repaired else low - BLOCK_ITEMS)
    stored.untangle()
    won.items = stored.add(_items_in_logs(remains, stored))
    for table in tables or ():
        won.items += stored.add(_items_in_table(table, remains, regions))
    won.items += stored.add(_items_in_regions(regions, stored))
    if tables is not None:
        standing.next_id = max(standing.next_id, _end_of_tables(handle, folder))
    lost = list(_lost(stored, standing, consumers, remains.doubts))
    won.lost = sum(span.stop - span.first for span, _ in lost)
    note_lost(handle, lost, standing.trimmed)
    return won


# -- marks -----------------------------------------------------------------------------------------


def _look_into(table: Path, remains: Remains) -> list[Region]:
    """Take in what a table says but for its items; returns where more may lie."""
    regions = []
    for entries, region, whole in table_parts(table):
        for entry in entries:
            if not (entry.value and is_block_key(entry.key)):
                remains.take(entry)
        if not whole:
            regions.append(region)
    return regions


def _put_marks(handle: Any, remains: Remains, regions: list[Region]) -> int:
    """Put back the marks that are missing; those that are there are newer or the same. The queue's name
    and what is known to be lost as well. Raises `NewerFormatError`, and then has put nothing.
    """
    found = {entry.key: entry.value for entry in remains.newest.values() if entry.value}
    for region in regions:
        marks = find_marks(region.data)
        found.update((key, value) for key, value in marks if key not in remains.newest)
    # Nothing is put before all are looked at: one of a later version is not for us to mend.
    missing = [
        (key, value)
        for key, value in found.items()
        if _mark_in(key, value) and _mark_in(key, handle.get(key)) is None
    ]
    for value in (found.get(LOST_KEY), handle.get(LOST_KEY)):
        _known_as_lost(value)
    for key in (NAME_KEY, LOST_KEY):
        if key in found and handle.get(key) is None:
            handle.put(key, found[key])
    for key, value in missing:
        handle.put(key, value)
    return len(missing)


def _mark_in(key: bytes, value: bytes | None) -> MarkRecord | None:
    """A whole mark. Raises `NewerFormatError` for a later version's, which nobody here can go by."""
    try:
        return decode_mark(key, value) if value and split_key(key)[1] == MARK else None
    except DamageError:
        return None


def _is_mark(key: bytes, value: bytes) -> bool:
    """Whether it is a whole mark, be it a later version's."""
    try:
        return _mark_in(key, value) is not None
    except NewerFormatError:
        return True


def _standing(handle: Any) -> Recovery:
    """Where consumers stand, as the next recovery will find it."""
    found = Recovery()
    marks = []
    with handle.iterator(start=_LOWEST, reverse=True, verify_checksums=True) as entries:
        for key, value in entries:
            mark = _mark_in(key, value)
            if mark is not None:
                marks.append(mark)
                found.next_id = max(found.next_id, mark.next_id)
                found.next_offset = max(found.next_offset, mark.next_offset)
                if mark.full:
                    break
    replay(found, marks, 1)
    return found


# -- items -----------------------------------------------------------------------------------------


class _Stored:
    """The ids from one on that an open LevelDB has. spans: of them, sorted. end: the id after the last
    one that was ever heard of. start: from where on it is looked at; a block may begin before low."""

    def __init__(self, handle: Any, low: int, start: int) -> None:
        self.low = self.end = low
        self._handle = handle
        self._spans: list[tuple[int, int]] = []
        self._tangled: list[bytes] = []
        last, last_key = 0, b""
        with handle.iterator(
            start=block_key(max(1, start))[:-1], verify_checksums=True, fill_cache=False
        ) as entries:
            for key, value in entries:
                if not is_block_key(key):
                    if not _is_mark(key, value):
                        self._tangled.append(key)
                    continue
                first, stop, whole = _span_of(key, value)
                self.end = max(self.end, stop)
                if not whole:
                    self._tangled.append(key)
                    continue
                if first < last:
                    self._tangled += [last_key, key]
                self._has(first, stop)
                last, last_key = max(last, stop), key

    @property
    def stop(self) -> int:
        """The id after the last one."""
        return self._spans[-1][1] if self._spans else self.low

    def _has(self, first: int, stop: int) -> None:
        if self._spans and self._spans[-1][1] >= first:
            self._spans[-1] = (self._spans[-1][0], max(stop, self._spans[-1][1]))
        else:
            self._spans.append((first, stop))

    def wanted(self, item_id: int) -> bool:
        return any(self.missing(max(item_id, self.low), item_id + 1))

    def missing(self, first: int, stop: int) -> Iterator[tuple[int, int]]:
        """The spans within this one that it does not have."""
        at = max(0, bisect_right(self._spans, (first, _ENDLESS)) - 1)
        for begin, end in self._spans[at:]:
            if begin >= stop:
                break
            if begin > first:
                yield first, begin
            first = max(first, end)
        if first < stop:
            yield first, stop

    def add(self, found: Iterable[Found]) -> int:
        """Write what it does not have; returns how many items that were."""
        count = size = 0
        batch = self._handle.write_batch()
        for items, stop in found:
            self.end = max(self.end, stop)
            wanted = [item for item in items if self.wanted(item.id)]
            for _, run in groupby(enumerate(wanted), lambda each: each[1].id - each[0]):
                size += self._put(batch, [item for _, item in run])
            count += len(wanted)
            if size >= _STEP:
                batch.write()
                batch.clear()
                size = 0
        batch.write()
        return count

    def _put(self, batch: Any, items: list[Item]) -> int:
        size = sum(item.size for item in items if not item.large)
        blocks = Batch(0)
        blocks.items, blocks.size = items, size
        for key, value in encode_blocks(blocks):
            batch.put(key, value)
        insort(self._spans, (items[0].id, items[-1].id + 1))
        merged: list[tuple[int, int]] = []
        self._spans, spans = merged, self._spans
        for first, stop in spans:
            self._has(first, stop)
        return size + ITEM_BYTES * len(items)

    def untangle(self) -> None:
        """Make blocks hold what is whole, and each id once: a repair lets wrong bits through, and may
        bring back what was deleted.
        """
        items: dict[int, Item] = {}
        batch = self._handle.write_batch()
        for key in dict.fromkeys(self._tangled):
            if is_block_key(key):
                for item in items_of(key, self._handle.get(key) or b"").items:
                    items.setdefault(item.id, item)
            batch.delete(key)
        wanted = [items[item_id] for item_id in sorted(items)]
        for _, run in groupby(enumerate(wanted), lambda each: each[1].id - each[0]):
            self._put(batch, [item for _, item in run])
        batch.write()

    def offsets(self, first: int, stop: int) -> tuple[int, int]:
        """Where in the stream what is between begins and ends; -1 where that cannot be told."""
        begin = end = -1
        after = self._handle.get(block_key(stop))
        if after is not None:
            end = split_block_head(after)[2]
        with self._handle.iterator(
            start=_LOWEST, stop=block_key(first), reverse=True, include_stop=False
        ) as entries:
            for key, value in entries:
                if is_block_key(key):
                    items = items_of(key, value, mend=False).items
                    if items and items[-1].id + 1 == first:
                        begin = items[-1].offset + items[-1].size
                    break
        return begin, end


def _span_of(key: bytes, value: bytes) -> tuple[int, int, bool]:
    """The ids of a block, and whether all of it can be believed."""
    first = id_in(key)
    try:
        _, stop, wrong = decode_block(key, value)
    except DamageError:
        return first, first + 1, False
    except NewerFormatError:
        return first, first + 1, True
    return first, stop, not wrong


def _end_of_tables(handle: Any, folder: Path) -> int:
    """The id after the last one that was in a table, by the list of files; what the logs had comes
    after it. Of a block that is not there any more only its first id is known.
    """
    manifest = manifest_of(folder)
    end = 1
    for level in manifest.levels.values() if manifest else ():
        for table in level.values():
            key, tag = table.largest[:-_TAG_BYTES], table.largest[-_TAG_BYTES:]
            value = handle.get(key) if is_block_key(key) else None
            if value is not None:
                end = max(end, _span_of(key, value)[1])
            else:
                end = max(end, id_in(key) + (is_block_key(key) and not tag.startswith(_DELETION)))
    return end


def _items_in_logs(remains: Remains, stored: _Stored) -> Iterator[Found]:
    for key, entry in sorted(remains.newest.items()):
        if entry.value and is_block_key(key):
            stop = id_in(key) + split_block_head(entry.value)[0]
            if any(stored.missing(max(id_in(key), stored.low), stop)):
                yield items_of(key, entry.value)


def _items_in_table(table: Path, remains: Remains, regions: list[Region]) -> Iterator[Found]:
    for entries, region, whole in table_parts(table):
        for entry in entries:
            if entry.value and is_block_key(entry.key) and not remains.is_deleted(entry):
                found = items_of(entry.key, entry.value)
                if not whole and _ends_too_early(found):
                    at = region.data.index(entry.value)
                    found = items_of(entry.key, region.data[at:])
                if found.items:
                    yield found
                elif whole:  # its key may be another: it is a part of the one before
                    regions.append(region)
                    whole = False


def _ends_too_early(found: Found) -> bool:
    """Whether a block's last items are not in its value: a wrong size leaves them behind it."""
    return bool(found.items) and found.items[-1].id + 1 < found.stop


def _items_in_regions(regions: list[Region], stored: _Stored) -> Iterator[Found]:
    for region in regions:
        # Where nothing is known to follow there may be as many more as there is room for.
        stop = stored.stop + len(region.data) // ITEM_BYTES + 1
        stop = min(region.stop or stop, stop)
        # A block may begin before what is wanted of it.
        begin = max(region.first, stored.low - BLOCK_ITEMS)
        gaps = list(stored.missing(begin, stop)) or [(stop, stop)]
        for first, end in gaps:
            yield from find_items(region.data, first, end)


# -- what is lost ----------------------------------------------------------------------------------


def _lost(
    stored: _Stored, standing: Recovery, consumers: list[Positions], doubts: list[Doubt]
) -> Iterator[tuple[Span, bool]]:
    """The ids that some consumer was still to get and that are not there; whether damage alone can be
    the cause."""
    next_id = max(stored.end, standing.next_id)
    for first, stop in stored.missing(stored.low, next_id):
        begin, end = stored.offsets(first, stop)
        if stop == standing.next_id and end < 0:
            end = standing.next_offset
        end = max(end, begin, 0)
        gap = Span(first, stop, begin if begin >= 0 else end, end)
        damaged = not any(doubt.concerns(first, stop, next_id) for doubt in doubts)
        told = Positions(0)
        for at in consumers:
            for piece in at.unconfirmed(gap):
                for fresh in list(told.unconfirmed(piece)):
                    told.confirm(fresh)
                    yield fresh, damaged


def note_lost(handle: Any, lost: list[tuple[Span, bool]], trimmed: int = 0) -> None:
    """Make known for good what is lost, beside what was known before and is not trimmed since; true:
    damage alone can be the cause.
    """
    stored = _known_as_lost(handle.get(LOST_KEY))
    known = [each for each in stored if each[0].stop > trimmed]
    before = Positions(0, 0, sorted(span for span, _ in known))
    fresh = [(piece, why) for span, why in lost for piece in before.unconfirmed(span)]
    if fresh:
        batch = handle.write_batch(sync=True)
        batch.put(LOST_KEY, encode_lost(sorted(known + fresh)))
        batch.write()


def _known_as_lost(value: bytes | None) -> list[tuple[Span, bool]]:
    try:
        return decode_lost(value) if value else []
    except DamageError:
        return []
