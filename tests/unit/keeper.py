"""A keeper of one queue in memory: what brokers and journals do to it, one small step at a time.

The journal is made of the real bytes (`records`), so that a restart reads what was truly written.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from darnerpy.config import QueueSettings
from darnerpy.errors import QueueFullError, ServerError
from darnerpy.journals import marks as mark_bytes
from darnerpy.journals import records
from darnerpy.journals.contract import Recovery
from darnerpy.journals.replay import replay
from darnerpy.queues.batches import Batch, Completion, Dependent, Lease, Returned
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.departures import Departure
from darnerpy.queues.items import MOVED, Item, Origin, bare
from darnerpy.queues.positions import Positions, Span
from darnerpy.queues.queue import Queue
from darnerpy.queues.upkeep import end_kept, upkeep
from darnerpy.queues.windows import Windows

__all__ = ["Arrival", "Disk", "Found", "Keeper", "ManualClock", "Reading", "SettingsBook"]


class ManualClock:
    """now: of the wall; `set` moves it against the monotonic one."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self._set_by = 0

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now - self._set_by

    def set(self, by: int) -> None:
        """Somebody moves the hands, so many milliseconds."""
        self.now += by
        self._set_by += by


class SettingsBook(dict[bytes, QueueSettings]):
    """Settings by consumer; who has none of its own has the queue's."""

    def of(self, consumer: bytes) -> QueueSettings:
        return self.get(consumer) or self.get(b"") or QueueSettings()


@dataclass
class Found:
    """What a restart finds on disk."""

    next_id: int = 1
    next_offset: int = 0
    batch: int = 0
    positions: dict[bytes, Positions] = field(default_factory=dict)
    returns: dict[bytes, dict[int, Returned]] = field(default_factory=dict)
    leases: dict[bytes, dict[int, Lease]] = field(default_factory=dict)
    kept: list[Span] = field(default_factory=list)
    delays: dict[int, int] = field(default_factory=dict)
    paused: int = 0


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
            self.entries.update([mark_bytes.encode_mark(batch, 1)])

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
                self._replay(found, mark_bytes.decode_mark(key, value))
            else:
                items, _, _ = records.decode_block(key, value)
                found.delays |= {item.id: item.due for item in items if item.due}
        for item in self.items():
            if item.id >= found.next_id:
                found.next_id, found.next_offset = item.id + 1, item.offset + item.size
        for name, returns in found.returns.items():
            for item_id in list(returns):
                if found.positions[name].is_confirmed(item_id):
                    del returns[item_id]
        for name, leases in found.leases.items():
            at = found.positions[name]
            found.leases[name] = {
                i: each for i, each in leases.items() if each.deadline and not at.is_confirmed(i)
            }
        self._check_against_journal(found)
        return found

    def _check_against_journal(self, found: Found) -> None:
        """A journal reads no more than since the last full mark, and finds the same."""
        marks: list[mark_bytes.MarkRecord] = []
        lowest = found.next_id
        recovery = Recovery()
        for key, value in sorted(self.entries.items(), reverse=True):
            item_id, kind, _ = records.split_key(key)
            lowest = item_id
            if kind == records.MARK:
                marks.append(mark_bytes.decode_mark(key, value))
                if marks[-1].full:
                    break
            else:
                items, _, _ = records.decode_block(key, value)
                recovery.delays += [(item.id, item.due) for item in items if item.due]
        replay(recovery, marks, lowest)
        assert {name: _stand(at) for name, at in recovery.positions.items()} == {
            name: _stand(at) for name, at in found.positions.items()
        }
        assert recovery.returns == {
            name: list(returns.values()) for name, returns in found.returns.items()
        }
        assert {name: list(leases) for name, leases in recovery.leases.items() if leases} == {
            name: list(leases.values()) for name, leases in found.leases.items() if leases
        }
        assert (recovery.kept, recovery.damage) == (found.kept, [])
        assert (dict(recovery.delays), recovery.paused) == (found.delays, found.paused)

    @staticmethod
    def _replay(found: Found, record: mark_bytes.MarkRecord) -> None:
        found.next_id, found.next_offset = record.next_id, record.next_offset
        found.paused = record.paused
        if record.full:
            found.kept = record.kept
            assert all(mark.whole for mark in record.marks)
            found.positions.clear()
            found.returns.clear()
            found.leases.clear()
            found.delays = dict(record.delays)
        for mark in record.marks:
            back = {each.id: each for each in mark.returns}
            if mark.whole:
                at = Positions(mark.position, mark.offset, mark.spans)
                found.positions[mark.consumer] = at
                found.returns[mark.consumer] = back
                found.leases[mark.consumer] = {each.id: each for each in mark.leases}
                continue
            at = found.positions[mark.consumer]
            for span in mark.spans:
                for piece in list(at.unconfirmed(span)):
                    at.confirm(piece)
            at.advance(mark.position, mark.offset)
            found.returns[mark.consumer].update(back)
            found.leases[mark.consumer].update({each.id: each for each in mark.leases})

    def read(self, epoch: int, first: int, stop: int, max_items: int) -> Reading:
        wanted = [item for item in self.items() if first <= item.id < stop][:max_items]
        assert [item.id for item in wanted] == list(range(first, first + len(wanted)))
        assert wanted, "only what is there may be asked for"
        lost = [
            Span(i.id, i.id + 1, i.offset, i.offset + i.size) for i in wanted if i.id in self.rotten
        ]
        whole = [item for item in wanted if item.id not in self.rotten]
        return Reading(epoch, first, wanted[-1].id + 1, whole, lost)


