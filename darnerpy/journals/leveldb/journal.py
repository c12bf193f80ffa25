"""A journal in a LevelDB of its own, through plyvel: the default engine.

Owns one database directory. Keys only ever ascend, confirming deletes nothing, and no iterator
outlives the call that made it; what LevelDB hides (it opens damaged logs without a word, and after a
full disk it acknowledges what it will not find again) is met by our own checksums, gapless ids and by
never going on after an error. See docs/journals.md for the measurements behind it.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...errors import DamageError, JournalError
from ...queues.batches import Batch
from ...queues.items import Item, Origin
from ...queues.positions import Span
from ..contract import Block, Damage, Entry, Habits, Piece, Recovery, Standing, Trimmed
from ..copied import copied_view
from ..large import LargeFiles
from ..marks import MarkRecord, decode_lost, decode_mark, encode_mark, is_full_mark
from ..records import (
    BLOCK,
    LOST_KEY,
    NAME_KEY,
    block_key,
    decode_block,
    encode_blocks,
    is_block_key,
    split_key,
)
from ..replay import confirmed_by, replay
from .blocks import block_holding, key_before
from .opening import FAILURES, Database, journal_errors
from .salvage import note_lost
from .trimming import Trimming

__all__ = ["LevelDbJournal"]

_ORIGIN_BYTES = 64 * 1024
_BATCH_OVERHEAD: Final = 100
_COPY_STEP = 64 * 1024
_COPY_REST_S = 0.002
"""Without a rest after each step, the p99 of sets was 23 ms while 200 MB were copied; with it, 2."""


class LevelDbJournal:
    can_rest = False
    wants_full = False

    def __init__(self, database: Database, name: bytes, large: LargeFiles) -> None:
        self._large = large
        self._next_read = 0
        # Batches that were written unsynced, and how many of them are on disk all the same.
        self._written = self._synced = 0
        self._database = database
        # While one buffer is written to a table, a second one can be filled at once.
        self._quick_run = database.memory // 2
        self._run = 0
        self.habits = Habits()
        self._errors = self._database.errors
        self._db = self._database.handle
        try:
            with self._errors("open"):
                if self._db.get(NAME_KEY, verify_checksums=True) is None:
                    self._db.put(NAME_KEY, name)
        except JournalError:
            self._db.close()  # or its lock outlives this object for as long as the error is known
            raise
        self._batch = self._db.write_batch()
        self._synced_batch = self._db.write_batch(sync=True)
        self._trimming = Trimming(database)

    # -- reading -----------------------------------------------------------------------------------

    def recover(self, origins: bool = True) -> Recovery:
        found = Recovery(damage=list(self._database.damage), quarantine=self._database.quarantine)
        marks: list[MarkRecord] = []
        lowest = 0
        full: tuple[bytes, int] | None = None
        with self._errors("recover"):
            found.name = self._db.get(NAME_KEY) or b""
            for key, value in self._since_full_mark():
                try:
                    item_id, kind, number = split_key(key)
                    if kind == BLOCK:
                        items, stop, wrong = _decode(key, value)
                        if wrong:
                            found.damage.append(Damage(wrong, item_id, stop))
                        elif stop < lowest:
                            found.damage.append(Damage("items are missing", stop, lowest, True))
                        lowest = item_id
                        found.next_id = max(found.next_id, stop)
                        if items:
                            end = items[-1].offset + items[-1].size
                            found.next_offset = max(found.next_offset, end)
                        found.origins += [i.origin for i in reversed(items) if i.origin]
                        found.delays += [(i.id, i.due) for i in items if i.due]
                    else:
                        found.batch = max(found.batch, number)
                        mark = decode_mark(key, value)
                        marks.append(mark)
                        found.next_id = max(found.next_id, mark.next_id)
                        found.next_offset = max(found.next_offset, mark.next_offset)
                        if mark.full:
                            full = key, mark.next_offset
                except DamageError as error:
                    found.damage.append(Damage(str(error)))
            if full is not None and origins:
                found.origins += self._origins_before(full[0], marks[0].trimmed)
            lost = self._known_as_lost(found)
        # What told of the last items may be lost with them: their ids are not given again.
        found.next_id = max(found.next_id, *(span.stop for span, _ in lost), 1)
        replay(found, marks, lowest or 1)
        self._trimming.recovered(found.trimmed, full)
        found.lost = [each for each in lost if each[0].stop > found.trimmed]
        return found

    def _known_as_lost(self, found: Recovery) -> list[tuple[Span, Damage]]:
        stored = self._db.get(LOST_KEY, verify_checksums=True)
        try:
            lost = decode_lost(stored) if stored else []
        except DamageError as error:
            found.damage.append(Damage(str(error)))
            return []
        return [
            (span, Damage("lost to damage", span.first, span.stop, missing=not damaged))
            for span, damaged in lost
        ]

    def _since_full_mark(self) -> Iterator[tuple[bytes, bytes]]:
        """What was written since the last full mark, the newest first; all if there is none."""
        with self._db.iterator(
            start=key_before(1), reverse=True, verify_checksums=True, fill_cache=False
        ) as entries:
            for key, value in entries:
                yield key, value
                if is_full_mark(key, value):
                    return

    def _origins_before(self, mark: bytes, trimmed: int) -> list[Origin]:
        """Where the last items before a full mark came from, the newest first, as far as it is cheap."""
        origins: list[Origin] = []
        size = 0
        with self._db.iterator(
            start=key_before(trimmed),
            stop=mark,
            reverse=True,
            verify_checksums=True,
            fill_cache=False,
        ) as entries:
            for key, value in entries:
                size += len(value)
                if size > _ORIGIN_BYTES:
                    break
                if is_block_key(key):
                    origins += [i.origin for i in reversed(_decode(key, value)[0]) if i.origin]
        return origins

    def read(self, first: int, stop: int, max_bytes: int) -> Piece:
        piece = Piece([], first)
        size = 0
        offset: int | None = None
        with self._errors("read"):
            start = block_key(first)
            if first != self._next_read:
                start = block_holding(self._db, first, self._trimming.trimmed)
            with self._db.iterator(
                start=start, stop=block_key(stop), verify_checksums=True, fill_cache=False
            ) as entries:
                for key, value in entries:
                    if key[-1] != BLOCK or len(key) != len(start):
                        continue  # a mark, or what a repair let through
                    taken = len(piece.items)
                    offset = self._take_block(piece, key, value, stop, offset)
                    size += len(value) + self._check_files(piece, taken)
                    enough = size >= max_bytes and piece.stop > first
                    if enough or piece.stop >= stop:
                        break
                else:
                    if piece.stop < stop:
                        at = -1 if offset is None else offset
                        span = Span(piece.stop, stop, at, at)
                        piece.lost.append((span, _damage("", span)))
                        piece.stop = stop
        self._next_read = piece.stop if piece.stop < stop else 0  # stop may be inside a block
        return piece

    @staticmethod
    def _take_block(
        piece: Piece, key: bytes, value: bytes, stop: int, offset: int | None
    ) -> int | None:
        """Add a block to the piece; returns the offset after it, None if that cannot be known."""
        block_first = split_key(key)[0]
        items, block_stop, wrong = _decode(key, value)
        expected = piece.stop
        if block_stop <= expected:
            return offset
        if block_first == expected and block_stop <= stop and not wrong:  # as nearly all are
            last = items[-1]
            piece.items += items
            piece.stop = block_stop
            return last.offset + last.size
        wanted = [item for item in items if expected <= item.id < stop]
        for item in wanted:
            if item.id > expected:
                begin = item.offset if offset is None else offset
                span = Span(expected, item.id, begin, item.offset)
                why = wrong if item.id > block_first else _wrong_before(piece, expected)
                piece.lost.append((span, _damage(why, span)))
            piece.items.append(item)
            expected, offset = item.id + 1, item.offset + item.size
        block_stop = min(block_stop, stop)
        if expected < block_stop:
            at = -1 if offset is None else offset
            span = Span(expected, block_stop, at, at)
            piece.lost.append((span, _damage(wrong, span)))
        piece.stop = max(expected, block_stop)
        return offset

    def view(self, item: Item) -> memoryview:
        return copied_view(self, self._large, item)

    def entries(self, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Every entry of a mark or a block behind a key, in order, as they were when this began.

        Raises `JournalError` where LevelDB cannot read on.
        """
        with (
            self._errors("read"),
            self._db.iterator(
                start=max(after, key_before(1)),
                include_start=False,
                verify_checksums=True,
                fill_cache=False,
            ) as entries,
        ):
            yield from entries

    def contents(self) -> Iterator[Entry]:
        for key, value in self.entries():
            yield _entry(key, value)

    def _check_files(self, piece: Piece, start: int) -> int:
        """Look at the files of large items among those from start on; returns their bytes.

        An item whose file is not as it was written is lost, and so is not in the piece any more.
        """
        size = 0
        for item in piece.items[start:]:
            if item.large:
                size += item.size
                fault = self._large.fault(item)
                if fault:
                    span = Span(item.id, item.id + 1, item.offset, item.offset + item.size)
                    piece.lost.append((span, _damage(fault, span)))
                    piece.items.remove(item)
        return size

    # -- writing -----------------------------------------------------------------------------------

    def write(self, batch: Batch, sync: bool) -> None:
        if batch.large:
            self._large.publish([item for item in batch.items if item.large], sync)
        try:  # and no context manager: this is where every command passes
            target = self._synced_batch if sync else self._batch
            target.clear()
            if batch.items:
                for key, value in encode_blocks(batch):
                    target.put(key, value)
            if batch.marks:
                key, value = encode_mark(batch, self._trimming.trimmed)
                target.put(key, value)
            if sync:
                self._database.check_is_there()
                self._large.sync_names()
                if self._synced != self._written:
                    self._database.sync_logs()
            target.write()
        except FAILURES as error:
            with self._errors("write"):
                raise error
        # A confirmation that a power cut takes back repeats an item; only items must not be lost.
        if sync:
            self._synced = self._written
        elif batch.items:
            self._written += 1
        if batch.full:
            self._trimming.wrote_full(key)

    def is_quick(self, size: int, trimming: bool) -> bool:
        # LevelDB makes writers wait while it compacts.
        if trimming or self._run >= self._quick_run:
            self._run = 0
            return False
        self._run += size + _BATCH_OVERHEAD
        return True

    def sync(self) -> None:
        with self._errors("sync"):
            self._large.sync_names()
            written = self._written
            self._database.sync_logs()
            self._synced = written  # more may have been meanwhile

    def note_lost(self, lost: list[tuple[Span, Damage]]) -> None:
        with self._errors("write"):
            note_lost(self._db, [(span, not damage.missing) for span, damage in lost])

    def trim(self, full: Batch, thorough: bool) -> Trimmed:
        with self._errors("trim"):
            # What allows the deletion must not be lost while the deletion survives.
            self._large.sync_names()
            self._database.sync_logs()
            gone, done = confirmed_by(full)
            done = self._trimming.trim(full, gone, done, thorough)
        self._large.trim(gone)
        return done

    def compact(self) -> None:
        with self._errors("compact"):
            self._trimming.compact()

    def copy(self, directory: Path) -> None:
        copy = Database(directory / "leveldb", compress=self._database.compress)
        try:
            with journal_errors("copy"):
                batch = copy.handle.write_batch()
                batch.put(NAME_KEY, self._db.get(NAME_KEY, b"", verify_checksums=True))
                size = 0
                with self._db.iterator(
                    start=NAME_KEY, include_start=False, verify_checksums=True, fill_cache=False
                ) as entries:
                    for key, value in entries:
                        batch.put(key, value)
                        size += len(value)
                        if size >= _COPY_STEP:
                            batch.write()
                            batch.clear()
                            size = 0
                            time.sleep(_COPY_REST_S)
                batch.write()
                copy.sync_logs()
        finally:
            copy.handle.close()

    def size(self) -> int:
        return self._database.size() + self._large.size()

    def rest(self) -> None:
        """A database has to be closed."""

    def close(self) -> None:
        self._db.close()


