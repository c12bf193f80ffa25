"""Reading the items of an arena by their ids, wherever they are.

Owns where the last reads have ended, so that who reads on need not search. Nothing that was trimmed is
read. May be called from several threads beside a writer.
"""

from collections.abc import Sequence
from typing import Final

from ...errors import JournalError
from ...queues.items import Item
from ...queues.positions import Positions, Span
from ..contract import Damage, Piece
from ..large import LargeFiles
from .files import File
from .format import HEAD_BYTES, ITEM, MARK, Record, extent
from .items import items_of
from .scan import END, Scanner
from .segments import Segment, index_in, segment_at
from .state import State
from .walk import Walker

__all__ = ["Reader"]

_NEAR: Final = 64 * 1024
_PLACES: Final = 64
_TRIES: Final = 100
_HEADS: Final = 4096
"""Bytes to read at once where only heads are looked at."""


class Reader:
    def __init__(self, state: State, large: LargeFiles) -> None:
        self._state = state
        self._large = large
        self._places: dict[int, tuple[Segment, int]] = {}

    def read(self, first: int, stop: int, max_bytes: int) -> Piece:
        """As `Journal.read`. Raises `OSError`."""
        for _ in range(_TRIES):
            segments = self._state.segments
            reading = _Reading(self._state.gone, self._large, first, stop, max_bytes)
            # What is read is taken from there, whatever a trim puts in their place meanwhile.
            if self._read(reading, segments) or self._state.segments is segments:
                return reading.piece
        raise JournalError("cannot read the journal: what is read is replaced again and again")

    def _read(self, reading: "_Reading", segments: Sequence[Segment]) -> bool:
        """False if a segment was not there: a trim may have taken it meanwhile."""
        state = self._state
        index, at = self._place(reading.piece.stop, segments)
        there = True
        while index < len(segments):
            segment = segments[index]
            with state.reading(segment) as file:
                if file is None:
                    there = False
                    reading.tell(f"{segment.name} is not there", True)
                else:
                    walker = Walker(file, segment, at, segment.end)
                    done = reading.go_on(walker)
                    if done >= 0:
                        self._remember(reading.piece.stop, segment, done)
                        return there
            index += 1
            at = HEAD_BYTES
        reading.finish()
        return there

    def find(self, item_id: int) -> tuple[Segment, Record] | None:
        """The record that has an item, not read but its head; None if there is none. Raises `OSError`."""
        for _ in range(_TRIES):
            segments = self._state.segments
            found = self._find(item_id, segments)
            if found is not None or segments is self._state.segments:
                return found
        return None

    def _find(self, item_id: int, segments: Sequence[Segment]) -> tuple[Segment, Record] | None:
        index, at = self._place(item_id, segments)
        while index < len(segments):
            segment = segments[index]
            record: Record | None = None
            with self._state.reading(segment) as file:
                if file is not None:
                    scanner = Scanner(file, segment.identity, at, segment.end, _HEADS)
                    record = _find_in(scanner, item_id)
            if record is not None:
                if record.id > item_id:
                    return None
                self._remember(item_id + 1, segment, record.stop)
                return segment, record
            index += 1
            at = HEAD_BYTES
        return None

    def _place(self, item_id: int, segments: Sequence[Segment]) -> tuple[int, int]:
        """The index of a segment, and a place in it, where an item or what was before it begins."""
        known = self._places.pop(item_id, None)
        if known is not None:
            index = index_in(segments, known[0])
            if index >= 0:
                return index, known[1]
        index = segment_at(segments, item_id)
        if index >= len(segments):
            return index, HEAD_BYTES
        segment = segments[index]
        with self._state.reading(segment) as file:
            return index, HEAD_BYTES if file is None else _locate(file, segment, item_id)

    def _remember(self, item_id: int, segment: Segment, at: int) -> None:
        if len(self._places) >= _PLACES:
            self._places.clear()
        self._places[item_id] = segment, at


