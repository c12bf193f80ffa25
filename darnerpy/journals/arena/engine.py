"""The engine `arena`: how its journals are found in a queue's directory, and opened."""

from collections.abc import Callable
from pathlib import Path

from ...config import QueueSettings
from ...errors import JournalError
from ..contract import Journal
from ..large import LargeFiles
from .files import Files, Folder
from .journal import ArenaJournal
from .segments import find_segments, number_of

__all__ = ["ArenaEngine"]

_DEFAULTS = QueueSettings()


class ArenaEngine:
    """folder: gives the files at a path; a simulation puts its own in."""

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
        return ArenaJournal(self._folder(directory / "arena"), name, large, settings.arena_size)

    def exists(self, directory: Path) -> bool:
        names = self._folder(directory / "arena").names()
        return any(number_of(name) for name in names)

    def name_in(self, directory: Path) -> bytes | None:
        """The queue whose journal lies in a directory; None if there is none."""
        try:
            found = find_segments(self._folder(directory / "arena"))
        except OSError as error:
            raise JournalError(f"cannot look at the journal: {error.strerror}") from error
        return found.name
