"""What the files of a LevelDB still hold, as they lie in a folder, whole or damaged.

Reads the logs and tables of one folder and changes none. Tells whether logs are damaged or only end as
a power cut leaves them: a break with something sound behind it is damage, for what is written last is
what a cut takes.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import DamageError
from ..records import BLOCK, split_block_head, split_key
from .format import Manifest, read_batch, read_manifest
from .logs import is_in_order, stretches
from .tables import read_table

__all__ = [
    "Doubt",
    "Entry",
    "Region",
    "Remains",
    "break_in_manifest",
    "damage_in",
    "id_in",
    "logs_are_in_order",
    "manifest_of",
    "strays",
    "table_parts",
    "tables_in",
]

_LOG = re.compile(r"(\d+)\.log")
_TABLE = re.compile(r"(\d+)\.(?:ldb|sst)")
_KEY_ID_BYTES = 8


class Entry(NamedTuple):
    """tag: the higher, the newer. value: empty for a deletion."""

    key: bytes
    tag: int
    value: bytes


class Region(NamedTuple):
    """Bytes in which something may lie, of ids from first up to stop; stop: 0 if it is not known."""

    data: bytes
    first: int
    stop: int


# -- what is in use, and whether it is whole -------------------------------------------------------


def manifest_of(database: Path) -> Manifest | None:
    """Which files are in use; None if that cannot be told."""
    try:
        return read_manifest(_manifest_bytes(database))
    except (OSError, ValueError, DamageError):
        return None


def _manifest_bytes(database: Path) -> bytes:
    name = (database / "CURRENT").read_text("ascii").strip()
    return (database / name).read_bytes()


def break_in_manifest(database: Path) -> str:
    """Whether the list of files is "damaged", or "cut": LevelDB takes it for whole as far as it goes.

    "" if it is whole, and if it cannot be read at all: then LevelDB refuses it. Cheap if it is whole.
    """
    try:
        manifest = _manifest_bytes(database)
    except (OSError, ValueError):
        return ""
    if is_in_order(manifest):
        return ""
    broken = False
    for stretch in stretches(manifest):
        if broken and stretch.record is not None:
            return "damaged"
        broken = broken or stretch.record is None
    return "cut"


def strays(database: Path) -> list[Path]:
    """Tables that the list of files does not know of, though it knows of older ones.

    A process that was killed leaves such a table, and what is in it is elsewhere too; but so does a
    list that has lost its end, and LevelDB would delete them, or write others over them.
    """
    tables = {int(m[1]): path for path in database.iterdir() if (m := _TABLE.fullmatch(path.name))}
    manifest = manifest_of(database) if tables else None
    if manifest is None:
        return []
    used = {number for level in manifest.levels.values() for number in level}
    return [
        path
        for number, path in sorted(tables.items())
        if number >= manifest.next_file and number not in used
    ]


def tables_in(database: Path) -> dict[int, Path]:
    """The tables in use; all if that cannot be told."""
    tables = {int(m[1]): path for path in database.iterdir() if (m := _TABLE.fullmatch(path.name))}
    manifest = manifest_of(database)
    if manifest is None:
        return tables
    used = {number for level in manifest.levels.values() for number in level}
    return {number: path for number, path in tables.items() if number in used}


def _logs_in(database: Path) -> list[Path]:
    """The logs in use, the oldest first; all if that cannot be told."""
    manifest = manifest_of(database)
    logs = {int(m[1]): path for path in database.iterdir() if (m := _LOG.fullmatch(path.name))}
    return [
        logs[number]
        for number in sorted(logs)
        if manifest is None or number >= manifest.log or number == manifest.previous_log
    ]


def logs_are_in_order(database: Path) -> bool:
    """Whether the logs lead from record to record to their ends. Cheap."""
    for name in os.listdir(database):
        if name.endswith(".log"):
            with open(os.path.join(database, name), "rb", buffering=0) as file:
                if not is_in_order(file.read()):
                    return False
    return True


def damage_in(database: Path) -> str:
    """What is wrong with the logs in use; "" if nothing is, or they end as a power cut leaves them."""
    cut = ""
    for path in _logs_in(database):
        log = path.read_bytes()
        broken = ""
        for stretch in stretches(log):
            if stretch.record is not None:
                if broken or cut:
                    return (broken and f"{path.name} is damaged") or cut
            else:
                broken = "cut" if stretch.cut else "damaged"
        if log and not log.strip(b"\0"):
            return f"{path.name} holds nothing but NULs"
        if broken == "damaged" or not (broken or is_in_order(log)):
            return f"{path.name} is damaged"
        if broken:
            cut = f"{path.name} ends too early"
    return ""


# -- what is in it ---------------------------------------------------------------------------------


class Doubt(NamedTuple):
    """Ids from first up to stop (0: unknown) that a power cut may have taken, if they are not there.

    at_end: only the last of them, up to stop: a log may have ended too early before the next began.
    """

    first: int
    stop: int
    at_end: bool

    def concerns(self, gap_first: int, gap_stop: int, next_id: int) -> bool:
        """Whether a gap of ids falls under it; next_id: the one after all that there were."""
        stop = self.stop or next_id
        if self.at_end:
            return gap_first < stop <= gap_stop
        return self.first < gap_stop and gap_first < stop


class Remains:
    """newest: the last entry of each key in the logs. regions: of the logs. doubts: where a power cut
    may be the cause of what is missing."""

    def __init__(self, folder: Path) -> None:
        self.newest: dict[bytes, Entry] = {}
        self.regions: list[Region] = []
        self.doubts: list[Doubt] = []
        self._next_id = 0
        self._open: list[bytes] = []
        self._in_doubt = self._between_logs = False
        logs = _logs_in(folder)
        for path in logs:
            self._read_log(path.read_bytes(), last=path == logs[-1])
            self._between_logs = True  # the next one may not begin where this one ends
        self._close(0)

    def take(self, entry: Entry) -> None:
        known = self.newest.get(entry.key)
        if known is None or known.tag <= entry.tag:
            self.newest[entry.key] = entry

    def is_deleted(self, entry: Entry) -> bool:
        """Whether something newer says so."""
        known = self.newest.get(entry.key)
        return known is not None and not known.value and known.tag > entry.tag

    def _read_log(self, log: bytes, last: bool) -> None:
        ended = False
        for stretch in stretches(log):
            if stretch.record is None:
                self._open.append(stretch.broken)
                ended = stretch.cut
                # Behind the end of a log nothing tells where in what is broken the next one begins.
                self._in_doubt = (
                    self._in_doubt or self._between_logs or stretch.cut or stretch.never_written
                )
                continue
            ended = False
            try:
                entries = [Entry(*fields) for fields in read_batch(stretch.record)]
            except DamageError:
                self._open.append(stretch.record)
            else:
                self._take_batch(entries)
        if last and ended and self._open:
            self._open.pop()  # it was being written: nobody was told of it

    def _take_batch(self, entries: Iterable[Entry]) -> None:
        begin, end = 0, self._next_id
        for entry in entries:
            self.take(entry)
            try:
                first, kind, _ = split_key(entry.key)
            except DamageError:
                continue
            if not entry.value:
                continue
            begin = min(begin or first, first)
            end = max(end, first + split_block_head(entry.value)[0] if kind == BLOCK else first)
        if begin and begin >= self._next_id:
            self._close(begin)
        self._next_id = end

    def _close(self, stop: int) -> None:
        """What was open lies before this id."""
        self.regions += [Region(data, self._next_id, stop) for data in self._open]
        if self._in_doubt or self._between_logs:
            self.doubts.append(Doubt(self._next_id, stop, at_end=not self._in_doubt))
        self._open = []
        self._in_doubt = self._between_logs = False


def table_parts(path: Path) -> Iterator[tuple[list[Entry], Region, bool]]:
    """What can be told of each part of a table; where more may lie, if that is not all; whether it is."""
    for part in read_table(path.read_bytes()):
        entries, data, whole = part.entries()
        stop = id_in(part.high) + 1 if part.high else 0
        yield [Entry(*each) for each in entries], Region(data, id_in(part.low), stop), whole


def id_in(key: bytes) -> int:
    """The id of a key, or of what lies between keys and may be shorter than one."""
    return int.from_bytes(key[:_KEY_ID_BYTES].ljust(_KEY_ID_BYTES, b"\0"), "big")