class _Reading:
    """One read. piece: what was found so far."""

    def __init__(
        self, gone: Positions, large: LargeFiles, first: int, stop: int, max_bytes: int
    ) -> None:
        self.piece = Piece([], first)
        self._gone = gone
        self._gone_stop = gone.spans[-1].stop if gone.spans else gone.position
        self._large = large
        self._stop = stop
        self._left = max_bytes
        self._offset = -1
        self._wrong = ""
        self._cut = False

    def tell(self, wrong: str, cut: bool) -> None:
        """Something is wrong between what was found and what comes next; cut: a power cut may be why."""
        self._wrong = self._wrong or wrong
        self._cut = self._cut or cut

    def go_on(self, walker: Walker) -> int:
        """Take what there is in a segment; where to go on when it was enough, -1 if it was not."""
        while True:
            record = walker.next()
            if walker.wrong:
                self.tell(walker.wrong, walker.missing)
                walker.told()
            if record is None:
                return -1
            if record.kind == MARK:
                continue
            if record.id >= self._stop:
                self._miss(self._stop, record.offset if record.id == self._stop else -1)
                return record.start
            items, stop, wrong = items_of(record)
            if stop <= self.piece.stop:
                self._settled()
                continue
            self._take(record, items, stop, wrong)
            self._left -= max(1, record.length)
            if self.piece.stop >= self._stop or (self._left <= 0 and self.piece.items):
                return record.start if stop > self.piece.stop else walker.at

    def finish(self) -> None:
        """There is nothing more."""
        self._miss(self._stop, -1)

    def _take(self, record: Record, items: list[Item], stop: int, wrong: str) -> None:
        piece = self.piece
        if record.id > piece.stop:
            self._miss(record.id, items[0].offset if items and items[0].id == record.id else -1)
        self._settled()
        if record.kind == ITEM:
            self._offset = record.offset
        for item in items:
            if item.id < piece.stop:
                self._offset = item.offset + item.size
            elif item.id >= self._stop:
                break
            elif item.id >= self._gone_stop or not self._gone.is_confirmed(item.id):
                self._add(item, wrong)
        stop = min(stop, self._stop)
        if wrong and piece.stop < stop:
            end = record.offset + record.length if record.kind == ITEM else -1
            self._lose(stop, end, wrong, False)

    def _add(self, item: Item, wrong: str) -> None:
        if item.id > self.piece.stop:
            self._lose(item.id, item.offset, wrong or "items are missing", not wrong)
        fault = self._large.fault(item) if item.large else ""
        if fault:
            self._offset = item.offset
            self._lose(item.id + 1, item.offset + item.size, fault, False)
            return
        self.piece.items.append(item)
        self.piece.stop = item.id + 1
        self._offset = item.offset + item.size
        if item.large:
            self._left -= item.size

    def _settled(self) -> None:
        self._wrong, self._cut = "", False

    def _miss(self, stop: int, end: int) -> None:
        """Nothing was found up to an id."""
        wrong = self._wrong or "items are missing"
        cut = self._cut or not self._wrong
        self._lose(stop, end, wrong, cut)
        self._settled()

    def _lose(self, stop: int, end: int, what: str, missing: bool) -> None:
        first = self.piece.stop
        if first < stop:
            span = Span(first, stop, self._offset, end)
            self.piece.lost.append((span, Damage(what, first, stop, missing)))
            self.piece.stop = stop
            self._offset = end


def _find_in(scanner: Scanner, item_id: int) -> Record | None:
    """The first record with an item of an id, or one behind it."""
    while True:
        record = scanner.peek()
        if record is None:
            if scanner.step() == END:
                return None
            record = scanner.record  # with a wrong bit that was put right, unless it is a gap
            if record is None or record.start + extent(record.length) != scanner.at:
                continue
        if record.kind != MARK and record.id + max(1, record.count) > item_id:
            return record
        scanner.seek(record.stop)


def _locate(file: File, segment: Segment, item_id: int) -> int:
    """A place where a record begins that is not behind an item, and not far before it."""
    low, high = HEAD_BYTES, segment.end
    while high - low > _NEAR:
        middle = (low + high) // 2 & ~7
        scanner = Scanner(file, segment.identity, low, high)
        place = scanner.find(middle)
        scanner.seek(place)
        record = scanner.peek()
        if record is None or record.id > item_id:
            high = middle
        else:
            low = place
    return low
