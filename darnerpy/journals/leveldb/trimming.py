"""Deleting from a LevelDB what every consumer has confirmed, wherever that is, and giving space back.

Owns which ids are deleted already, so that each trim costs what was confirmed since the last, and what
LevelDB has still to compact. Blocks of which enough is confirmed are written anew as blocks of what is
not, in the write that deletes them: whenever it is interrupted, every item that somebody is to get is
there, and once. Knows nothing of when to trim.
"""

import time
from collections.abc import Iterator
from typing import Any

from ...errors import DamageError, NewerFormatError
from ...queues.batches import Batch
from ...queues.items import Item
from ...queues.positions import Positions, Span, joined
from ..contract import Trimmed
from ..marks import MARK_BYTES
from ..records import (
    BLOCK_BYTES,
    BLOCK_ITEMS,
    MARK,
    block_count,
    block_key,
    decode_block,
    encode_block,
    mark_key,
    record_size,
    split_block_head,
    split_key,
)
from .blocks import block_before, key_before
from .opening import Database

__all__ = ["Trimming"]

_STEP_KEYS = 1000
_STEP_BYTES = 256 * 1024
_REST_S = 0.001
_COMPACT_STEP = 32 * 1024 * 1024
_NEIGHBOURS = 1024 * 1024
"""Ranges with less than that between them are compacted as one: it is the size of a table."""
_WASTE = 3
"""A block is written anew when one part of so many of it is confirmed."""
_MARKS = 8
"""Marks are looked for among items still waiting when they may be one part of so many of them."""
_LEFT_WASTE, _LEFT_SHARE = 1024 * 1024, 64
"""Bytes of confirmed items in blocks, and the share of what waits, that are not worth a rewrite."""


