"""The segment that is appended to: begun, mapped, taken up again, and what its head says of it.

Owns its map and its place among the others, and how large the next one is. One that was taken up again is
mapped when more is written to it than a little: to map a page, have it written to and unmap it takes
several times as long as to write it by a call. Whoever calls holds the state's lock.
"""

import os
from errno import EDQUOT, ENOSPC
from typing import Any, Final

from .files import File
from .format import HEAD_BYTES, NOTE_AT, Head, Note, encode_head, encode_note
from .segments import Segment
from .spares import Spares
from .state import State
from .syncing import Syncs

__all__ = ["SMALLEST", "Active"]

SMALLEST: Final = 64 * 1024
_PAGE: Final = 4096
_NOTE_EVERY: Final = 64 * 1024
_LITTLE: Final = 4096


class _Unmapped:
    """A file that is written to as if it were mapped."""

    __slots__ = ("_write",)

    def __init__(self, file: File) -> None:
        self._write = file.write

    def __setitem__(self, part: slice, data: bytes) -> None:
        self._write(part.start, data)

    def close(self) -> None:
        """The file is somebody else's."""


def _map(file: File) -> Any:
    """The map of a file. Where the system has no more maps to give, it is written to all the same."""
    try:
        return file.map(writable=True)
    except OSError:
        return _Unmapped(file)


