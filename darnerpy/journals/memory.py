"""A journal that is gone with the process: for tests and for queues worth nothing.

Keeps what was written as a journal would, so that a queue on it behaves the same but for restarts. As long
as somebody has the journal, it can be opened again and read anew.
Large items still go to files, since memory must not depend on the size of an item.
"""

from bisect import bisect_left
from operator import attrgetter
from pathlib import Path
from weakref import WeakValueDictionary

from ..config import QueueSettings
from ..locks import Lock
from ..queues.batches import Batch
from ..queues.items import Item
from ..queues.positions import Span
from .contract import Damage, Habits, Journal, Piece, Recovery, Trimmed
from .copied import copied_view
from .large import LargeFiles
from .marks import MarkRecord
from .replay import confirmed_by, replay

__all__ = ["MemoryEngine", "MemoryJournal"]


class MemoryEngine:
    name = "memory"
    on_disk = False

    def __init__(self) -> None:
        self._journals: WeakValueDictionary[Path, MemoryJournal] = WeakValueDictionary()

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
        known = self._journals.get(directory) if directory.exists() else None
        directory.mkdir(parents=True, exist_ok=True)
        if known is not None:
            known.attach(large)
            return known
        journal = self._journals[directory] = MemoryJournal(name, large)
        return journal


class MemoryJournal:
    wants_full = False
    habits = Habits()
    can_rest = False

    def __init__(self, name: bytes, large: LargeFiles) -> None:
        self._name = name
        self._large = large
        self._items: list[Item] = []
        self._marks: list[
            tuple[int, MarkRecord]
        ] = []  # by number of batch, since the last full one
        # Trimming runs beside all others. Writing, which every turn does, needs no lock: what it adds is
        # added in one step, behind all that is taken out.
        self._lock = Lock()

    def attach(self, large: LargeFiles) -> None:
        """It is opened again, with these files of large items."""
        self._large = large

    def recover(self, origins: bool = True) -> Recovery:
        found = Recovery(name=self._name)
        if self._marks:
            found.batch, last = self._marks[-1]
            found.next_id, found.next_offset = last.next_id, last.next_offset
            replay(found, [mark for _, mark in reversed(self._marks)], 1)
        with self._lock:
            del self._items[self._place(found.next_id) :]  # of a batch that was cut off
        return found

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
        end = batch.next_id, batch.next_offset
        mark = MarkRecord(batch.full, *end, 1, batch.marks, list(batch.kept), batch.paused)
        self._items.extend(batch.items)
        if batch.full:  # it is in one step that a batch is there
            self._marks = [(batch.number, mark)]
        else:
            self._marks.append((batch.number, mark))

    def view(self, item: Item) -> memoryview:
        return copied_view(self, self._large, item)

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
        pass
