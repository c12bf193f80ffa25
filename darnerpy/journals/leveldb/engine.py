"""The engine `leveldb`: how its journals are found in a queue's directory, opened, and looked at.

Owns `leveldb/` in that directory, the note `leveldb.repair` and what is `damaged/`. A database cannot be
opened only to read, so to look at one a copy is opened that shares what never changes (`apart`).
"""

from collections.abc import Callable
from pathlib import Path

from ...config import QueueSettings
from ..contract import DiskJournal, Journal
from ..large import LargeFiles
from ..records import NAME_KEY
from .apart import is_table, open_apart
from .journal import LevelDbJournal
from .opening import WRITE_BUFFER, Database
from .quarantine import newest

__all__ = ["LevelDbEngine"]


_DEFAULTS = QueueSettings()


class LevelDbEngine:
    """opening: gives the database in a directory, with so much memory, compressed or not; a simulation
    puts its own in.
    """

    name = "leveldb"
    on_disk = True

    def __init__(self, opening: Callable[[Path, int, bool], Database] = Database) -> None:
        self._opening = opening

    def open(
        self,
        directory: Path,
        name: bytes,
        large: LargeFiles,
        memory: int = WRITE_BUFFER,
        settings: QueueSettings = _DEFAULTS,
    ) -> Journal:
        return self._open(directory, name, large, memory, settings.compression == "snappy")

    def exists(self, directory: Path) -> bool:
        if self._opening is not Database:
            return True
        try:
            return any((directory / self.name).iterdir())
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            return True  # whatever it is, opening it says so

    def name_in(self, directory: Path) -> bytes | None:
        path = directory / self.name
        if not (path / "CURRENT").exists():
            return None
        database = Database(path)
        try:
            with database.errors("open"):
                return database.handle.get(NAME_KEY, verify_checksums=True)
        finally:
            database.handle.close()

    def look(self, directory: Path, scratch: Path, large: LargeFiles) -> DiskJournal:
        if not (scratch / self.name).exists():
            open_apart(directory, scratch)
        return self._open(scratch, b"", large, WRITE_BUFFER, False)

    def put_aside(self, directory: Path) -> str:
        return newest(directory / self.name)

    def is_final(self, path: Path) -> bool:
        return is_table(path.name)

    def _open(
        self, directory: Path, name: bytes, large: LargeFiles, memory: int, compress: bool
    ) -> LevelDbJournal:
        return LevelDbJournal(self._opening(directory / self.name, memory, compress), name, large)
