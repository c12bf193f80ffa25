"""A keeper of one queue in memory: what brokers and journals do to it, one small step at a time.

The journal is made of the real bytes (`records`), so that a restart reads what was truly written.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from darnerpy.errors import ServerError
from darnerpy.journals import records
from darnerpy.queues.batches import Batch
from darnerpy.queues.items import Item
from darnerpy.queues.positions import Positions, Span
from darnerpy.queues.queue import OWN, Queue
from darnerpy.queues.windows import Windows

__all__ = ["Disk", "Found", "Keeper", "ManualClock", "Reading"]


class ManualClock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def now_ms(self) -> int:
        return self.now


@dataclass
class Found:
    """What a restart finds on disk."""

    next_id: int = 1
    next_offset: int = 0
    batch: int = 0
    positions: Positions = field(default_factory=Positions)
    kept: list[Span] = field(default_factory=list)


@dataclass
class Reading:
    """A read on its way: what it was for and what it found."""

    epoch: int
    first: int
    stop: int
    items: list[Item]
    lost: list[Span]


class Disk:
    """entries: keys and values as written. rotten: ids whose data cannot be read any more."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.rotten: set[int] = set()

    def write(self, batch: Batch) -> None:
        self.entries.update(records.encode_blocks(batch))
        if batch.marks:
            self.entries.update([records.encode_mark(batch, 1)])

    def items(self) -> list[Item]:
        found: list[Item] = []
        for key, value in sorted(self.entries.items()):
            if records.split_key(key)[1] == records.BLOCK:
                items, stop, wrong = records.decode_block(key, value)
                assert (stop, wrong) == (items[-1].id + 1, "")
                found += items
        return found

    def recover(self) -> Found:
        found = Found()
        for key, value in sorted(self.entries.items()):
            _, kind, number = records.split_key(key)
            if kind == records.MARK:
                found.batch = max(found.batch, number)
                self._replay(found, records.decode_mark(key, value))
        for item in self.items():
            if item.id >= found.next_id:
                found.next_id, found.next_offset = item.id + 1, item.offset + item.size
        return found

    @staticmethod
    def _replay(found: Found, record: records.MarkRecord) -> None:
        found.next_id, found.next_offset = record.next_id, record.next_offset
        if record.full:
            found.kept = record.kept
        for mark in record.marks:
            assert mark.consumer == OWN
            if mark.whole:
                found.positions = Positions(mark.position, mark.offset, mark.spans)
                continue
            for span in mark.spans:
                for piece in list(found.positions.unconfirmed(span)):
                    found.positions.confirm(piece)
            found.positions.advance(mark.position, mark.offset)

    def read(self, epoch: int, first: int, stop: int, max_items: int) -> Reading:
        wanted = [item for item in self.items() if first <= item.id < stop][:max_items]
        assert [item.id for item in wanted] == list(range(first, first + len(wanted)))
        assert wanted, "only what is there may be asked for"
        lost = [
            Span(i.id, i.id + 1, i.offset, i.offset + i.size) for i in wanted if i.id in self.rotten
        ]
        whole = [item for item in wanted if item.id not in self.rotten]
        return Reading(epoch, first, wanted[-1].id + 1, whole, lost)


class Keeper:
    """sealed: the batch being written. reading: the read under way. failed: until `rejoin`.

    on_lost: told which spans the queue is about to lose.
    """

    def __init__(
        self,
        disk: Disk,
        clock: ManualClock,
        windows: Windows,
        on_lost: Callable[[Span], None] = lambda span: None,
    ) -> None:
        self.disk = disk
        self.clock = clock
        self.windows = windows
        self.sealed: Batch | None = None
        self.reading: Reading | None = None
        self.failed = False
        self.dirty = False
        self.queue = Queue(b"work", clock, windows, self._on_change)
        self._on_lost = on_lost
        found = disk.recover()
        positions = {OWN: found.positions}
        self.queue.recover(found.next_id, found.next_offset, found.batch, positions, found.kept)

    def _on_change(self) -> None:
        assert not self.dirty, "told once a turn"
        self.dirty = True

    # -- writing

    def seal(self) -> None:
        """Begin to write what changed."""
        self.sealed = self.queue.seal()
        self.dirty = False

    def write(self) -> None:
        """The sealed batch is on disk."""
        batch, self.sealed = self.sealed, None
        assert batch is not None
        self.disk.write(batch)
        self.queue.wrote(batch)
        batch.end(None)
        if self.queue.own.loaded < self.windows.share // 2:
            self.start_read(2)  # look ahead

    def fail(self, landed: bool) -> None:
        """The disk fails; whether the sealed batch came through is not known to the queue."""
        if landed and self.sealed is not None:
            self.disk.write(self.sealed)
        self.sealed = self.reading = None
        self.dirty = False
        self.failed = True
        error = ServerError("the disk is on fire")
        self.queue.fail(error)
        self.queue.dismiss(self.queue.own, error)

    def rejoin(self) -> None:
        found = self.disk.recover()
        self.queue.rejoin(found.next_id, found.next_offset, found.batch)
        self.failed = False

    # -- reading

    @property
    def missing(self) -> tuple[int, int] | None:
        """The ids to read next; None if there are none, or none that are written."""
        missing = self.queue.own.missing(self.queue.written)
        return missing if missing is not None and missing[0] < self.queue.written else None

    def start_read(self, max_items: int) -> None:
        if self.reading is None and self.missing is not None:
            self.reading = self.disk.read(self.queue.own.epoch, *self.missing, max_items)

    def finish_read(self) -> None:
        reading, self.reading = self.reading, None
        assert reading is not None
        if reading.epoch == self.queue.own.epoch:
            for span in reading.lost:
                self._on_lost(span)
                self.queue.lose(span, keep=True)
            self.queue.loaded(self.queue.own, reading.items, reading.first, reading.stop)

    def settle(self) -> None:
        """Do all there is to do."""
        steps = 0
        while (
            self.queue.unwritten or self.reading or (self.missing and self.queue.own.line.waiters)
        ):
            steps += 1
            assert steps < 1000, "reads again and again what does not help"
            if self.reading is not None:
                self.finish_read()
            elif self.sealed is not None:
                self.write()
            elif self.queue.batch is not None:
                self.seal()
            else:
                self.start_read(2)