def _decode(key: bytes, value: bytes) -> tuple[list[Item], int, str]:
    """As `decode_block`; one that cannot be believed has one item at least, and that is damaged."""
    try:
        return decode_block(key, value)
    except DamageError as error:
        return [], split_key(key)[0] + 1, str(error)


def _entry(key: bytes, value: bytes) -> Entry:
    """Raises `NewerFormatError` for what a later version has written."""
    try:
        first, kind, _ = split_key(key)
    except DamageError as error:
        return Standing(0, None, str(error))
    if kind == BLOCK:
        try:
            items, stop, wrong = decode_block(key, value)
        except DamageError as wrong_block:
            return Block([], first, first + 1, str(wrong_block), sure=False)
        return Block(items, first, stop, wrong, sure=True)
    try:
        return Standing(first, decode_mark(key, value), "")
    except DamageError as wrong_mark:
        return Standing(first, None, str(wrong_mark))


def _wrong_before(piece: Piece, item_id: int) -> str:
    """What was wrong with the block before: it may have had more items than could be known."""
    if not piece.lost:
        return ""
    damage = piece.lost[-1][1]
    return damage.what if damage.stop == item_id and not damage.missing else ""


def _damage(wrong: str, span: Span) -> Damage:
    """What is wrong with a span: damaged in place, or, if nothing is known, not there at all."""
    return Damage(wrong or "items are missing", span.first, span.stop, missing=not wrong)
