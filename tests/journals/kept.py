"""A queue on a journal, driven one step at a time: what a broker does, without threads."""

from pathlib import Path
from typing import Any

from darnerpy.config import QueueSettings
from darnerpy.errors import JournalError
from darnerpy.journals.contract import Engine, Recovery
from darnerpy.journals.large import LargeFiles
from darnerpy.queues.batches import Batch
from darnerpy.queues.items import Item
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows

__all__ = ["Kept", "StillClock", "read_all"]


class StillClock:
    def now_ms(self) -> int:
        return 1_700_000_000_000

    monotonic_ms = now_ms


class Kept:
    """directory: of the queue. queue, journal: as they are now. found: what the last recovery found.
    settings: from the next opening on.
    """

    def __init__(
        self, directory: Path, engine: Engine, *, name: bytes = b"work", **settings: Any
    ) -> None:
        self.settings = settings
        self._name = name
        self.directory = directory
        self._engine = engine
        self.open()

    def open(self) -> Recovery:
        self.large = LargeFiles(self.directory / "large")
        self.journal = self._engine.open(
            self.directory, self._name, self.large, 1 << 20, QueueSettings(**self.settings)
        )
        try:
            self.found = found = self.journal.recover()
        except JournalError:
            self.journal.close()
            raise
        self.large.clean(found.trimmed, found.next_id, found.kept)
        self.queue = Queue(self._name, StillClock(), Windows(1 << 30), lambda: None)
        self.queue.recover(
            found.next_id,
            found.next_offset,
            found.batch,
            found.positions,
            found.kept,
            found.returns,
            found.leases,
            found.delays,
            found.paused,
        )
        return found

    def close(self) -> None:
        self.journal.close()

    def reopen(self) -> Recovery:
        self.close()
        return self.open()

    def commit(self, sync: bool = False) -> None:
        batch = self.queue.seal()
        if batch is not None:
            self.journal.write(batch, sync)
            self.queue.wrote(batch)
            if self.journal.wants_full:
                self.queue.want_full_mark()

    def put(self, *items: bytes, sync: bool = False) -> None:
        """One batch of items."""
        for data in items:
            self.queue.put(data, len(data), 0, 0)
        self.commit(sync)

    def put_large(self, data: bytes) -> None:
        upload = self.large.upload()
        upload.write([data])
        upload.finish(True)
        self.queue.put(None, len(data), 0, 0, large=upload.number)
        self.commit(True)

    def load(self) -> None:
        """Read all that waits into the window."""
        queue, own = self.queue, self.queue.own
        while (missing := own.missing(queue.written)) is not None:
            piece = self.journal.read(*missing, 1 << 20)
            assert not piece.lost
            queue.loaded(own, piece.items, missing[0], piece.stop)

    def take(self, count: int) -> list[bytes | None]:
        """Take and confirm items, in one batch."""
        self.load()
        items = [self.queue.take(self.queue.own) for _ in range(count)]
        self.commit()
        return [item.data for item in items if item is not None]

    def trim(self) -> None:
        """As the broker's trimmer does: two full marks, delete what the older allows, compact."""
        full = self.commit_full()
        self.commit_full()
        self.journal.trim(full, thorough=True)
        self.journal.compact()

    def commit_full(self) -> Batch:
        self.queue.want_full_mark()
        batch = self.queue.batch
        assert batch is not None
        self.commit()
        return batch

    @property
    def waiting(self) -> list[bytes | None]:
        """The data of all items that are not confirmed, as the journal has them."""
        at, stop = self.queue.own.positions, self.queue.next_id
        items = read_all(self, at.position, stop)
        return [item.data for item in items if not at.is_confirmed(item.id)]


def read_all(kept: Kept, first: int, stop: int, max_bytes: int = 1 << 16) -> list[Item]:
    """Every item of these ids that the journal still has, piece by piece."""
    items: list[Item] = []
    while first < stop:
        piece = kept.journal.read(first, stop, max_bytes)
        assert first < piece.stop <= stop
        assert [item.id for item in piece.items] == sorted({item.id for item in piece.items})
        items += piece.items
        first = piece.stop
    return items
