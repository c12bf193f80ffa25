"""Finding the end of an arena, the last full mark before it, and what was written since.

Only checksums and order are believed: notes and links say where to look, and if nothing good is there,
what lies before is looked through. Of the backlog nothing is read but what was written since that mark.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ...errors import DamageError
from ...queues.items import Origin
from ..contract import Damage, Recovery
from ..marks import MarkRecord
from ..replay import replay
from .files import File
from .format import FULL, HEAD_BYTES, LAST, MARK, MOVED, Record, link_to, split_link
from .items import items_of, mark_of
from .scan import END, RECORD, Scanner, is_empty
from .segments import Segment
from .state import State
from .walk import Walker

__all__ = ["End", "find_end", "recover"]

_NEAR: Final = 64 * 1024
_ORIGIN_BYTES: Final = 64 * 1024


class Place(NamedTuple):
    """Where a batch begins: in which of the segments, counted, and at which byte."""

    number: int
    at: int


class End(NamedTuple):
    """last: where the last batch that exists begins, None if there is none. sequence: of its last record.

    clean: behind it the last segment has but zeros, so that more can be appended.
    """

    last: Place | None
    sequence: int
    clean: bool


def find_end(state: State) -> End:
    """Find the last batch, and with it where the last segment ends. Raises `OSError`."""
    segments = state.segments
    clean = False
    for index in range(len(segments) - 1, -1, -1):
        segment = segments[index]
        last = _last_batch(state, segment)
        if index == len(segments) - 1:
            clean = segment.sound and not segment.note.final and _is_clean(state, segment)
        if last is not None:
            sequence = max(segment.last_sequence, segments[-1].first_sequence - 1)
            return End(Place(index, last), sequence, clean)
    sequence = segments[-1].first_sequence - 1 if segments else 0
    return End(None, sequence, clean)


def _last_batch(state: State, segment: Segment) -> int | None:
    """Where the last batch of a segment begins; with it its end and last sequence are known."""
    last: int | None = None
    sequence, end = segment.first_sequence - 1, HEAD_BYTES
    with state.reading(segment) as file:
        if file is not None:
            for at in _beginnings(file, segment):
                walker = Walker(file, segment, at, segment.end)
                while (record := walker.next()) is not None:
                    last = record.start if record.index == 0 else record.link
                    sequence, end = record.sequence, walker.at
                if last is not None:
                    break
    segment.end, segment.last_sequence = end, sequence
    return last


def _beginnings(file: File, segment: Segment) -> list[int]:
    """Where the last batch is to be looked for: what the note says, and if nothing is there, everywhere.

    A power cut may have kept the note, and of the batch that it tells of only the beginning.
    """
    record = Scanner(file, segment.identity, segment.note.last, segment.end).peek()
    begins_batch = record is not None and record.index == 0
    return [segment.note.last, HEAD_BYTES] if begins_batch else [HEAD_BYTES]


def _is_clean(state: State, segment: Segment) -> bool:
    with state.reading(segment) as file:
        return file is not None and is_empty(file, segment.end, segment.size)


# -- the last full mark ----------------------------------------------------------------------------


def _full_mark(state: State, end: End) -> Place | None:
    """The last batch with a full mark that can be read; None if there is none."""
    place = end.last
    if place is not None and _first_full(state, place) is not None:
        return place
    while place is not None:
        target = _target(state, place)
        if target is not None:
            if _first_full(state, target) is not None:
                return target
            place = target
        place = _before(state, place)
    return None


def _first_full(state: State, place: Place) -> MarkRecord | None:
    """The full mark of a batch, if it has one and that is good."""
    for record in _records(state, place, place.number + 1):
        if record.kind == MARK and record.flags & FULL and not record.wrong:
            try:
                return mark_of(record)
            except DamageError:
                return None
        if record.flags & LAST:
            return None
    return None


def _target(state: State, place: Place) -> Place | None:
    """Where the first record of a batch says that the last full mark is."""
    segment = state.segments[place.number]
    with state.reading(segment) as file:
        if file is None:
            return None
        record = Scanner(file, segment.identity, place.at, segment.end).peek()
    if record is None or record.index or record.flags & MOVED or not record.link:
        return None
    number, at = split_link(record.link)
    for index in range(place.number, -1, -1):
        if state.segments[index].number == number:
            return Place(index, at) if (index, at) < place else None
    return None


def _before(state: State, place: Place) -> Place | None:
    """Where some batch begins before a place, and not far before it."""
    for index in range(place.number, -1, -1):
        segment = state.segments[index]
        start = stop = place.at if index == place.number else segment.end
        with state.reading(segment) as file:
            while file is not None and start > HEAD_BYTES:
                start = max(HEAD_BYTES, start - _NEAR)
                found = _last_first(Scanner(file, segment.identity, start, stop))
                if found >= 0:
                    return Place(index, found)
    return None


def _last_first(scanner: Scanner) -> int:
    """The last place where a batch begins among what a scanner goes through, -1 if there is none."""
    scanner.seek(scanner.find(scanner.at))
    found = -1
    while (what := scanner.step()) != END:
        record = scanner.record
        if what == RECORD and record is not None and record.index == 0:
            found = record.start
    return found


# -- all that was written since --------------------------------------------------------------------


def recover(state: State, end: End, origins: bool) -> tuple[Recovery, int]:
    """As `Journal.recover`, but for the list of lost ids and what is wrong with whole files; and the link to
    the last full mark, 0 if there is none.
    """
    found = Recovery()
    base = _full_mark(state, end)
    history = _History(found, after_full=base is not None)
    for record in _records(state, base or Place(0, HEAD_BYTES), len(state.segments), history):
        history.add(record)
    found.origins.reverse()
    if base is not None and origins:
        found.origins += _origins_before(state, base, history.marks[0].trimmed)
    replay(found, history.marks[::-1], history.lowest or 1)
    link = 0
    if base is not None:
        link = link_to(state.segments[base.number].number, base.at)
        state.full_sequence = history.full_sequence
    return found, link


class _History:
    """What records tell, the oldest first. marks: those that are good. lowest: the first id seen.
    full_sequence: of the last full mark.
    """

    def __init__(self, found: Recovery, after_full: bool) -> None:
        self.marks: list[MarkRecord] = []
        self.lowest = self.full_sequence = 0
        self._found = found
        self._waiting = after_full
        self._expected = 0
        self._wrong = ""
        self._missing = False

    def tell(self, wrong: str, missing: bool) -> None:
        """Something is wrong before the next record."""
        if not self._waiting:
            self._wrong = self._wrong or wrong
            self._missing = self._missing or missing

    def add(self, record: Record) -> None:
        found = self._found
        if self._waiting and not (record.kind == MARK and record.flags & FULL):
            if record.kind != MARK:
                found.origins += [each.origin for each in items_of(record)[0] if each.origin]
            return
        self._waiting = False
        found.batch = max(found.batch, record.batch)
        if record.kind == MARK:
            self._add_mark(record)
            return
        items, stop, wrong = items_of(record)
        if self._expected and record.id > self._expected:
            what = self._wrong or "items are missing"
            missing = self._missing or not self._wrong
            found.damage.append(Damage(what, self._expected, record.id, missing))
            self._wrong, self._missing = "", False
        if wrong:
            found.damage.append(Damage(wrong, record.id, stop))
            self._wrong, self._missing = "", False
        self._expected = max(self._expected, stop)
        self.lowest = self.lowest or record.id
        found.next_id = max(found.next_id, stop)
        if items:
            found.next_offset = max(found.next_offset, items[-1].offset + items[-1].size)
            found.origins += [item.origin for item in items if item.origin]
            found.delays += [(item.id, item.due) for item in items if item.due]

    def _add_mark(self, record: Record) -> None:
        found = self._found
        try:
            mark = mark_of(record)
        except DamageError as error:
            found.damage.append(Damage(str(error)))
            return
        self.marks.append(mark)
        found.next_id = max(found.next_id, mark.next_id)
        found.next_offset = max(found.next_offset, mark.next_offset)
        if mark.full:
            self.full_sequence = record.sequence
            self._expected = self._expected or mark.next_id

    def end(self) -> None:
        """There is no more. What a power cut may have left at the very end is no damage."""
        if self._wrong and not self._missing:
            self._found.damage.append(Damage(self._wrong))


def _records(
    state: State, start: Place, stop: int, history: _History | None = None
) -> Iterator[Record]:
    """The records from a place on, of all segments before one; a history is told what is wrong."""
    at = start.at
    for segment in state.segments[start.number : stop]:
        with state.reading(segment) as file:
            if file is not None:
                walker = Walker(file, segment, at, segment.end)
                while True:
                    record = walker.next()
                    if walker.wrong and history is not None:
                        history.tell(walker.wrong, walker.missing)
                        walker.told()
                    if record is None:
                        break
                    yield record
            elif history is not None:
                history.tell(f"{segment.name} is not there", True)
        at = HEAD_BYTES
    if history is not None:
        history.end()


def _origins_before(state: State, base: Place, trimmed: int) -> list[Origin]:
    """Where the last items before a batch came from, the newest first, as far as it is cheap."""
    origins: list[Origin] = []
    left, index, stop = _ORIGIN_BYTES, base.number, base.at
    while left > 0 and index >= 0:
        segment = state.segments[index]
        start = max(HEAD_BYTES, stop - left)
        with state.reading(segment) as file:
            if file is not None:
                scanner = Scanner(file, segment.identity, start, stop)
                origins += _origins_in(scanner, trimmed)[::-1]
        left -= stop - start
        index -= 1
        stop = state.segments[index].end
    return origins


def _origins_in(scanner: Scanner, trimmed: int) -> list[Origin]:
    origins: list[Origin] = []
    scanner.seek(scanner.find(scanner.at))
    while (what := scanner.step()) != END:
        record = scanner.record
        if what == RECORD and record is not None and record.kind != MARK:
            origins += [i.origin for i in items_of(record)[0] if i.origin and i.id >= trimmed]
    return origins
