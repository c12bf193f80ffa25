"""An engine that could hardly be simpler, for what has to work with whatever engine there is.

A journal is one file of pickled batches, each behind its length and checksum, read whole when it is
opened. It keeps every promise of the contract but speed.
"""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from darnerpy.config import QueueSettings
from darnerpy.errors import JournalError
from darnerpy.journals.contract import (
    Block,
    Damage,
    DiskJournal,
    Entry,
    Habits,
    Journal,
    Piece,
    Recovery,
    Standing,
    Trimmed,
)
from darnerpy.journals.copied import copied_view
from darnerpy.journals.durable import make_directory
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.marks import MarkRecord
from darnerpy.journals.replay import confirmed_by, replay
from darnerpy.queues.batches import Batch
from darnerpy.queues.items import Item
from darnerpy.queues.positions import Span

__all__ = ["PlainEngine", "PlainJournal"]


class PlainEngine:
    name = "plain"
    on_disk = True

    def exists(self, directory: Path) -> bool:
        return (directory / self.name).exists()

    def open(
        self,
        directory: Path,
        name: bytes,
        large: LargeFiles,
        memory: int,
        settings: QueueSettings,
    ) -> Journal:
        return self._open(directory, name, large)

    def name_in(self, directory: Path) -> bytes | None:
        if not self.exists(directory):
            return None
        journal = self._open(directory, b"", LargeFiles(directory / "large"))
        try:
            return journal.recover().name
        finally:
            journal.close()

    def look(self, directory: Path, scratch: Path, large: LargeFiles) -> DiskJournal:
        scratch.mkdir(parents=True, exist_ok=True)
        if self.exists(directory):
            (scratch / self.name).write_bytes((directory / self.name).read_bytes())
        return self._open(scratch, b"", large)

    def put_aside(self, directory: Path) -> str:
        return ""

    def is_final(self, path: Path) -> bool:
        return False

    def _open(self, directory: Path, name: bytes, large: LargeFiles) -> "PlainJournal":
        make_directory(directory)
        return PlainJournal(directory / self.name, name, large)


class PlainJournal:
    wants_full = False
    habits = Habits()
    can_rest = True

    def __init__(self, path: Path, name: bytes, large: LargeFiles) -> None:
        self._path = path
        self._large = large
        self._records: list[tuple[str, Any]] = []
        self._open_file: int | None = None
        self._damage = self._read_all()
        if not any(kind == "name" for kind, _ in self._records):
            self._append("name", name)

    @property
    def _handle(self) -> int:
        if self._open_file is None:
            self._open_file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        return self._open_file

    def _read_all(self) -> list[Damage]:
        stored = os.pread(self._handle, os.fstat(self._handle).st_size, 0)
        at, damage = 0, []
        while at < len(stored):
            size = int.from_bytes(stored[at : at + 4], "little")
            body = stored[at + 8 : at + 8 + size]
            if len(body) < size:
                break  # a kill left it so
            if crc32(body) != int.from_bytes(stored[at + 4 : at + 8], "little"):
                damage.append(Damage(f"record at byte {at} has a wrong checksum"))
            else:
                self._records.append(pickle.loads(body))
            at += 8 + size
        os.truncate(self._path, at)
        return damage

    def _append(self, kind: str, value: object) -> None:
        body = pickle.dumps((kind, value))
        frame = len(body).to_bytes(4, "little") + crc32(body).to_bytes(4, "little") + body
        try:
            os.write(self._handle, frame)
        except OSError as error:
            raise JournalError(f"cannot write the journal: {error.strerror}") from error
        self._records.append(pickle.loads(body))

    def _of(self, wanted: str) -> list[Any]:
        return [value for kind, value in self._records if kind == wanted]

    @property
    def _items(self) -> list[Item]:
        items = {item.id: item for batch in self._of("items") for item in batch}
        return [items[number] for number in sorted(items)]

    def recover(self, origins: bool = True) -> Recovery:
        marks = self._of("mark")
        items = self._items
        found = Recovery(damage=list(self._damage), name=self._of("name")[0])
        found.next_id = max([m.next_id for _, m in marks] + [i.id + 1 for i in items], default=1)
        found.next_offset = max(
            [m.next_offset for _, m in marks] + [i.offset + i.size for i in items], default=0
        )
        found.batch = max([number for number, _ in marks], default=0)
        last_full = max((n for n, (_, mark) in enumerate(marks) if mark.full), default=0)
        newest_first = [mark for _, mark in reversed(marks[last_full:])]
        replay(found, newest_first, items[0].id if items else 1)
        found.origins = [item.origin for item in reversed(items) if item.origin]
        found.lost = [
            (span, Damage("lost to damage", span.first, span.stop, damage.missing))
            for span, damage in self._of("lost")
            if span.stop > found.trimmed
        ]
        return found

    def read(self, first: int, stop: int, max_bytes: int) -> Piece:
        piece, size, offset = Piece([], first), 0, -1
        for item in self._items:
            if not first <= item.id < stop:
                continue
            if size >= max_bytes and piece.stop > first:
                return piece
            self._lose(piece, item.id, offset, item.offset)
            fault = self._large.fault(item) if item.large else ""
            if fault:
                span = Span(item.id, item.id + 1, item.offset, item.offset + item.size)
                piece.lost.append((span, Damage(fault, span.first, span.stop)))
            else:
                piece.items.append(item)
            piece.stop, offset, size = item.id + 1, item.offset + item.size, size + item.size
        self._lose(piece, stop, offset, -1)
        piece.stop = stop
        return piece

    @staticmethod
    def _lose(piece: Piece, stop: int, begin: int, end: int) -> None:
        if piece.stop < stop:
            missing = Damage("items are missing", piece.stop, stop, True)
            piece.lost.append((Span(piece.stop, stop, begin, end), missing))

    def contents(self) -> Iterator[Entry]:
        for kind, value in list(self._records):
            if kind == "items":
                yield Block(value, value[0].id, value[-1].id + 1, "", sure=True)
            elif kind == "mark":
                yield Standing(value[1].next_id, value[1], "")

    def write(self, batch: Batch, sync: bool) -> None:
        if batch.large:
            self._large.publish([item for item in batch.items if item.large], sync)
        if batch.items:
            self._append("items", batch.items)
        if batch.marks:
            at = batch.next_id, batch.next_offset
            record = MarkRecord(batch.full, *at, 1, batch.marks, list(batch.kept), batch.paused)
            self._append("mark", (batch.number, record))
        if sync:
            self.sync()

    def view(self, item: Item) -> memoryview:
        return copied_view(self, self._large, item)

    def is_quick(self, size: int, trimming: bool) -> bool:
        return True

    def sync(self) -> None:
        self._large.sync_names()
        os.fdatasync(self._handle)

    def note_lost(self, lost: list[tuple[Span, Damage]]) -> None:
        for each in lost:
            self._append("lost", each)

    def trim(self, full: Batch, thorough: bool) -> Trimmed:
        gone, done = confirmed_by(full)
        self._large.trim(gone)
        return done

    def compact(self) -> None:
        pass

    def copy(self, directory: Path) -> None:
        (directory / self._path.name).write_bytes(self._path.read_bytes())

    def size(self) -> int:
        return self._path.stat().st_size + self._large.size()

    def rest(self) -> None:
        self.close()

    def close(self) -> None:
        if self._open_file is not None:
            os.close(self._open_file)
            self._open_file = None
