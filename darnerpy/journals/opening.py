"""Opening a LevelDB in whatever state it was left, and telling what its errors mean.

Owns the options, the ladder of ever more forgiving ways to open (with all checks, without, repaired)
and the note that makes the next opening a repair. Whatever was given up on the way is reported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plyvel

from ..errors import JournalError, NewerFormatError
from .contract import Damage
from .durable import make_directory

__all__ = ["FAILURES", "WRITE_BUFFER", "Database", "journal_errors"]

WRITE_BUFFER = 1024 * 1024
"""Bytes LevelDB gathers in memory before it writes a table, unless other memory is given."""

FAILURES = (plyvel.Error, OSError, RuntimeError)

_OPTIONS: dict[str, Any] = {
    # The defaults map every table of a large backlog: 1483 MiB of RSS against 70.
    "max_open_files": 74,
    "max_file_size": 1024 * 1024,
    "lru_cache_size": 1024 * 1024,
}


class Database:
    """handle: the open LevelDB. damage: what had to be given up to open it. memory: bytes it gathers
    before it writes a table; filling them may make a write wait.

    Raises `JournalError` if it cannot be opened at all.
    """

    def __init__(self, path: Path, memory: int = WRITE_BUFFER) -> None:
        self.path = path
        self.memory = memory
        self.damage: list[Damage] = []
        self._options = _OPTIONS | {"write_buffer_size": memory}
        self._note = path.with_suffix(".repair")
        with journal_errors("open"):
            make_directory(path)
            self.handle = self._open()
            self._identity = self._look()

    def _open(self) -> plyvel.DB:
        path = os.fspath(self.path)
        if self._note.exists():
            return self._repair(self._note.read_text())
        if not (self.path / "CURRENT").exists() and any(self.path.glob("*.l[do][bg]")):
            return self._repair("CURRENT is not there")  # LevelDB would begin anew, and say nothing
        try:
            return plyvel.DB(path, create_if_missing=True, paranoid_checks=True, **self._options)
        except plyvel.CorruptionError as error:
            self.damage.append(Damage(f"LevelDB refused to open it: {_text(error)}"))
        try:
            return plyvel.DB(path, **self._options)
        except plyvel.CorruptionError as error:
            return self._repair(_text(error))

    def _repair(self, why: str) -> plyvel.DB:
        """Have LevelDB keep what it can still read; the files it cannot go into its `lost`."""
        self.damage.append(Damage(f"LevelDB is damaged and was repaired: {why}"))
        plyvel.repair_db(os.fspath(self.path), paranoid_checks=True)
        self._note.unlink(missing_ok=True)
        return plyvel.DB(os.fspath(self.path), create_if_missing=True, **self._options)

    def check_is_there(self) -> None:
        """Raises `OSError` if this is no longer what lies in its directory: it would be written to
        files that nobody finds again.
        """
        if self._look() != self._identity:
            raise FileNotFoundError(0, f"{self.path.parent.name} was taken away")

    def _look(self) -> int:
        return os.stat(self.path).st_ino

    def sync_logs(self) -> None:
        """Put on disk what was written without a sync."""
        # LevelDB's own sync reaches only its newest log; unsynced records may be in an older one.
        for entry in os.scandir(self.path):
            if entry.name.endswith(".log"):
                try:
                    handle = os.open(entry.path, os.O_RDONLY)
                except FileNotFoundError:
                    continue  # its items have just gone into a table, and tables are synced
                try:
                    os.fdatasync(handle)
                finally:
                    os.close(handle)

    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        for entry in os.scandir(self.path):
            try:
                total += entry.stat().st_size
            except FileNotFoundError:
                continue
        return total

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """As `journal_errors`; and what LevelDB cannot read is repaired at the next opening."""
        with journal_errors(what):
            try:
                yield
            except plyvel.Error as error:
                if _is_damage(error):
                    self._note.write_text(_text(error))
                raise


@contextmanager
def journal_errors(what: str) -> Iterator[None]:
    """Turn whatever LevelDB or the system says into a `JournalError` that says what was tried."""
    try:
        yield
    except NewerFormatError:
        raise
    except FAILURES as error:
        raise JournalError(f"cannot {what} the journal: {_text(error)}") from error


def _is_damage(error: plyvel.Error) -> bool:
    # "Invalid argument" is how LevelDB says that a table is shorter than it should be.
    return isinstance(error, plyvel.CorruptionError) or "Invalid argument" in _text(error)


def _text(error: Exception) -> str:
    text = error.args[0] if error.args else error
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(error)
