"""Opening a LevelDB in whatever state it was left, and telling what its errors mean.

Owns the options, the ladder of ever more forgiving ways to open (with all checks, without, repaired)
and the note that makes the next opening a repair. Before anything is given up on the way, the files are
put aside, and what can be is won back from them. Whatever was given up is reported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import DamagedJournalError, JournalError, NewerFormatError
from ..contract import Damage
from ..durable import make_directory
from . import plyvel
from .forks import check_not_forked
from .format import FOOTER_BYTES
from .quarantine import (
    discard,
    finish,
    is_cut,
    is_same,
    isolate,
    newest,
    no_cut,
    take_away,
    unfinished,
)
from .remains import break_in_manifest, damage_in, logs_are_in_order, strays, tables_in
from .salvage import Won, win_back

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
    """handle: the open LevelDB. damage: what had to be given up to open it. quarantine: the folder, in
    the queue's directory, with what was put there last; "" if nothing is. memory: bytes it gathers
    before it writes a table; filling them may make a write wait. compress: the tables it writes.

    Raises `JournalError` if it cannot be opened at all.
    """

    def __init__(self, path: Path, memory: int = WRITE_BUFFER, compress: bool = False) -> None:
        self.path = path
        self.memory = memory
        self.compress = compress
        self.damage: list[Damage] = []
        self.quarantine = ""
        self._options = _OPTIONS | {
            "write_buffer_size": memory,
            # LevelDB compresses unless told not to, and on the time of whoever puts.
            "compression": "snappy" if compress else None,
        }
        self._note = path.with_suffix(".repair")
        check_not_forked()
        with self.errors("open"):
            make_directory(path)
            self.handle = self._open()
            try:
                self.quarantine = newest(path)
                self._identity = self._look()
            except BaseException:
                self.handle.close()
                raise

    def _open(self) -> plyvel.DB:
        left = unfinished(self.path)
        why = self._unusable()
        if left:
            again = "mending it was cut off"
            cut = is_cut(left[-1])
            return self._mend(why or again, left[-1], repair=bool(why), everything=True, cut=cut)
        if why:
            return self._mend(why, repair=True)
        broken = break_in_manifest(self.path)
        if broken == "damaged":
            # LevelDB would take what is behind for never written.
            return self._mend("its list of files is damaged", repair=True, everything=True)
        if broken or strays(self.path):
            # As a power cut leaves it, too: then what it costs is told, and else nothing.
            return self._mend("its list of files ends too early", everything=True, cut=True)
        why = "" if logs_are_in_order(self.path) else damage_in(self.path)
        if why:
            return self._mend(why)
        try:
            return plyvel.DB(
                os.fspath(self.path), create_if_missing=True, paranoid_checks=True, **self._options
            )
        except plyvel.CorruptionError as error:
            refused = _text(error)
        if damage_in(self.path):
            return self._mend(refused)
        try:
            return plyvel.DB(
                os.fspath(self.path), **self._options
            )  # a power cut, and a clean beginning
        except plyvel.CorruptionError as error:
            return self._mend(_text(error))

    def _unusable(self) -> str:
        """Why it must be repaired before it is opened; "" if nothing tells so."""
        if self._note.exists():
            return self._note.read_text() or "a read failed"
        small = False
        files = current = False
        for entry in os.scandir(self.path):
            current = current or entry.name == "CURRENT"
            table = entry.name.endswith(".ldb")
            files = files or table or entry.name.endswith(".log")
            small = small or (table and entry.stat().st_size < FOOTER_BYTES)
        if files and not current:
            return "CURRENT is not there"  # LevelDB would begin anew, and say nothing
        for table_path in tables_in(self.path).values() if small else ():
            size = table_path.stat().st_size
            if size < FOOTER_BYTES:
                return f"{table_path.name} has only {size} bytes"
        return ""

    def _mend(
        self,
        why: str,
        folder: Path | None = None,
        repair: bool = False,
        everything: bool = False,
        cut: bool = False,
    ) -> plyvel.DB:
        """Open it whatever that takes, and win back what that has cost. folder: where its files were
        put aside; repair: do not try without; everything: look for it in the tables as well; cut: as a
        power cut leaves it, so that only what is lost is told.
        """
        folder = folder or isolate(self.path, cut)
        if cut and repair:
            no_cut(folder)
        try:
            handle, won = self._open_and_win_back(folder, repair, everything)
        except plyvel.Error as error:
            if repair or not _is_damage(error):
                raise
            why, repair = f"{why}; {_text(error)}", True
            if cut:
                no_cut(folder)
            handle, won = self._open_and_win_back(folder, repair, everything)
        try:
            self.sync_logs()
            self._note.unlink(missing_ok=True)
            if cut and not repair and not won.lost:
                discard(folder)  # an edit that was never finished
                return handle
            what = "is damaged and was repaired" if repair else "is damaged"
            told = f"LevelDB {what}: {why}; {won}; put aside in {folder.parent.name}/{folder.name}"
            if repair or not cut:  # else what is lost tells for itself
                self.damage.append(Damage(told))
            finish(self.path, folder, told)
        except BaseException:
            handle.close()
            raise
        return handle

    def _open_and_win_back(
        self, folder: Path, repair: bool, everything: bool
    ) -> tuple[plyvel.DB, Won]:
        path = os.fspath(self.path)
        if repair:
            # Keeps what LevelDB can still read.
            plyvel.repair_db(path, paranoid_checks=True, compression=self._options["compression"])
        else:
            take_away(strays(self.path), folder)
        tables = None
        if repair or everything:
            chosen = folder.glob("*.ldb") if everything else tables_in(folder).values()
            tables = [table for table in chosen if not is_same(table, self.path / table.name)]
        handle = plyvel.DB(path, create_if_missing=repair, **self._options)
        try:
            return handle, win_back(handle, folder, tables, repair)
        except BaseException:
            handle.close()
            raise

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
        kind = DamagedJournalError if _is_damage(error) else JournalError
        raise kind(f"cannot {what} the journal: {_text(error)}") from error


def _is_damage(error: Exception) -> bool:
    # "Invalid argument" is how LevelDB says that a table is shorter than it should be.
    return isinstance(error, plyvel.CorruptionError) or (
        isinstance(error, plyvel.Error) and "Invalid argument" in _text(error)
    )


def _text(error: Exception) -> str:
    text = error.args[0] if error.args else error
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(error)
