"""A queue on disk, read without a server and without changing a byte of it.

Owns the way to everything that can still be read: where an engine gives up, what it looks at apart is
mended, as a server mends the queue itself, before anything is told. What was wrong on the way is in
`damage`.
"""

import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import JournalError, NewerFormatError
from ..journals.contract import Damage, DiskEngine, DiskJournal, Entry, Recovery
from ..journals.engines import DEFAULT, DISK_ENGINES, engine_in
from ..journals.large import LargeFiles
from ..names import file_name, from_file_name

__all__ = ["OfflineQueue", "open_queue"]


@contextmanager
def open_queue(directory: Path) -> Iterator["OfflineQueue"]:
    """The queue in a directory. Raises `JournalError` if nothing of it can be read."""
    engine = engine_in(directory, DISK_ENGINES.values()) or DEFAULT
    with tempfile.TemporaryDirectory(prefix="darnerpy-") as scratch:
        queue = OfflineQueue(engine, directory, Path(scratch))
        try:
            yield queue
        finally:
            queue.close()


class OfflineQueue:
    """engine: of its journal. directory: the queue's own; name: None if nothing tells it any more.
    journal: opened apart. found: what a server would go on from once it has met all that is damaged.
    large: its large items. damage: of the journal as a whole; grows while it is read. put_aside: where
    in the directory damaged files were put last, "" if none were.
    """

    def __init__(self, engine: DiskEngine, directory: Path, scratch: Path) -> None:
        self.engine = engine
        self.directory = directory
        self.large = LargeFiles(directory / "large")
        self.damage: list[Damage] = []
        self.put_aside = engine.put_aside(directory)
        self._scratch = scratch / "queue"
        self.journal = self._open()
        try:
            self.found = self._recover()
        except BaseException:
            self.journal.close()
            raise
        self.damage += self.found.damage
        self.name = self._name()

    def entries(self) -> Iterator[Entry]:
        """All that can be read, in order; `damage` tells of what cannot.

        Raises `NewerFormatError` for what a later version has written.
        """
        try:
            yield from self.journal.contents()
        except NewerFormatError:
            raise
        except JournalError as error:
            self.damage.append(Damage(str(error)))

    def close(self) -> None:
        self.journal.close()

    def _open(self) -> DiskJournal:
        """Open it apart; what could not be read before is mended first."""
        try:
            return self.engine.look(self.directory, self._scratch, self.large)
        except JournalError as error:
            self.damage.append(Damage(str(error)))
            return self.engine.look(self.directory, self._scratch, self.large)

    def _recover(self) -> Recovery:
        """Read everything once: where a read fails, the next opening mends it, and what is lost is only
        known then."""
        try:
            found = self.journal.recover()
            deque(self.journal.contents(), maxlen=0)
        except NewerFormatError:
            raise
        except JournalError as error:
            self.damage.append(Damage(str(error)))
            self.journal.close()
            self.journal = self._open()
            return self.journal.recover()
        return found

    def _name(self) -> bytes | None:
        name = self.found.name
        if name and file_name(name) == self.directory.name:
            return name
        if name or not self.damage:  # else that has taken it
            told = f"is {name!r}" if name else "is not there"
            self.damage.append(Damage(f"the name in the journal {told}"))
        return from_file_name(self.directory.name)
