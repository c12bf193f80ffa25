"""Which files of an arena are still to be put on disk, and doing so.

Owns the open file of the segment that is appended to. Several may ask at once, beside a writer: one sync
after the other, and what is written meanwhile is for the next.
"""

from collections.abc import Sequence

from ...locks import Lock
from .files import File
from .format import NOTE_AT, encode_note
from .segments import Segment
from .state import State

__all__ = ["Syncs"]


class Syncs:
    def __init__(self, state: State) -> None:
        self._state = state
        self._turn = Lock()
        self._segment: Segment | None = None
        self._file: File | None = None
        self._retired: list[File] = []
        self._unsynced: list[Segment] = []
        self._names = True  # a process that was killed may have made some

    def appends_to(self, segment: Segment, file: File) -> None:
        """From now on another segment is written to. Called by who holds the state's lock."""
        before = self._file
        self._segment, self._file = segment, file
        if before is not None:
            self._retired.append(before)
            if self._turn.acquire(blocking=False):  # else a sync under way may need it
                self._close_retired()
                self._turn.release()

    def wrote(self, segment: Segment) -> None:
        """A segment has something that is not on disk. Called by who holds the state's lock."""
        segment.unsynced = True
        self._unsynced.append(segment)

    def named(self) -> None:
        """A file was made, renamed or removed."""
        self._names = True

    def sync_active(self) -> None:
        """What was appended last is on disk when this returns. Called by who holds the state's lock."""
        if self._file is not None:
            self._file.sync()

    def rest(self) -> None:
        """Close the file of the segment that is appended to, which is told again when it is opened."""
        with self._turn:
            self._close_retired()
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def forget(self, segments: Sequence[Segment]) -> None:
        """These are not needed any more: they need not reach the disk."""
        with self._turn, self._state.lock:
            self._unsynced = [each for each in self._unsynced if each not in segments]

    def sync(self) -> None:
        """All that was written until now is on disk when this returns. Raises `OSError`."""
        state = self._state
        with self._turn:
            with state.lock:
                segments, self._unsynced = self._unsynced, []
                names, self._names = self._names, False
                for segment in segments:
                    segment.unsynced = False
                ends = [segment.end for segment in segments]
                active, file = self._segment, self._file
            try:
                if active is not None and file is not None:
                    state.files.check(active.name, file)
                for segment, end in zip(segments, ends, strict=True):
                    if segment is active and file is not None:
                        file.sync()
                        self._is_sure(segment, end)
                    else:
                        self._sync_other(segment, end)
                if names:
                    state.files.sync_names()
            except BaseException:
                with state.lock:
                    self._names = self._names or names
                    for segment in segments:
                        if not segment.unsynced:
                            self.wrote(segment)
                raise
            self._close_retired()

    def _sync_other(self, segment: Segment, end: int) -> None:
        try:
            file = self._state.files.open(segment.name, writable=True)
        except FileNotFoundError:
            if self._state.index_of(segment) < 0:
                return  # it was removed meanwhile
            raise
        try:
            file.sync()
            if segment.own_from < segment.size:
                self._is_sure(segment, end)
                file.write(NOTE_AT, encode_note(segment.note))
        finally:
            file.close()

    def _is_sure(self, segment: Segment, end: int) -> None:
        with self._state.lock:
            segment.note.sure_to = max(segment.note.sure_to, end)

    def _close_retired(self) -> None:
        while self._retired:
            self._retired.pop().close()
