"""Reading a LevelDB that another server left, without changing a byte of it.

LevelDB itself cannot open a database only to read: it writes logs into tables and deletes files. It
also calls a foreign order of keys from a thread of its own, in which Python's comparators can block
each other for good. So the files are read here: the logs into memory (they are a few MiB), the tables
entry by entry, merged in order of keys, of which the newest version counts.
"""

import fcntl
import os
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..errors import DamageError
from ..journals.leveldb.format import (
    FOOTER_BYTES,
    TRAILER_BYTES,
    Handle,
    Manifest,
    Table,
    decode_block,
    index_handle,
    read_batch,
    read_handle,
    read_log,
    read_manifest,
    unpack_block,
)
from .report import QueueReport
from .source import SourceError

__all__ = ["BYTEWISE", "Database", "Order", "database_size", "is_database", "open_database"]

_TABLE = re.compile(r"(\d+)\.(?:ldb|sst)")
_LOG = re.compile(r"(\d+)\.log")
_MANIFEST = re.compile(r"MANIFEST-[0-9]+")
_TAG_BYTES = 8
_DELETED = 0
_LAST = b"\xff" * 1024
"""Above every key of a queue."""

_CACHED_BLOCKS = 64
_CACHED_BLOCK_BYTES = 64 * 1024
_CACHED_INDEXES = 64


class Order(NamedTuple):
    """comparator: the name of an order of keys. sortable: makes of a key what sorts as bytes do."""

    comparator: bytes
    sortable: Callable[[bytes], bytes]


BYTEWISE = Order(b"leveldb.BytewiseComparator", bytes)

_Entry = tuple[bytes, int, bytes]
"""A sortable key; its tag, turned over, so that what is newer comes first; a value."""


def is_database(path: Path) -> bool:
    """Whether a directory has files of a LevelDB."""
    try:
        names = os.listdir(path)
    except NotADirectoryError:
        return False
    return any(n == "CURRENT" or n.startswith("MANIFEST-") or _TABLE.fullmatch(n) for n in names)


def database_size(path: Path) -> int:
    with os.scandir(path) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file())


@contextmanager
def open_database(path: Path, order: Order, report: QueueReport) -> Iterator["Database"]:
    """The database in a directory; damage is told to the report as it is found.

    Raises `SourceError` while another process has it open, or if its order of keys is another.
    """
    with ExitStack() as stack:
        try:
            lock = stack.enter_context((path / "LOCK").open("rb"))
        except FileNotFoundError:
            pass
        else:
            try:  # LevelDB itself uses the one kind of lock, its version in Go the other
                fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                raise SourceError(f"{path} is in use: stop its server first") from None
        yield Database(path, order, report)


class _Placed(NamedTuple):
    """A table and the entries it begins and ends with; which if that is not known."""

    number: int
    first: tuple[bytes, int]
    last: bytes


