"""Every engine there is, and which of them a queue has: what lies in its directory decides, no setting.

The one list of them. To add an engine: a folder beside `leveldb/`, a line here, its name in
`config/settings.py`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from ..errors import JournalError
from .arena.engine import ArenaEngine
from .contract import DiskEngine, Engine
from .leveldb.engine import LevelDbEngine
from .memory import MemoryEngine

__all__ = ["DEFAULT", "DISK_ENGINES", "engine_in", "engines", "name_in"]

DISK_ENGINES: Mapping[str, DiskEngine] = {
    each.name: each for each in (LevelDbEngine(), ArenaEngine())
}
"""Those whose journals are files in a queue's directory, by name."""

DEFAULT: DiskEngine = LevelDbEngine()
"""The one a queue on disk gets if nothing is said."""

_Kind = TypeVar("_Kind", bound=Engine)


def engines() -> dict[str, Engine]:
    """All of them by name; who has the map may put others in."""
    return {**DISK_ENGINES, MemoryEngine.name: MemoryEngine()}


def engine_in(directory: Path, among: Iterable[_Kind]) -> _Kind | None:
    """The engine whose journal lies in a queue's directory; None if there is no journal.

    Raises `JournalError` if there are several: nobody can know which one is the queue's.
    """
    found = [engine for engine in among if engine.on_disk and engine.exists(directory)]
    if len(found) > 1:
        names = " and ".join(engine.name for engine in found)
        raise JournalError(
            f"{directory} has journals of {names}: one was expected; move the other elsewhere"
        )
    return found[0] if found else None


def name_in(directory: Path) -> bytes | None:
    """The queue whose journal lies in a directory; None if there is no journal. Raises `JournalError`."""
    engine = engine_in(directory, DISK_ENGINES.values())
    return None if engine is None else engine.name_in(directory)