class Active:
    """segment: None if the next batch begins a new one. file, map: of it; None while it rests. at: where the
    next record goes; limit: up to where records may go, items_limit: if there are items among them.

    highest: no segment has a higher number.
    """

    __slots__ = (
        "_arena_size",
        "_is_mapped",
        "_last",
        "_look_at",
        "_name",
        "_next_size",
        "_noted",
        "_number",
        "_spares",
        "_state",
        "_syncs",
        "at",
        "file",
        "identity",
        "items_limit",
        "limit",
        "map",
        "segment",
    )

    def __init__(
        self,
        state: State,
        syncs: Syncs,
        spares: Spares,
        name: bytes,
        arena_size: int,
        highest: int,
    ) -> None:
        self.segment: Segment | None = None
        self.map: Any = None
        self.identity = b""
        self.at = self.limit = self.items_limit = 0
        self._state = state
        self._syncs = syncs
        self._spares = spares
        self._name = name
        self._arena_size = arena_size
        self._number = highest
        self._noted = self._look_at = self._last = 0
        self.file: File | None = None
        self._is_mapped = False
        self.start_small()

    @property
    def has_grown(self) -> bool:
        """Whether it is larger than the first one of a queue."""
        return self.limit > min(SMALLEST, self._arena_size)

    @property
    def is_short_of_room(self) -> bool:
        """Whether what goes on only in a spare has half filled it, and it holds no full mark yet."""
        segment = self.segment
        if segment is None or not segment.spare or 2 * self.at < self.limit:
            return False
        return self._state.full_sequence < segment.first_sequence

    def start_small(self) -> None:
        """The next segment is as small as a queue's first one."""
        self._next_size = min(SMALLEST, self._arena_size)

    # -- taking it up, and letting it go -----------------------------------------------------------

    def resume(self, segment: Segment) -> None:
        """Go on in the last segment, which has but zeros behind its end."""
        self._open(segment)
        self._last = segment.note.last
        segment.own_from = segment.end
        if segment.note.sure_to != segment.end:
            segment.note.sure_from = segment.note.sure_to = segment.end
        self._next_size = min(2 * segment.size, self._arena_size)

    def rest(self) -> None:
        """Give back map and file; `wake` takes them again."""
        if self.map is not None:
            sure_to = 0 if self.segment is None else self.segment.note.sure_to
            # Who rests and wakes by turns has not written so much that it is worth a call each time.
            if self.at - self._noted >= _NOTE_EVERY // 2 or sure_to >= self._noted:
                self._write_note(final=False)
            self.map.close()
            self.map = self.file = None

    def wake(self) -> None:
        """Take again what was given back."""
        if self.segment is not None:
            last, noted = self._last, self._noted
            self._open(self.segment)
            self._last, self._noted = last, noted

    def close(self) -> None:
        if self.map is not None:
            self._write_note(final=False)
        self.rest()
        self.segment = None

    def _open(self, segment: Segment) -> None:
        file = self._state.files.open(segment.name, writable=True)
        self._set(segment, file, _Unmapped(file))
        self._is_mapped = False
        self._look_at = segment.end + _LITTLE

    def _set(self, segment: Segment, file: File, mapped: Any) -> None:
        self.file = file
        self.map = mapped
        self._is_mapped = True
        self.segment = segment
        self.identity = segment.identity
        self.at = self._noted = segment.end
        self._look_at = segment.end + _NOTE_EVERY
        self.limit = segment.size
        self.items_limit = 0 if segment.spare else segment.size
        self._last = 0
        self._syncs.appends_to(segment, file)

    # -- beginning a new one -----------------------------------------------------------------------

    def begin(self, first_id: int, first_offset: int, need: int = 0, spare: bool = False) -> None:
        """Begin a new segment, in which there is room for so much.

        spare: when the disk is full, in what was kept for that. Raises `OSError`; then all is as it was.
        """
        state = self._state
        number = self._number + 1
        segment, file = self._make(number, first_id, first_offset, need, spare)
        head = Head(
            number, segment.identity, segment.size, segment.first_sequence, first_id, first_offset,
            0, 0, 0, self._name, segment.spare,
        )  # fmt: skip
        try:
            if state.segments:
                before = state.segments[-1]
                if self.map is None:
                    self._seal(before)
                head = head._replace(before=before.number, before_end=before.end)
            mapped = file.map(writable=True)
            data = encode_head(head)
            mapped[0 : len(data)] = data
        except BaseException:
            file.close()
            state.files.remove(segment.name)
            raise
        if self.map is not None:
            self._write_note(final=True)
            self.map.close()
        self._number = number
        self._set(segment, file, mapped)
        self._syncs.named()
        state.segments = (*state.segments, segment)
        self._next_size = min(2 * self._next_size, self._arena_size)

    def _make(
        self, number: int, first_id: int, first_offset: int, need: int, spare: bool
    ) -> tuple[Segment, File]:
        """The new segment, and its file: of zeros, and there is room for it."""
        state, least = self._state, -(-(HEAD_BYTES + need) // _PAGE) * _PAGE
        size = max(self._next_size, least)
        identity = os.urandom(8)
        segment = Segment(number, identity, size, first_id, state.sequence + 1, first_offset)
        try:
            file = self._file_for(segment, least)
        except OSError as error:
            found = None
            if spare and error.errno in (ENOSPC, EDQUOT):
                found = self._spares.take(segment.name, HEAD_BYTES + need, self._syncs)
            if found is None:
                told = f"{error.strerror}: {segment.size} bytes for {segment.name}"
                raise OSError(error.errno, told) from error
            file = found
            segment.size = file.size
            segment.spare = True
        segment.end = segment.own_from = HEAD_BYTES
        segment.note = Note(0, HEAD_BYTES, HEAD_BYTES, HEAD_BYTES)
        return segment, file

    def _file_for(self, segment: Segment, least: int) -> File:
        """A file for a segment: a small one, if the disk has no room for what is due."""
        files = self._state.files
        try:
            return files.make(segment.name, segment.size)
        except OSError as error:
            if error.errno not in (ENOSPC, EDQUOT):
                raise
            self.start_small()
            size = max(self._next_size, least)
            if size == segment.size:
                raise
            segment.size = size
            return files.make(segment.name, size)

    def _seal(self, segment: Segment) -> None:
        """What was not whole behind the end of a segment is never to be taken for anything."""
        if segment.note.final:
            return
        file = self._state.files.open(segment.name, writable=True)
        try:
            segment.note.end = segment.end
            segment.note.final = True
            file.write(NOTE_AT, encode_note(segment.note))
        finally:
            file.close()
        if not segment.unsynced:
            self._syncs.wrote(segment)

    # -- what is written ---------------------------------------------------------------------------

    def appended(self, size: int, count: int) -> None:
        """A batch of so many records is there: whoever reads may see it."""
        segment, state = self.segment, self._state
        assert segment is not None
        self._last = self.at
        self.at += size
        state.sequence += count
        segment.last_sequence = state.sequence
        segment.end = self.at
        if not segment.unsynced:
            self._syncs.wrote(segment)
        if self.at >= self._look_at:
            if not self._is_mapped and self.file is not None:
                self.map = _map(self.file)
                self._is_mapped = True
            self._write_note(final=False)

    def _write_note(self, final: bool) -> None:
        """Have the next opening find the end at once."""
        segment = self.segment
        assert segment is not None
        segment.note.last = self._last
        segment.note.end = self.at
        segment.note.final = final
        note = encode_note(segment.note)
        self.map[NOTE_AT : NOTE_AT + len(note)] = note
        self._noted = self.at
        self._look_at = self.at + _NOTE_EVERY