class Database:
    def __init__(self, path: Path, order: Order, report: QueueReport) -> None:
        self._path = path
        self._sortable = order.sortable
        self._report = report
        self._indexes: dict[int, list[_Block]] = {}
        self._blocks: dict[_Block, list[_Entry]] = {}
        names = sorted(os.listdir(path))
        self._names = {int(match[1]): name for name in names if (match := _TABLE.fullmatch(name))}
        manifest = self._read_manifest()
        if manifest is None:
            # What is in use cannot be told; but of each key the newest version counts.
            self._runs = [[_Placed(number, (b"", 0), _LAST)] for number in self._names]
            self._fresh = self._read_logs(0, 0)
            return
        if manifest.comparator != order.comparator:
            raise SourceError(
                f"{path}: keys are in the order {_text(manifest.comparator)},"
                f" {_text(order.comparator)} was expected"
            )
        self._runs = []
        for level, tables in manifest.levels.items():
            placed = sorted(map(self._place, tables.values()), key=lambda table: table.first)
            self._runs += [placed] if level else [[table] for table in placed]
        self._fresh = self._read_logs(manifest.log, manifest.previous_log)

    def entries(
        self, first: bytes = b"", stop: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys, as they sort, and values, from first up to stop; these are as they sort, too."""
        runs = [self._in_memory(first), *(self._in_tables(run, first, stop) for run in self._runs)]
        last: bytes | None = None
        for key, turned, value in merge(*runs):
            if stop is not None and key >= stop:
                return
            if key != last:
                last = key
                if ~turned & 0xFF != _DELETED:
                    yield key, value

    def last_key(self) -> bytes | None:
        """The last key there is, found from the last table on."""
        starts = {b"", *(table.first[0] for run in self._runs for table in run)}
        starts |= {self._fresh[-1][0]} if self._fresh else set()
        for start in sorted(starts, reverse=True):
            keys = deque((key for key, _ in self.entries(start)), maxlen=1)
            if keys:
                return keys[0]
        return None

    # -- logs --------------------------------------------------------------------------------------

    def _read_logs(self, first: int, previous: int) -> list[_Entry]:
        """What is in no table yet, sorted."""
        found: list[_Entry] = []
        for name in sorted(os.listdir(self._path)):
            match = _LOG.fullmatch(name)
            if match and (int(match[1]) >= first or int(match[1]) == previous):
                self._read_log(name, found)
        found.sort()
        return found

    def _read_log(self, name: str, found: list[_Entry]) -> None:
        def damaged(why: str) -> None:
            self._damaged(name, why)

        for record in read_log((self._path / name).read_bytes(), damaged):
            try:
                for key, tag, value in read_batch(record):
                    found.append((self._sortable(key), ~tag, value))
            except DamageError as error:
                damaged(f"a record is wrong: {error}")

    def _in_memory(self, first: bytes) -> Iterator[_Entry]:
        at = bisect_left(self._fresh, first, key=lambda entry: entry[0])
        return islice(self._fresh, at, None)

    # -- tables ------------------------------------------------------------------------------------

    def _place(self, table: Table) -> _Placed:
        return _Placed(table.number, self._split(table.smallest), self._split(table.largest)[0])

    def _split(self, key: bytes) -> tuple[bytes, int]:
        tag = int.from_bytes(key[-_TAG_BYTES:], "little")
        return self._sortable(key[:-_TAG_BYTES]), ~tag

    def _in_tables(self, run: list[_Placed], first: bytes, stop: bytes | None) -> Iterator[_Entry]:
        at = bisect_left(run, first, key=lambda table: table.last)
        for table in islice(run, at, None):
            if stop is not None and table.first[0] >= stop:
                return
            index = self._index(table.number)
            at = bisect_left(index, first, key=lambda block: block.last)
            for block in islice(index, at, None):
                for entry in self._read_block(block):
                    if entry[0] >= first:
                        yield entry

    def _index(self, number: int) -> "list[_Block]":
        """The blocks of a table."""
        index = self._indexes.get(number)
        if index is None:
            index = []
            try:
                for key, value in decode_block(self._read_index(number)):
                    index.append(_Block(number, read_handle(value), self._split(key)[0]))
            except (FileNotFoundError, DamageError) as error:
                self._damaged(self._name(number), f"the table cannot be read: {_why(error)}")
            _remember(self._indexes, number, index, _CACHED_INDEXES)
        return index

    def _read_index(self, number: int) -> bytes:
        with (self._path / self._name(number)).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - FOOTER_BYTES))
            handle = index_handle(file.read(FOOTER_BYTES))
        return self._contents(number, handle)

    def _read_block(self, block: "_Block") -> list[_Entry]:
        entries = self._blocks.get(block)
        if entries is None:
            entries = []
            try:
                for key, value in decode_block(self._contents(block.table, block.handle)):
                    entries.append((*self._split(key), value))
            except DamageError as error:
                where = f"byte {block.handle.offset}"
                self._damaged(self._name(block.table), f"{where}: a block is lost: {error}")
            if block.handle.size <= _CACHED_BLOCK_BYTES:
                _remember(self._blocks, block, entries, _CACHED_BLOCKS)
        return entries

    def _contents(self, number: int, handle: Handle) -> bytes:
        size = handle.size + TRAILER_BYTES
        with (self._path / self._name(number)).open("rb", buffering=0) as file:
            # Where an index is, is not checked: it may be anywhere, and of any size.
            if handle.offset + size > os.fstat(file.fileno()).st_size:
                raise DamageError("it is cut off")
            file.seek(handle.offset)
            stored = file.read(size)
        if len(stored) < size:
            raise DamageError("it became shorter while it was read")
        return unpack_block(stored)

    def _name(self, number: int) -> str:
        return self._names.get(number, f"{number:06}.ldb")

    # -- damage ------------------------------------------------------------------------------------

    def _read_manifest(self) -> Manifest | None:
        try:
            name = (self._path / "CURRENT").read_text("ascii").strip()
            if not _MANIFEST.fullmatch(name):
                raise DamageError(f"it names {name[:32]!r}, which is no MANIFEST")
            return read_manifest((self._path / name).read_bytes())
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError, DamageError) as error:
            self._damaged("CURRENT", f"what is in use cannot be told, all is read: {_why(error)}")
            return None

    def _damaged(self, file: str, why: str) -> None:
        damage = f"{self._path / file}: {why}"
        if damage not in self._report.damage:
            self._report.damage.append(damage)


class _Block(NamedTuple):
    """last: a key that is not below any of its own."""

    table: int
    handle: Handle
    last: bytes


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _remember(cache: dict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
    if len(cache) >= most:
        del cache[next(iter(cache))]
    cache[key] = value


def _why(error: Exception) -> str:
    return f"{error.filename} is not there" if isinstance(error, OSError) else str(error)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
