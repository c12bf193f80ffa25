"""A queue on disk, read without a server and without changing a byte of it.

Owns the way to everything that can still be read: where LevelDB gives up, a copy is mended, as a server
mends the queue itself, before anything is told. What was wrong on the way is in `damage`.
"""

import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import DamageError, JournalError, NewerFormatError
from ..journals.contract import Damage, Recovery
from ..journals.large import LargeFiles
from ..journals.leveldb.journal import LevelDbEngine, LevelDbJournal
from ..journals.marks import MarkRecord, decode_mark
from ..journals.records import BLOCK, decode_block, split_key
from ..names import file_name, from_file_name
from ..queues.items import Item
from .copies import open_apart

__all__ = ["Block", "Entry", "OfflineQueue", "Standing", "open_queue"]


class Block(NamedTuple):
    """Items that are whole, of the ids from first up to stop. wrong: what the others have; "" is nothing.

    sure: stop is what was written; if not, there may have been more.
    """

    items: list[Item]
    first: int
    stop: int
    wrong: str
    sure: bool


class Standing(NamedTuple):
    """A mark: where consumers stood when the next id to come was this one. record: None if damaged."""

    next_id: int
    record: MarkRecord | None
    wrong: str


Entry = Block | Standing


@contextmanager
def open_queue(directory: Path) -> Iterator["OfflineQueue"]:
    """The queue in a directory. Raises `JournalError` if nothing of it can be read."""
    with tempfile.TemporaryDirectory(prefix="darnerpy-") as scratch:
        queue = OfflineQueue(directory, Path(scratch))
        try:
            yield queue
        finally:
            queue.close()


class OfflineQueue:
    """directory: the queue's own; name: None if nothing tells it any more. found: what a server would
    go on from once it has met all that is damaged. large: its large items. damage: of the database as
    a whole; grows while it is read.
    """

    def __init__(self, directory: Path, scratch: Path) -> None:
        self.directory = directory
        self.large = LargeFiles(directory / "large")
        self.damage: list[Damage] = []
        self._scratch = scratch / "queue"
        open_apart(directory, self._scratch)
        self._journal = self._open()
        try:
            self.found = self._recover()
        except BaseException:
            self._journal.close()
            raise
        self.damage += self.found.damage
        self.name = self._name()

    def entries(self) -> Iterator[Entry]:
        """All that can be read, in order; `damage` tells of what cannot.

        Raises `NewerFormatError` for what a later version has written.
        """
        try:
            for key, value in self._journal.entries():
                yield _decode(key, value)
        except NewerFormatError:
            raise
        except JournalError as error:
            self.damage.append(Damage(str(error)))

    def close(self) -> None:
        self._journal.close()

    def _open(self) -> LevelDbJournal:
        """Open the copy; what could not be read before is repaired first."""
        engine = LevelDbEngine()
        try:
            journal = engine.open(self._scratch, b"", self.large)
        except JournalError as error:
            self.damage.append(Damage(str(error)))
            journal = engine.open(self._scratch, b"", self.large)
        assert isinstance(journal, LevelDbJournal)
        return journal

    def _recover(self) -> Recovery:
        """Read everything once: where a read fails, the next opening mends it, and what is lost is only
        known then."""
        try:
            found = self._journal.recover()
            deque(self._journal.entries(), maxlen=0)
        except NewerFormatError:
            raise
        except JournalError as error:
            self.damage.append(Damage(str(error)))
            self._journal.close()
            self._journal = self._open()
            return self._journal.recover()
        return found

    def _name(self) -> bytes | None:
        name = self.found.name
        if name and file_name(name) == self.directory.name:
            return name
        told = f"is {name!r}" if name else "is not there"
        self.damage.append(Damage(f"the name in the journal {told}"))
        return from_file_name(self.directory.name)


def _decode(key: bytes, value: bytes) -> Entry:
    try:
        first, kind, _ = split_key(key)
    except DamageError as error:
        return Standing(0, None, str(error))
    if kind == BLOCK:
        try:
            items, stop, wrong = decode_block(key, value)
        except DamageError as error:
            return Block([], first, first + 1, str(error), sure=False)
        return Block(items, first, stop, wrong, sure=True)
    try:
        return Standing(first, decode_mark(key, value), "")
    except DamageError as error:
        return Standing(first, None, str(error))
