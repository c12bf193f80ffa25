"""A journal in an arena: segment files that are mapped and appended to.

Owns one folder `arena/` and puts its parts together: what is found when it is opened (`recovery`), what is
read (`reading`), appended (`appending`), put on disk (`syncing`) and given back (`trimming`). Promises
what is in `contract`; how, and what the bytes are, is told in docs/arena.md.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...errors import DamageError, JournalError, NewerFormatError
from ...queues.batches import Batch
from ...queues.items import Item
from ...queues.positions import Span
from ..contract import Damage, Entry, Habits, Piece, Recovery, Trimmed
from ..copied import copied_view
from ..large import LargeFiles
from ..replay import confirmed_by
from .active import Active
from .appending import Appender
from .contents import contents
from .copying import copy_segments
from .files import Files, Folder
from .format import HEAD_BYTES
from .lost import known_as_lost, note_lost
from .reading import Reader
from .recovery import find_end, recover
from .segments import Segment, find_segments
from .spares import Spares
from .state import State
from .syncing import Syncs
from .trimming import Trimming
from .views import Views

__all__ = ["ArenaJournal"]

_HABITS: Final = Habits(8 * 1024 * 1024, 50_000, 32 * 1024, 200, 0.25)
"""A trim costs little, but two marks."""

_MOST_OVERHEAD: Final = 4096


class ArenaJournal:
    """most_mapped: segments that may be mapped at once. as_it_is: to look at; nothing is changed, and it
    cannot be written to.

    Raises `JournalError` if it cannot be opened.
    """

    can_rest = True

    def __init__(
        self,
        files: Files,
        name: bytes,
        large: LargeFiles,
        arena_size: int = 0,
        most_mapped: int = 2,
        as_it_is: bool = False,
    ) -> None:
        self.habits = _HABITS
        self._files = files
        self._large = large
        state = self._state = State(files)
        self._reader = Reader(state, large)
        self._views = Views(state, self._reader, large, most_mapped - 1)
        with self._errors("open"):
            found = find_segments(files)
            self._damage = [Damage(what) for what in found.damage]
            self._name = name if found.name is None and not found.segments else found.name or b""
            state.segments = tuple(found.segments)
            self._end = find_end(state)
            state.sequence = self._end.sequence
            self._syncs = Syncs(state)
            for segment in found.segments:
                # Of a process that was killed the note does not say what of its segment was synced.
                if segment.note.sure_from > HEAD_BYTES or segment.note.sure_to < segment.end:
                    self._syncs.wrote(segment)
            self._spares = Spares(state)
            self._active = Active(
                state, self._syncs, self._spares, name or self._name, arena_size, found.highest
            )
            self._appender = Appender(state, self._active, self._spares)
            try:
                if not as_it_is:
                    self._start(found.leftovers)
            except BaseException:
                self.close()
                raise
        self._trimming = Trimming(
            state, self._active, self._appender, name or self._name, arena_size, self._sync_but
        )

    def _start(self, leftovers: list[str]) -> None:
        for name in leftovers:
            self._files.remove(name)
        segments = self._state.segments
        if not segments:
            self._active.begin(1, 0)
        elif self._end.clean:
            self._active.resume(segments[-1])
        self._spares.prepare()

    # -- reading -----------------------------------------------------------------------------------

    def recover(self, origins: bool = True) -> Recovery:
        state = self._state
        with self._errors("recover"):
            found, link = recover(state, self._end, origins)
            found.name = self._name
            found.damage[:0] = self._damage
            lost = self._known_as_lost(found)
        # What told of the last items may be lost with them: their ids are not given again.
        found.next_id = max(found.next_id, *(span.stop for span, _ in lost), 1)
        found.lost = [each for each in lost if each[0].stop > found.trimmed]
        self._appender.recovered(found.next_id, found.next_offset, found.trimmed, link)
        return found

    def _known_as_lost(self, found: Recovery) -> list[tuple[Span, Damage]]:
        try:
            lost = known_as_lost(self._files)
        except DamageError as error:
            found.damage.append(Damage(str(error)))
            return []
        return [
            (span, Damage("lost to damage", span.first, span.stop, missing=not damaged))
            for span, damaged in lost
        ]

    def read(self, first: int, stop: int, max_bytes: int) -> Piece:
        with self._errors("read"):
            piece = self._reader.read(first, stop, max_bytes)
        if self._large.used:
            self._views.verified(piece.items)
        return piece

    def view(self, item: Item) -> memoryview:
        with self._errors("read"):
            view = self._views.view(item)
        return copied_view(self, self._large, item) if view is None else view

    def contents(self) -> Iterator[Entry]:
        with self._errors("read"):
            yield from contents(self._state)

    @property
    def wants_full(self) -> bool:
        return self._appender.wants_full

    # -- writing -----------------------------------------------------------------------------------

    def write(self, batch: Batch, sync: bool) -> None:
        if batch.large:
            self._large.publish([item for item in batch.items if item.large], sync)
        try:  # and not `_errors`, nor in `sync`: this is where every command passes
            with self._state.lock:
                self._appender.append(batch)
                if batch.full:
                    self._trimming.wrote_full(batch.number)
        except OSError as error:
            raise self._failed("write", error) from error
        if sync:
            self.sync()

    def is_quick(self, size: int, trimming: bool) -> bool:
        # A new segment has to be made: that may take a moment.
        return self._active.at + 2 * size + _MOST_OVERHEAD < self._active.limit

    def sync(self) -> None:
        try:
            if self._large.used:
                self._large.sync_names()
            self._syncs.sync()
        except OSError as error:
            raise self._failed("sync", error) from error

    def note_lost(self, lost: list[tuple[Span, Damage]]) -> None:
        with self._errors("write"):
            told = [(span, not damage.missing) for span, damage in lost]
            note_lost(self._files, told, self._appender.trimmed)

    def trim(self, full: Batch, thorough: bool) -> Trimmed:
        gone, done = confirmed_by(full)
        with self._errors("trim"):
            wasted = self._trimming.trim(full, gone, thorough)
            with self._state.lock:
                self._spares.prepare()
        if self._large.used:
            self.sync()  # what allows it must not be lost while a file is
            self._large.trim(gone)
        return done._replace(wasted=wasted)

    def _sync_but(self, removed: Sequence[Segment]) -> None:
        self._syncs.forget(removed)
        self.sync()

    def compact(self) -> None:
        pass

    def copy(self, directory: Path) -> None:
        with self._errors("copy"):
            copy_segments(self._state, Folder(directory / "arena"))

    def size(self) -> int:
        segments = sum(segment.size for segment in self._state.segments)
        return segments + self._spares.size + self._large.size()

    def rest(self) -> None:
        try:
            with self._state.lock:
                self._active.rest()
            self._syncs.rest()
            self._state.rest()
            self._views.rest()
        except OSError as error:
            raise self._failed("rest", error) from error

    def close(self) -> None:
        with self._state.lock:
            self._active.close()
        self._syncs.rest()
        self._state.rest()
        self._views.rest()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failed(what, error) from error
        except NewerFormatError as newer:
            raise NewerFormatError(f"cannot {what} the journal: {newer}") from newer

    def _failed(self, what: str, error: OSError) -> JournalError:
        return JournalError(f"cannot {what} the journal: {error.strerror}")