class Trimming:
    """trimmed: the first block there is begins at this id, or later."""

    def __init__(self, database: Database) -> None:
        self.trimmed = 1
        self._db = database.handle
        self._gone = Positions()
        self._marks: list[bytes] = []
        self._since = (1, 0, 0)
        self._ragged: dict[int, int] = {}
        self._swept: list[Span] = []

    def recovered(self, trimmed: int, mark: tuple[bytes, int] | None) -> None:
        """The journal was opened. mark: the last full one, and the offset it was written at.

        What is deleted above `trimmed` is found out at the next trim.
        """
        self.trimmed = trimmed
        self._gone = Positions(trimmed)
        self._swept = self._gone.all_spans()
        if mark is not None:
            self.wrote_full(mark[0])
            next_id, _, number = split_key(mark[0])
            self._since = (next_id, number, mark[1])

    def wrote_full(self, key: bytes) -> None:
        """A full mark was written."""
        self._marks.append(key)

    def trim(self, full: Batch, gone: Positions, done: Trimmed, thorough: bool) -> Trimmed:
        """As `Journal.trim`; the marks are on disk. gone, done: as `confirmed_by` has them."""
        sweep = _Sweep(self._db, gone, mark_key(full.next_id, full.number), self._ragged)
        ranges = [new for span in gone.all_spans() for new in self._gone.unconfirmed(span)]
        next_id, number, offset = self._since
        if (full.number - number) * MARK_BYTES * _MARKS > full.next_offset - offset:
            ranges.append(Span(next_id, full.next_id, offset, full.next_offset))
        # So that a block is looked at once, however many spans of it were confirmed.
        for span in joined(ranges, BLOCK_BYTES, BLOCK_ITEMS):
            sweep.range(span.first, span.stop, self.trimmed)
            self._swept.append(span)
        known = list(self._marks)
        sweep.marks(full.next_id, known)
        limit = max(_LEFT_WASTE, (full.next_offset - done.size) // _LEFT_SHARE)
        if thorough:
            self._swept += sweep.ragged(limit)
        sweep.finish()
        self._gone = gone
        self._since = (full.next_id, full.number, full.next_offset)
        del self._marks[: sum(key < sweep.older for key in known)]
        self.trimmed = max(self.trimmed, min([gone.position, *self._ragged]))
        wasted = sum(self._ragged.values())
        return done._replace(deleted=sweep.deleted, wasted=wasted if wasted > limit else 0)

    def compact(self) -> None:
        """Have LevelDB let go of what was deleted since it last did."""
        ranges, self._swept = joined(self._swept, _NEIGHBOURS), []
        try:
            while ranges:
                self._compact(ranges[-1].first, ranges[-1].stop)
                ranges.pop()
        finally:
            self._swept += ranges

    def _compact(self, first: int, stop: int) -> None:
        size = self._db.approximate_size(key_before(first), block_key(stop))
        steps = max(1, -(-size // _COMPACT_STEP))
        ids = max(1, (stop - first) // steps)
        for step in range(steps):
            start = first + step * ids
            last = stop if step == steps - 1 else start + ids
            self._db.compact_range(start=key_before(start), stop=block_key(last))


class _Sweep:
    """One trim. older: of the two full marks that allow it the older; marks below it go.

    ragged: blocks of which a part is confirmed, by first id, and the bytes of that part. deleted: bytes.
    """

    def __init__(self, db: Any, gone: Positions, older: bytes, ragged: dict[int, int]) -> None:
        self.older = older
        self.deleted = 0
        self._db = db
        self._gone = gone
        self._ragged = ragged
        self._batch = db.write_batch()
        self._keys = self._bytes = 0

    def range(self, first: int, stop: int, lowest: int) -> None:
        """Delete what is not needed of the blocks that hold the ids from first up to stop."""
        before = block_before(self._db, first, lowest) if first > lowest else None
        start: bytes | None = min(before or b"\xff", mark_key(first, 0))
        # Behind it lies what was deleted before: to look for the next block would cross all of it.
        inner = self._gone.is_confirmed(stop)
        while start is not None:
            start = self._step(start, stop, inner)

    def _step(self, start: bytes, stop: int, inner: bool) -> bytes | None:
        """Go some way; returns the key to go on from, None at the end."""
        block: tuple[bytes, bytes] | None = None
        end = block_key(stop)
        seen = following = 0
        with self._db.iterator(
            start=start, stop=end, include_stop=True, verify_checksums=True, fill_cache=False
        ) as entries:
            for key, value in entries:
                if seen > _STEP_KEYS or self._bytes > _STEP_BYTES:
                    self._rest()
                    return key if block is None else block[0]
                seen += 1
                try:
                    item_id, kind, _ = split_key(key)
                except DamageError:
                    continue  # wrong bits that a repair let through
                if kind == MARK:
                    if key >= self.older:
                        following = item_id  # and all below the older mark is behind
                        break
                    self._delete(key, value)
                    continue
                if block is not None:
                    self._decide(*block, item_id)
                block = None
                if key == end:
                    break
                block = key, value
                if inner and item_id + block_count(value) >= stop:
                    break
        if block is not None:
            self._decide(*block, following)
        return None

    def marks(self, next_id: int, known: list[bytes]) -> None:
        """Delete marks at this id that are no longer needed, and of the known full ones all those."""
        with self._db.iterator(
            start=mark_key(next_id, 0),
            stop=self.older,
            include_value=False,
            verify_checksums=True,
            fill_cache=False,
        ) as keys:
            for key in keys:
                self._delete(key, b"")
                if self._keys > _STEP_KEYS:
                    self.finish()
        for key in known:
            if key < self.older:
                self._delete(key, b"")

    def ragged(self, limit: int) -> Iterator[Span]:
        """Write blocks anew until no more than so many bytes of them are confirmed; yields where."""
        left = sum(self._ragged.values())
        for first, waste in sorted(self._ragged.items(), key=lambda entry: -entry[1]):
            if left <= limit:
                return
            left -= waste
            key = block_key(first)
            value = self._db.get(key, verify_checksums=True, fill_cache=False)
            try:
                items, stop, wrong = decode_block(key, value or b"")
            except (DamageError, NewerFormatError):
                del self._ragged[first]
                continue
            if waste and not wrong:
                self._rewrite(key, value, items)
                yield Span(first, stop, items[0].offset, items[-1].offset + items[-1].size)
                if self._bytes > _STEP_BYTES:
                    self._rest()

    def finish(self) -> None:
        if self._keys:
            self._batch.write()
            self._batch.clear()
            self._keys = self._bytes = 0

    def _rest(self) -> None:
        self.finish()
        time.sleep(_REST_S)

    def _decide(self, key: bytes, value: bytes, following: int) -> None:
        """What becomes of a block; following: where the next one begins, 0 if that is not known."""
        first = split_key(key)[0]
        count = block_count(value)
        until = self._gone.next_unconfirmed(first)
        # A count may be damaged: the next block tells as well where this one ends.
        if following and until >= max(first + count, following):
            self._delete(key, value)
            self._ragged.pop(first, None)
            return
        hole = self._gone.next_span_after(first) if until == first else first
        if hole is None or hole >= first + count:
            return
        try:
            items, stop, wrong = decode_block(key, value)
        except (DamageError, NewerFormatError):
            return  # it stays: what it held cannot be told from what somebody is to get
        if until >= stop:
            self._delete(key, value)
            self._ragged.pop(first, None)
            return
        created = split_block_head(value)[1]
        waste = len(value) - sum(record_size(item, created) for item in self._survivors(items))
        if wrong or waste * _WASTE < len(value):
            self._ragged[first] = 0 if wrong else waste
        else:
            self._rewrite(key, value, items)

    def _survivors(self, items: list[Item]) -> list[Item]:
        return [item for item in items if not self._gone.is_confirmed(item.id)]

    def _rewrite(self, key: bytes, value: bytes, items: list[Item]) -> None:
        """Put blocks of what is not confirmed in the place of a block."""
        self._delete(key, value)
        self._ragged.pop(items[0].id, None)
        run: list[Item] = []
        for item in self._survivors(items):
            if run and run[-1].id + 1 != item.id:
                self._put(run)
                run = []
            run.append(item)
        self._put(run)

    def _put(self, run: list[Item]) -> None:
        key, value = encode_block(run)
        self._batch.put(key, value)
        self._bytes += len(value)

    def _delete(self, key: bytes, value: bytes) -> None:
        self._batch.delete(key)
        self._keys += 1
        self.deleted += len(key) + len(value)
