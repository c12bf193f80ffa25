"""Going through the records of a segment, one after the other, whatever state they are in.

A `Scanner` tells what is there: records, and gaps between them, each with whether a power cut may have
left it. It reads by `File.read` only, and believes nothing but checksums, identity and order.
"""

from typing import Final

from .files import File
from .format import (
    ALIGNMENT,
    HEAD_BYTES,
    IDENTITY_AT,
    OVERHEAD,
    RECORD_BYTES,
    Record,
    decode_record,
    extent,
    is_whole,
    mend_record,
)

__all__ = ["END", "GAP", "RECORD", "Scanner", "is_empty", "may_be_cut"]

END: Final = 0
RECORD: Final = 1
GAP: Final = 2

_PIECE: Final = 64 * 1024
_LONG: Final = 1024 * 1024
_PAGE: Final = 4096
_NOTHING = bytes(_LONG)


class Scanner:
    """record: the last one. Of one whose payload is not as it was written, `wrong` tells so.

    gap_first, gap_stop: the places of the last gap. at: the place that is looked at next. end: nothing
    from there on counts. piece: bytes to read at once.
    """

    __slots__ = (
        "_base",
        "_data",
        "_file",
        "_identity",
        "_piece",
        "at",
        "end",
        "gap_first",
        "gap_stop",
        "record",
    )

    def __init__(self, file: File, identity: bytes, at: int, end: int, piece: int = _PIECE) -> None:
        self.at = at
        self.end = min(end, file.size)
        self.record: Record | None = None
        self.gap_first = self.gap_stop = 0
        self._file = file
        self._identity = identity
        self._piece = piece
        self._data = b""
        self._base = at

    def step(self) -> int:
        """Go on to the next record or gap: `RECORD`, `GAP` or `END`."""
        record = self._head(self.at)
        if record is None:
            if self.at >= self.end:
                return END
            record = self._mended(self.at)
            if record is None:
                return self._gap(self.at)
        at = self.at - self._base
        size = extent(record.length)
        if len(self._data) - at < size:
            self._load(self.at, size)
            at = 0
        if not is_whole(record, self._data, at):
            record.wrong = "its checksum is wrong"
        self.record = record
        self.at += size
        return RECORD

    def peek(self) -> Record | None:
        """The head of the record that begins here, if one does; its payload is not looked at."""
        return self._head(self.at)

    def seek(self, at: int) -> None:
        """Go on at another place."""
        self.at = at

    def _head(self, at: int) -> Record | None:
        if at + OVERHEAD > self.end:
            return None
        if at < self._base or at + RECORD_BYTES > self._base + len(self._data):
            self._load(at, self._piece)
        record = decode_record(self._data, at - self._base, at, self._identity)
        if record is None or at + extent(record.length) > self.end:
            return None
        return record

    def _mended(self, at: int) -> Record | None:
        """The record here, if but one bit of its head is wrong and all the rest of it is good."""
        record = mend_record(self._data, at - self._base, at, self._identity)
        if record is None or at + extent(record.length) > self.end:
            return None
        size = extent(record.length)
        return record if is_whole(record, self._file.read(at, size), 0) else None

    def _load(self, at: int, size: int) -> None:
        self._data = self._file.read(at, min(max(size, self._piece), self.end - at))
        self._base = at

    def _gap(self, first: int) -> int:
        stop = self.find(first + ALIGNMENT)
        self.gap_first = first
        self.gap_stop = stop
        self.at = stop
        if stop >= self.end and is_empty(self._file, first, self.end):
            return END
        return GAP

    def find(self, at: int) -> int:
        """The place of the next record with a good head from some place on, `end` if there is none."""
        wanted = self._identity
        for first, stop in self._file.written(at):
            at, stop = first & ~(ALIGNMENT - 1), min(stop, self.end)
            while at + OVERHEAD <= self.end and at < stop:
                data = self._file.read(at, min(_LONG, stop - at))
                found = data.find(wanted)
                while found >= 0:
                    place = at + found - IDENTITY_AT
                    if place % ALIGNMENT == 0 and place >= at and self._head(place) is not None:
                        return place
                    found = data.find(wanted, found + 1)
                if len(data) < _LONG:
                    break
                at += len(data) - RECORD_BYTES
        return self.end


def is_empty(file: File, at: int, stop: int) -> bool:
    """Whether there are but zeros."""
    for first, part_stop in file.written(at):
        for place in range(first, min(part_stop, stop), _LONG):
            data = file.read(place, min(_LONG, part_stop - place, stop - place))
            if data != _NOTHING[: len(data)]:
                return False
    return True


def may_be_cut(file: File, first: int, stop: int) -> bool:
    """Whether a gap may be what a power cut leaves: some page of it never reached the disk.

    A page is written from its beginning to its end. So what is on disk of one that was not written at
    last are zeros, from somewhere in it up to its end.
    """
    page = first // _PAGE
    while page * _PAGE < stop:
        page_stop = min((page + 1) * _PAGE, file.size)
        within = min(page_stop, stop)
        if _is_zero(file, within) and (within == page_stop or _is_zero(file, page_stop)):
            return True
        page += 1
    return False


def _is_zero(file: File, stop: int) -> bool:
    return not any(file.read(max(HEAD_BYTES, stop - ALIGNMENT), ALIGNMENT))
