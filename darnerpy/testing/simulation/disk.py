"""A disk in memory that forgets what was not synced, and fails when chance has it.

Holds the databases of journals, behind the calls of LevelDB that journals make, so that the real
journal runs on it. After a kill everything written is there; after a power cut only what was synced and
some beginning of the rest. An injected failure leaves the write undone, or done, and says it failed.
"""

import errno
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...journals.leveldb.opening import WRITE_BUFFER, Database
from .pages import PageDisk

__all__ = ["Disk", "SimulatedDatabase"]

_Change = tuple[bytes, bytes | None]


class _Content:
    """What one database holds. pending: writes that are not synced, in order."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.synced: dict[bytes, bytes] = {}
        self.pending: list[list[_Change]] = []


class Disk:
    """fault_rate: the share of calls that fail. faults: how many have. pages: where arenas lie."""

    def __init__(self, chance: random.Random) -> None:
        self.fault_rate = 0.0
        self.faults = 0
        self.pages = PageDisk(chance)
        self.pages.fail = self.fail_perhaps
        self._chance = chance
        self._contents: dict[Path, _Content] = {}

    def open(self, path: Path, memory: int, compress: bool) -> Database:
        self.fail_perhaps("open")
        return SimulatedDatabase(self, path, self._contents.setdefault(path, _Content()))

    def directories(self, parent: Path) -> list[Path]:
        there = [
            *self._contents,
            *(path for path, each in self.pages.folders.items() if each.files),
        ]
        return sorted({path.parent for path in there if path.parent.parent == parent})

    def remove(self, directory: Path) -> bool:
        gone = [path for path in self._contents if path.parent == directory]
        for path in gone:
            del self._contents[path]
        folders = [path for path in self.pages.folders if path.parent == directory]
        for path in folders:
            del self.pages.folders[path]
        return bool(gone or folders)

    def cut_power(self) -> None:
        """What was not synced is gone, but for some beginning of it."""
        for content in self._contents.values():
            kept = self._chance.randint(0, len(content.pending))
            entries = dict(content.synced)
            for changes in content.pending[:kept]:
                _apply(entries, changes)
            content.entries, content.synced, content.pending = entries, dict(entries), []
        self.pages.cut_power()

    def fail_perhaps(self, what: str) -> None:
        if self.fault_rate and self._chance.random() < self.fault_rate:
            self.faults += 1
            raise OSError(errno.EIO, f"simulated failure to {what}")


class SimulatedDatabase(Database):
    def __init__(self, disk: Disk, path: Path, content: _Content) -> None:
        self.path = path
        self.damage = []
        self.quarantine = ""
        self.memory = WRITE_BUFFER
        self.compress = False
        self.handle: Any = _Handle(disk, content)

    def check_is_there(self) -> None:
        pass

    def sync_logs(self) -> None:
        self.handle.sync()

    def size(self) -> int:
        entries: dict[bytes, bytes] = self.handle.content.entries
        return sum(map(len, entries.values()))


class _Handle:
    """The calls of plyvel's DB that journals make."""

    def __init__(self, disk: Disk, content: _Content) -> None:
        self.content = content
        self._disk = disk

    def get(self, key: bytes, **options: Any) -> bytes | None:
        return self.content.entries.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.write([(key, value)], sync=False)

    def write_batch(self, sync: bool = False) -> "_Batch":
        return _Batch(self, sync)

    def write(self, changes: list[_Change], sync: bool) -> None:
        self._disk.fail_perhaps("write")
        _apply(self.content.entries, changes)
        self.content.pending.append(changes)
        if sync:
            self.sync()
        self._disk.fail_perhaps("finish a write")

    def sync(self) -> None:
        self._disk.fail_perhaps("sync")
        for changes in self.content.pending:
            _apply(self.content.synced, changes)
        self.content.pending.clear()

    @contextmanager
    def iterator(
        self,
        start: bytes,
        stop: bytes | None = None,
        include_stop: bool = False,
        reverse: bool = False,
        include_value: bool = True,
        **options: Any,
    ) -> Iterator[Iterable[Any]]:
        self._disk.fail_perhaps("read")
        keys = sorted(self.content.entries)
        first = bisect_left(keys, start)
        end = len(keys)
        if stop is not None:
            end = (bisect_right if include_stop else bisect_left)(keys, stop)
        chosen = keys[first:end]
        if reverse:
            chosen.reverse()
        entries = self.content.entries
        yield ((key, entries[key]) for key in chosen) if include_value else iter(chosen)

    def approximate_size(self, start: bytes, stop: bytes) -> int:
        return sum(len(v) for k, v in self.content.entries.items() if start <= k < stop)

    def compact_range(self, start: bytes, stop: bytes) -> None:
        self._disk.fail_perhaps("compact")

    def close(self) -> None:
        pass


class _Batch:
    def __init__(self, handle: _Handle, sync: bool) -> None:
        self._handle = handle
        self._sync = sync
        self._changes: list[_Change] = []

    def put(self, key: bytes, value: bytes) -> None:
        self._changes.append((key, value))

    def delete(self, key: bytes) -> None:
        self._changes.append((key, None))

    def clear(self) -> None:
        self._changes = []

    def write(self) -> None:
        self._handle.write(self._changes, self._sync)


def _apply(entries: dict[bytes, bytes], changes: list[_Change]) -> None:
    for key, value in changes:
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