def _stand(at: Positions) -> tuple[int, int, list[Span]]:
    return at.position, at.offset, at.spans


class Keeper:
    """sealed: the batch being written. readings: the reads under way. failed: until `rejoin`.
    alarm: the earliest time at which the queue asked to be looked after, None if it did not.
    arrivals: what was moved here, and the commit that makes it so.

    on_lost: told which spans the queue is about to lose. find: the keepers of queues that items move to.
    """

    def __init__(
        self,
        disk: Disk,
        clock: ManualClock,
        windows: Windows,
        on_lost: Callable[[Span], None] = lambda span: None,
        settings: SettingsBook | None = None,
        name: bytes = b"work",
        find: Callable[[bytes], "Keeper"] | None = None,
    ) -> None:
        self.disk = disk
        self.clock = clock
        self.windows = windows
        self.settings = SettingsBook() if settings is None else settings
        self.sealed: Batch | None = None
        self.readings: dict[Consumer, Reading] = {}
        self.failed = False
        self.dirty = False
        self.alarm: int | None = None
        self.arrivals: dict[Origin, Completion] = {}
        self.find = find
        self._on_lost = on_lost
        self.queue = Queue(name, clock, windows, self._on_change, self.settings.of, self._on_alarm)
        found = disk.recover()
        self.queue.recover(
            found.next_id,
            found.next_offset,
            found.batch,
            found.positions,
            found.kept,
            {each: list(returns.values()) for each, returns in found.returns.items()},
            {each: list(leases.values()) for each, leases in found.leases.items()},
            delays=list(found.delays.items()),
            paused=found.paused,
        )
        leased = {i for leases in found.leases.values() for i in leases}
        self.queue.resume_leases({i.id: bare(i) for i in disk.items() if i.id in leased})
        end_kept(self.queue, clock.monotonic_ms())
        for item in disk.items():
            if item.origin is not None:
                self.arrivals[item.origin] = Completion(ended=True)

    def _on_change(self) -> None:
        batch = self.queue.batch
        assert not self.dirty or (batch is not None and batch.late), "told once a turn"
        self.dirty = True

    def _on_alarm(self, when: int) -> None:
        self.alarm = when if self.alarm is None else min(when, self.alarm)

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
        self.look_ahead()

    def commit(self) -> None:
        """Write all that changed."""
        if self.sealed is not None:
            self.write()
        self.seal()
        if self.sealed is not None:
            self.write()

    def fail(self, landed: bool) -> None:
        """The disk fails; whether the sealed batch came through is not known to the queue."""
        if landed and self.sealed is not None:
            self.disk.write(self.sealed)
        self.sealed = None
        self.readings.clear()
        self.dirty = False
        self.failed = True
        error = ServerError("the disk is on fire")
        self.queue.fail(error)
        for consumer in self.queue.consumers.values():
            self.queue.dismiss(consumer, error)

    def rejoin(self) -> None:
        found = self.disk.recover()
        at = found.next_id, found.next_offset, found.batch
        self.queue.rejoin(*at, found.positions, list(found.delays.items()), found.paused)
        self.failed = False
        self._on_alarm(0)

    # -- reading

    def missing(self, consumer: Consumer) -> tuple[int, int] | None:
        """The ids to read next; None if there are none, or none that are written."""
        missing = consumer.missing(self.queue.written)
        return missing if missing is not None and missing[0] < self.queue.written else None

    def start_read(self, max_items: int, consumer: Consumer | None = None) -> None:
        consumer = consumer or self.queue.own
        missing = self.missing(consumer)
        if consumer not in self.readings and missing is not None:
            self.readings[consumer] = self.disk.read(consumer.epoch, *missing, max_items)

    def finish_read(self, consumer: Consumer | None = None) -> None:
        consumer = consumer or self.queue.own
        reading = self.readings.pop(consumer)
        if reading.epoch == consumer.epoch:
            for span in reading.lost:
                self._on_lost(span)
                self.queue.lose(span, keep=True)
            self.queue.loaded(consumer, reading.items, reading.first, reading.stop)
        if consumer.excess:
            self.start_read(2, consumer)

    def look_ahead(self) -> None:
        """Read on before a window is empty, and what may have to leave."""
        for consumer in self.queue.consumers.values():
            room = consumer.loaded < self.windows.share // 2
            head = consumer.head
            unknown = head is not None and head.data is None and not head.large
            if room or unknown or consumer.awaited or consumer.excess:
                self.start_read(2, consumer)

    # -- in time

    @property
    def rings(self) -> bool:
        """Whether it is time to look after the queue."""
        return (
            not self.failed and self.alarm is not None and self.alarm <= self.clock.monotonic_ms()
        )

    def ring(self) -> None:
        """Do what is due, and have in memory what decides when more is."""
        self.alarm = None
        upkeep(self.queue, self.clock.monotonic_ms())
        self.look_ahead()

    def wait(self, ms: int) -> None:
        """Time passes; whatever becomes due meanwhile is done at its time, and settled."""
        end = self.clock.monotonic_ms() + ms
        self.settle()
        while self.alarm is not None and self.alarm <= end:
            self.clock.now += max(0, self.alarm - self.clock.monotonic_ms())
            self.settle()
        self.clock.now += end - self.clock.monotonic_ms()

    # -- moving

    def carry(self) -> None:
        """Put what leaves into the queues it goes to."""
        departures, self.queue.outgoing = self.queue.outgoing, []
        for departure in departures:
            self._carry(departure)

    def _carry(self, departure: Departure) -> None:
        assert self.find is not None, "nothing leaves for a queue that was not named"
        target, item = self.find(departure.target), departure.item
        name = departure.consumer.name
        origin = Origin(self.queue.name, name, item.id, departure.why, item.created)
        if target.failed:
            self.queue.left(departure, False)
            return
        commit = target.arrivals.get(origin)
        if commit is None or commit.error is not None:
            try:
                expiry = item.expiry if departure.why == MOVED else 0
                commit = target.queue.put(
                    item.data, item.size, item.flags, expiry, True, item.large, origin=origin
                )
            except QueueFullError:
                self.queue.left(departure, False)
                return
            target.arrivals[origin] = commit
        if commit.ended:
            self.queue.left(departure, True)
        else:
            commit.dependents.append(Arrival(self, departure, commit))

    # -- all of it

    @property
    def busy(self) -> bool:
        """Whether there is anything to do before time passes."""
        queue = self.queue
        waits = any(c.awaited and self.missing(c) for c in queue.consumers.values())
        return bool(queue.unwritten or self.readings or queue.outgoing or self.rings or waits)

    def settle(self) -> None:
        """Do all there is to do."""
        for _ in range(1000):
            if not self.busy:
                return
            self.step()
        raise AssertionError("works again and again on what does not help")

    def step(self) -> None:
        if self.readings:
            self.finish_read(next(iter(self.readings)))
        elif self.sealed is not None:
            self.write()
        elif self.queue.batch is not None:
            self.seal()
        elif self.rings:
            self.ring()
        elif self.queue.outgoing:
            self.carry()
        elif self.queue.unwritten:
            raise AssertionError("a batch that nobody writes")
        else:
            self.look_ahead()


class Arrival(Dependent):
    """Waits until an item is on disk where it went."""

    def __init__(self, source: Keeper, departure: Departure, commit: Completion) -> None:
        self._source = source
        self.departure = departure
        self._commit = commit

    def release(self) -> None:
        self._source.queue.left(self.departure, self._commit.error is None)
