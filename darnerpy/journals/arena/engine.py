"""The engine `arena`: how its journals are found in a queue's directory, and opened."""

import os
from collections.abc import Callable
from pathlib import Path

from ...config import QueueSettings
from ...errors import JournalError
from ..contract import DiskJournal, Journal
from ..large import LargeFiles
from .files import Files, Folder
from .journal import ArenaJournal
from .segments import find_segments, number_of

__all__ = ["ArenaEngine"]

_DEFAULTS = QueueSettings()


class ArenaEngine:
    """folder: gives the files at a path; a simulation puts its own in."""

    name = "arena"
    on_disk = True

    def __init__(self, folder: Callable[[Path], Files] = Folder) -> None:
        self._folder = folder

    def open(
        self,
        directory: Path,
        name: bytes,
        large: LargeFiles,
        memory: int = 0,
        settings: QueueSettings = _DEFAULTS,
    ) -> Journal:
        most = settings.max_arenas_in_memory
        return ArenaJournal(self._in(directory), name, large, settings.arena_size, most)

    def exists(self, directory: Path) -> bool:
        return bool(self._in(directory).names())

    def name_in(self, directory: Path) -> bytes | None:
        try:
            found = find_segments(self._in(directory))
        except OSError as error:
            raise JournalError(f"cannot look at the journal: {error.strerror}") from error
        return found.name

    def look(self, directory: Path, scratch: Path, large: LargeFiles) -> DiskJournal:
        return ArenaJournal(self._in(directory), b"", large, as_it_is=True)

    def put_aside(self, directory: Path) -> str:
        return ""

    def is_final(self, path: Path) -> bool:
        number = number_of(path.name)
        return 0 < number < max(map(number_of, os.listdir(path.parent)))

    def _in(self, directory: Path) -> Files:
        return self._folder(directory / self.name)
