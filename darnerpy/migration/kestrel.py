"""Kestrel's queue directory: files of journals, and which of them make up which queue.

`<queue>` is the file being written, `<queue>.<ms>` one before it, and `<queue>.<ms>.pack` stands for
itself and all up to that time. A queue named `parent+child` is what was fanned out to a child: it
becomes the consumer `child` of `parent`, and its items go to that consumer alone. Only times and
places of items are kept in memory, never what is in them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..errors import DamageError
from .kestrel_journal import Record, Replay, read_pieces, read_records
from .report import QueueReport
from .source import LARGE, Content, Incoming, SourceQueue

__all__ = ["KestrelSource"]

_FILE_NAME = re.compile(rb"([^.~]+)(?:\.([0-9]+)(\.pack)?)?", re.DOTALL)
_NOW = 1 << 64
_BUFFER = 256 * 1024


class KestrelSource:
    def __init__(self, directory: Path) -> None:
        self.left_alone: list[str] = []
        journals: dict[bytes, list[_JournalFile]] = {}
        for name in sorted(os.listdir(os.fsencode(directory))):
            path = directory / os.fsdecode(name)
            match = _FILE_NAME.fullmatch(name)
            if match is None or not path.is_file():
                temporary = b"~~" in name and path.is_file()
                why = "temporary, its items are in other files" if temporary else "no journal"
                self.left_alone.append(f"{path}: {why}")
                continue
            stamp = int(match[2]) if match[2] else _NOW
            file = _JournalFile(path, stamp, bool(match[3]))
            journals.setdefault(_wire_name(match[1]), []).append(file)
        queues: dict[bytes, _KestrelQueue] = {}
        for name, files in sorted(journals.items()):
            parent, plus, child = name.partition(b"+")
            if not (plus and parent and child):
                parent, child = name, b""
            queue = queues.setdefault(parent, _KestrelQueue(parent))
            queue.add(child, self._in_use(files))
        self.queues: list[SourceQueue] = [queue for _, queue in sorted(queues.items())]

    def _in_use(self, files: "list[_JournalFile]") -> "list[_JournalFile]":
        """Without the files that a pack stands for, in the order in which they were written."""
        packs = [file for file in files if file.is_pack]
        last = max(packs, key=lambda file: file.stamp, default=None)
        used = []
        for file in sorted(files, key=lambda file: file.stamp):
            if last is None or file is last or file.stamp > last.stamp:
                used.append(file)
            else:
                self.left_alone.append(f"{file.path}: its items are in {last.path.name}")
        return used


class _JournalFile:
    def __init__(self, path: Path, stamp: int, is_pack: bool) -> None:
        self.path = path
        self.stamp = stamp
        self.is_pack = is_pack
        self.size = path.stat().st_size


class _KestrelQueue:
    def __init__(self, name: bytes) -> None:
        self.name = name
        self.consumers: list[bytes] = []
        self.size = 0
        self._journals: dict[bytes, list[_JournalFile]] = {}

    def add(self, child: bytes, files: list[_JournalFile]) -> None:
        self._journals[child] = files
        self.size += sum(file.size for file in files)
        if child:
            self.consumers.append(child)

    @contextmanager
    def open(self, report: QueueReport) -> Iterator[Content]:
        yield Content(self.consumers, self._items(report))

    def _items(self, report: QueueReport) -> Iterator[Incoming]:
        for child, files in sorted(self._journals.items()):
            readers = frozenset({child}) if self.consumers else None
            yield from _remaining(files, readers, report)


def _remaining(
    files: list[_JournalFile], readers: frozenset[bytes] | None, report: QueueReport
) -> Iterator[Incoming]:
    """The items of one journal that wait: it is read once to learn which, and again to get them."""
    replay = Replay()
    for file in files:
        damage = len(report.damage)
        with _opened(file, report) as opened:
            for record in read_records(opened, file.size):
                replay.apply(record)
        replay.broken = replay.broken or len(report.damage) > damage
    if replay.broken and len(files) > 1:
        report.notes.append(
            "what was removed after the damage cannot be told: items may come again"
        )
    some, rest = replay.waiting()
    number = 0
    for file in files:
        with _opened(file, report) as opened:
            for record in read_records(opened, file.size):
                if record.adds:
                    if number >= rest or number in some:
                        yield _incoming(file.path, opened, record, readers)
                    number += 1


@contextmanager
def _opened(file: _JournalFile, report: QueueReport) -> Iterator[BinaryIO]:
    """The file, for as long as it can be read; damage, found each time anew, is told once."""
    try:
        with file.path.open("rb", buffering=_BUFFER) as opened:
            yield opened
    except DamageError as error:
        damage = f"{file.path}: {error}"
        if damage not in report.damage:
            report.damage.append(damage)


def _incoming(
    path: Path, file: BinaryIO, record: Record, readers: frozenset[bytes] | None
) -> Incoming:
    if record.size > LARGE:
        pieces = partial(read_pieces, path, record.at, record.size)
        return Incoming(record.size, None, record.created, record.expiry, readers, pieces)
    file.seek(record.at)
    data = file.read(record.size)
    if len(data) < record.size:
        raise DamageError("the file became shorter while it was read")
    return Incoming(record.size, data, record.created, record.expiry, readers)


def _wire_name(file_name: bytes) -> bytes:
    """A queue's name as clients know it, from its file's: Kestrel took each byte for a letter."""
    try:
        return file_name.decode("utf-8").encode("latin-1")
    except UnicodeError:
        return file_name
