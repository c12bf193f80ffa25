"""A copy of a LevelDB that shares what never changes, so that it can be opened and even be mended there.

Tables are written once and then only removed, so the copy links to them; all else, a few megabytes, is
copied.
"""

import os
import re
import shutil
from pathlib import Path

from ...errors import DamageError
from .format import read_manifest
from .quarantine import unfinished

__all__ = ["is_table", "open_apart"]

_TABLE = re.compile(r"(\d+)\.(?:ldb|sst)")
_NOT_DATA = ("LOCK", "LOG", "LOG.old")


def is_table(name: str) -> bool:
    return _TABLE.fullmatch(name) is not None


def open_apart(directory: Path, scratch: Path) -> None:
    """Have the journal of a queue's directory in scratch, to be opened there.

    Whatever is done to it there, even a repair, changes no byte of the journal itself.
    """
    source, target = directory / "leveldb", scratch / "leveldb"
    target.mkdir(parents=True)
    live = _live_tables(source)
    for entry in os.scandir(source) if source.exists() else ():
        table = _TABLE.fullmatch(entry.name)
        if entry.name in _NOT_DATA or not entry.is_file():
            continue
        if table and (live is None or int(table[1]) in live):
            (target / entry.name).symlink_to(Path(entry.path).absolute())
        else:  # LevelDB may give the number of a table that is not in use to a new one
            shutil.copyfile(entry.path, target / entry.name)
    note = directory / "leveldb.repair"
    if note.exists():
        shutil.copyfile(note, scratch / note.name)
    for folder in unfinished(source):
        _share_quarantine(folder, scratch / folder.relative_to(directory))


def _share_quarantine(folder: Path, target: Path) -> None:
    """Have what is in quarantine, and is not won back yet, in another directory: nothing changes it."""
    target.mkdir(parents=True)
    for entry in os.scandir(folder):
        (target / entry.name).symlink_to(Path(entry.path).absolute())


def _live_tables(database: Path) -> set[int] | None:
    """The tables in use; None if that cannot be known: then LevelDB will not open it unrepaired,
    and a repair gives no number twice."""
    try:
        name = (database / "CURRENT").read_text().strip()
        levels = read_manifest((database / name).read_bytes()).levels
        return {number for tables in levels.values() for number in tables}
    except (OSError, UnicodeDecodeError, DamageError):
        return None
