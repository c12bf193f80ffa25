"""A journal that forgets everything when it is closed: for tests and for queues worth nothing.

Keeps what was written as a journal would, so that a queue on it behaves the same but for restarts.
Large items still go to files, since memory must not depend on the size of an item.
"""

from bisect import bisect_left
from operator import attrgetter
from pathlib import Path
from threading import Lock

from ..config import QueueSettings
from ..queues.batches import Batch
from ..queues.items import Item
from ..queues.positions import Span
from .contract import Damage, Journal, Piece, Recovery, Trimmed
from .large import LargeFiles
from .replay import confirmed_by

__all__ = ["MemoryEngine", "MemoryJournal"]


class MemoryEngine:
    name = "memory"
    on_disk = False

    def exists(self, directory: Path) -> bool:
        return False

    def open(
        self,
        directory: Path,
        name: bytes,
        large: LargeFiles,
        memory: int,
        settings: QueueSettings,
    ) -> Journal:
        directory.mkdir(parents=True, exist_ok=True)
        return MemoryJournal(name, large)


class MemoryJournal:
    wants_full = False
    can_rest = False

    def __init__(self, name: bytes, large: LargeFiles) -> None:
        self._name = name
        self._large = large
        self._items: list[Item] = []
        # Trimming runs beside all others. Writing, which every turn does, needs no lock: what it adds is
        # added in one step, behind all that is taken out.
        self._lock = Lock()

    def recover(self, origins: bool = True) -> Recovery:
        return Recovery(name=self._name)

    def read(self, first: int, stop: int, max_bytes: int) -> Piece:
        piece, size = Piece([], first), 0
        with self._lock:
            items = self._items
            at = self._place(first)
            while at < len(items) and items[at].id < stop and size < max_bytes:
                piece.items.append(items[at])
                piece.stop = items[at].id + 1
                size += items[at].size
                at += 1
        if not piece.items and first < stop:
            piece.lost.append(
                (Span(first, stop, -1, -1), Damage("items are missing", first, stop, True))
            )
            piece.stop = stop
        return piece

    def write(self, batch: Batch, sync: bool) -> None:
        if batch.large:
            self._large.publish([item for item in batch.items if item.large], False)
        self._items.extend(batch.items)

    def is_quick(self, size: int, trimming: bool) -> bool:
        return True

    def sync(self) -> None:
        pass

    def note_lost(self, lost: list[tuple[Span, Damage]]) -> None:
        pass

    def trim(self, full: Batch, thorough: bool) -> Trimmed:
        gone, done = confirmed_by(full)
        self._large.trim(gone)
        with self._lock:
            items, at = self._items, 0
            left: list[Item] = []
            for span in gone.all_spans():
                left += items[at : self._place(span.first)]
                at = self._place(span.stop)
            items[:at] = left
        return done

    def _place(self, item_id: int) -> int:
        return bisect_left(self._items, item_id, key=attrgetter("id"))

    def compact(self) -> None:
        pass

    def copy(self, directory: Path) -> None:
        pass

    def size(self) -> int:
        return sum(item.size for item in list(self._items)) + self._large.size()

    def rest(self) -> None:
        """It holds nothing of the system."""

    def close(self) -> None:
        self._items = []
