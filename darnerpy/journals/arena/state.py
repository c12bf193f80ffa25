"""What reading, appending and trimming of one arena share, and the files that are read.

Each field is replaced in one step, so that who reads needs no lock. `lock` is held only for a moment, by
those that write or change what there is, never while the disk is waited for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import DamageError, NewerFormatError
from ...locks import Lock
from ...queues.positions import Positions
from .files import File, Files
from .format import HEAD_BYTES, RECORD_BYTES, decode_head
from .segments import Segment, index_in

__all__ = ["State"]


class State:
    """segments: in order; the last one is appended to. sequence: of the last record; full_sequence: of the
    last full mark, 0 if none is known. gone: what was trimmed.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.lock = Lock()
        self.segments: Sequence[Segment] = ()
        self.sequence = self.full_sequence = 0
        self.gone = Positions()
        self._borrowing = Lock()
        self._last: tuple[Segment, File] | None = None

    @contextmanager
    def reading(self, segment: Segment) -> Iterator[File | None]:
        """The file of a segment; None if it is not there, or is another's by now."""
        file = self._borrow(segment)
        try:
            yield file
        finally:
            if file is not None:
                with self._borrowing:
                    last, self._last = self._last, (segment, file)
                if last is not None:
                    last[1].close()

    def _borrow(self, segment: Segment) -> File | None:
        with self._borrowing:
            last = self._last
            if last is not None and last[0] is segment:
                self._last = None
                return last[1]
        try:
            file = self.files.open(segment.name)
        except FileNotFoundError:
            return None
        try:
            if _is_of(file, segment):
                return file
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def replace(self, old: Sequence[Segment], new: Segment, part: str) -> None:
        """Have a segment, in a file that is not finished by its name, in the place of others. Whoever reads
        finds either. Raises `OSError`; then nothing has changed.
        """
        with self._borrowing, self.lock:
            self.files.rename(part, new.name)
            at = self.index_of(old[0])
            self.segments = (*self.segments[:at], new, *self.segments[at + len(old) :])

    def index_of(self, segment: Segment) -> int:
        """Where among the segments it is; -1 if it is not there any more."""
        return index_in(self.segments, segment)

    def rest(self) -> None:
        """Keep no file open."""
        with self._borrowing:
            last, self._last = self._last, None
        if last is not None:
            last[1].close()


def _is_of(file: File, segment: Segment) -> bool:
    """Whether what has a segment's name is that, or was put in its place."""
    data = file.read(0, HEAD_BYTES + RECORD_BYTES)
    try:
        return decode_head(data).identity == segment.identity
    except NewerFormatError:
        return False
    except DamageError:  # then only records can tell; with another identity none of them is good
        return True
