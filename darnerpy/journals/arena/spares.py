"""Two small files that are kept so that a queue can be drained on a full disk.

When no further segment can be had, items are refused, but what confirms them goes into a spare. No more
than two are needed: a full mark says all that the marks before it did, so of the segments that hold
nothing but older marks one is emptied and used again.
"""

from typing import Final

from .files import File
from .format import HEAD_BYTES
from .segments import Segment
from .state import State
from .syncing import Syncs

__all__ = ["USUAL_MARK_BYTES", "Spares"]

_NAMES: Final = ("1.spare", "2.spare")
_LEAST: Final = 16 * 1024
USUAL_MARK_BYTES: Final = 200
_MARKS: Final = 40
"""So many marks are written from one full one to the next, and so large is one, if it is a usual one."""

_PIECE: Final = 64 * 1024


class Spares:
    """needed: bytes that each should have."""

    def __init__(self, state: State) -> None:
        self.needed = _LEAST
        self._state = state
        self._sizes: dict[str, int] | None = None

    def wrote(self, mark_bytes: int, full: bool) -> None:
        """A mark of so many bytes was written: another such one must find room."""
        between = _MARKS * max(USUAL_MARK_BYTES, 0 if full else mark_bytes)
        needed = 2 * (HEAD_BYTES + between + (mark_bytes if full else 0))
        if needed > self.needed:
            self.needed = 1 << (needed - 1).bit_length()

    def prepare(self) -> None:
        """Have them, as far as the disk allows."""
        files, sizes = self._state.files, self._known()
        for name in _NAMES:
            if sizes.get(name, 0) < self.needed:
                part = f"{name}.part"
                try:
                    files.make(part, self.needed).close()
                except OSError:
                    files.remove(part)
                    return
                files.rename(part, name)
                sizes[name] = self.needed

    def take(self, name: str, need: int, syncs: Syncs) -> File | None:
        """Give one with room for so much a segment's name; None if there is none."""
        state, sizes = self._state, self._known()
        for spare in sorted(sizes):
            if sizes[spare] >= need:
                state.files.rename(spare, name)
                del sizes[spare]
                return state.files.open(name, writable=True)
        for segment in state.segments[:-1]:
            if segment.size >= need and self._is_outdated(segment):
                syncs.sync_active()  # what tells the same as it did must not be lost with it
                state.segments = tuple(s for s in state.segments if s is not segment)
                self._empty(segment)
                state.files.rename(segment.name, name)
                return state.files.open(name, writable=True)
        return None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self._known().values())

    def _is_outdated(self, segment: Segment) -> bool:
        """Whether it holds but marks, and all of them are older than the last full one."""
        segments = self._state.segments
        following = segments[self._state.index_of(segment) + 1]
        has_items = following.first_id > segment.first_id
        return not has_items and segment.last_sequence < self._state.full_sequence

    def _empty(self, segment: Segment) -> None:
        file = self._state.files.open(segment.name, writable=True)
        try:
            for at in range(0, file.size, _PIECE):
                file.write(at, bytes(min(_PIECE, file.size - at)))
            file.sync()  # a power cut must not bring back what was there
        finally:
            file.close()

    def _known(self) -> dict[str, int]:
        if self._sizes is None:
            self._sizes = {}
            for name in set(self._state.files.names()) & set(_NAMES):
                file = self._state.files.open(name)
                self._sizes[name] = file.size
                file.close()
        return self._sizes
