"""The segments of an arena while it is open: which there are, in order, and what is known of each.

Owns the names of their files and how a file is found to be a segment. Knows nothing of what its records
mean.
"""

import re
from collections.abc import Sequence
from typing import Final

from ...errors import DamageError, NewerFormatError
from .files import File, Files
from .format import (
    ALIGNMENT,
    HEAD_BYTES,
    IDENTITY_AT,
    NOTE_AT,
    RECORD_BYTES,
    Head,
    Note,
    decode_head,
    decode_note,
    decode_record,
)

__all__ = ["Found", "Segment", "file_of", "find_segments", "index_in", "number_of", "segment_at"]

_NAME = re.compile(r"([0-9a-f]{16})\.segment")
_SEARCH: Final = 64 * 1024


class Segment:
    """size: of the file. end: where it ends; nothing behind counts. first_id, first_sequence, first_offset:
    of what it holds, or before. last_sequence: of what it holds, or before it if it holds nothing. note: as
    it is in the head. own_from: this process wrote all from there on. sound: its head is, and it has all
    its bytes. unsynced: some of it may not be on disk. damaged: not all of it could be read. spare: it is not
    for items.

    judged: by its place, where a batch ends and whether it is there, for the last few that were looked at.
    """

    __slots__ = (
        "damaged",
        "end",
        "first_id",
        "first_offset",
        "first_sequence",
        "identity",
        "judged",
        "last_sequence",
        "name",
        "note",
        "number",
        "own_from",
        "size",
        "sound",
        "spare",
        "unsynced",
    )

    def __init__(
        self,
        number: int,
        identity: bytes,
        size: int,
        first_id: int,
        first_sequence: int,
        first_offset: int,
    ) -> None:
        self.number = number
        self.name = file_of(number)
        self.identity = identity
        self.size = size
        self.end = size
        self.first_id = first_id
        self.first_sequence = first_sequence
        self.first_offset = first_offset
        self.last_sequence = first_sequence - 1
        self.note = Note()
        self.own_from = size
        self.sound = True
        self.unsynced = False
        self.damaged = self.spare = False
        self.judged: dict[int, tuple[int, bool]] = {}

    def is_sure(self, at: int) -> bool:
        """Whether what was written there was there as a whole: what is not is damaged, not cut."""
        return self.note.sure_from <= at < self.note.sure_to or at >= self.own_from


class Found:
    """What lies in the folder. segments: in order. highest: the number that no other may have but those
    above it. damage: what is wrong with their files. name: the queue's, None if no head tells it.
    leftovers: names of files that nobody needs any more.
    """

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.highest = 0
        self.damage: list[str] = []
        self.name: bytes | None = None
        self.leftovers: list[str] = []


def file_of(number: int) -> str:
    return f"{number:016x}.segment"


def number_of(name: str) -> int:
    """0 if it is no segment's name."""
    match = _NAME.fullmatch(name)
    return int(match[1], 16) if match else 0


def segment_at(segments: Sequence[Segment], item_id: int) -> int:
    """The index of the segment in which an item is, if it is anywhere."""
    low, high = 0, len(segments)
    while low < high:
        middle = (low + high) // 2
        if segments[middle].first_id <= item_id:
            low = middle + 1
        else:
            high = middle
    return max(0, low - 1)


def index_in(segments: Sequence[Segment], segment: Segment) -> int:
    """Where among some a segment is; -1 if it is not."""
    low, high = 0, len(segments)
    while low < high:
        middle = (low + high) // 2
        if segments[middle].number < segment.number:
            low = middle + 1
        else:
            high = middle
    return low if low < len(segments) and segments[low] is segment else -1


def find_segments(files: Files) -> Found:
    """Learn from heads, and where they are damaged from records, which segments there are.

    Raises `NewerFormatError` for what a later version wrote.
    """
    found = Found()
    names = files.names()
    found.leftovers = [name for name in names if name.endswith(".part")]
    replaced = 0
    previous: Segment | None = None
    for number in sorted(filter(None, map(number_of, names))):
        found.highest = number
        if number <= replaced:
            found.leftovers.append(file_of(number))
            continue
        file = files.open(file_of(number))
        try:
            segment, head = _look(file, number, found)
        finally:
            file.close()
        if segment is None:
            continue
        if head is not None:
            replaced = head.replaces
            found.name = head.name or found.name
        if previous is not None:
            previous.last_sequence = segment.first_sequence - 1
            if head is not None and head.before == previous.number:
                previous.end = min(previous.end, head.before_end)
        previous = segment
        found.segments.append(segment)
    return found


def _look(file: File, number: int, found: Found) -> tuple[Segment | None, Head | None]:
    name = file_of(number)
    data = file.read(0, HEAD_BYTES)
    note = decode_note(data)
    head: Head | None = None
    wrong = ""
    try:
        head = decode_head(data)
        if head.number != number:
            wrong = f"its head is that of segment {head.number}"
            head = None
    except NewerFormatError as newer:
        raise NewerFormatError(f"{name}: {newer}") from None
    except DamageError as error:
        wrong = str(error)
    if head is not None:
        segment = Segment(
            number, head.identity, head.size, head.first_id, head.first_sequence, head.first_offset
        )
        if file.size < head.size:
            found.damage.append(f"{name} has {file.size} bytes, {head.size} were expected")
            segment.end = file.size
            segment.sound = False
        segment.note = note
        segment.spare = head.spare
        if note.final:
            segment.end = min(segment.end, note.end)
        return segment, head
    by_record = _without_head(file, number)
    if by_record is not None:
        by_record.note = note
        if note.final:
            by_record.end = min(by_record.end, note.end)
        by_record.sound = False
        if any(data[:NOTE_AT]):  # else a power cut took it
            found.damage.append(f"{name}: {wrong}")
    elif any(data[:NOTE_AT]):
        found.damage.append(f"{name}: {wrong}, and no record tells what it is")
    else:
        found.leftovers.append(name)  # the head of one that was just made had not reached the disk
    return by_record, None


def _without_head(file: File, number: int) -> Segment | None:
    """A segment as its first good record tells of it."""
    for first, stop in file.written(HEAD_BYTES):
        for at in range(first & ~(ALIGNMENT - 1), stop, _SEARCH - RECORD_BYTES):
            data = file.read(at, _SEARCH)
            if data.count(0) == len(data):
                continue
            for place in range(0, len(data) - 7, ALIGNMENT):
                record = decode_record(data, place, at + place, b"")
                if record is not None:
                    identity = data[place + IDENTITY_AT : place + IDENTITY_AT + 8]
                    return Segment(
                        number, identity, file.size, record.id, record.sequence, record.offset
                    )
    return None
