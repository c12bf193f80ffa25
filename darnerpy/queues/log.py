"""The log under a queue: ids, consumers' places in it, and the batches that make both durable.

Owns what is confirmed and what is not. Every change goes into the batch of the turn; `on_change` is
called when a batch begins, so that whoever keeps the queue commits it. What happens is told to an
observer, if there is one. Knows no journal, and reads time only from the clock it is given.
"""

from collections.abc import Callable
from operator import attrgetter

from ..clock import Clock
from ..config import QueueSettings
from ..errors import ServerError
from .batches import PAUSED_GETS, Batch
from .consumer import Consumer
from .counters import Counters
from .delays import Delays
from .events import DELETE, RETURN, UNTOLD
from .fullmarks import FullMarks
from .items import Item
from .observer import Observer
from .open_reads import OpenRead
from .positions import Positions, Span, span_of
from .windows import Windows

__all__ = ["OWN", "Log"]

OWN = b""
"""The name of a queue's own consumer."""


class Log:
    """next_id, next_offset: what the next item gets. batch: of this turn, None if nothing changed. number: of
    the last batch. unwritten: all batches that are not in the journal yet. written: ids below it are in
    the journal. past: counts of consumers that are no more. kept: spans that cannot be served but stay
    on disk. delays: of items that are not due yet. paused: as `Batch` has it. consumers: by name; own: the
    queue's, which has it all to itself unless there are others. observer: None if nobody wants to know.
    """

    __slots__ = (
        "_all",
        "_clock",
        "_dropped",
        "_following",
        "_full_marks",
        "_on_change",
        "_pauses",
        "_settings",
        "_windows",
        "batch",
        "consumers",
        "delays",
        "kept",
        "name",
        "next_id",
        "next_offset",
        "number",
        "observer",
        "own",
        "past",
        "paused",
        "unwritten",
        "written",
    )

    def __init__(
        self,
        name: bytes,
        clock: Clock,
        windows: Windows,
        on_change: Callable[[], None],
        settings: Callable[[bytes], QueueSettings],
    ) -> None:
        self.name = name
        self.past = Counters()
        self.kept: list[Span] = []
        self.delays = Delays()
        self.paused = 0
        self.next_id = 1
        self.next_offset = 0
        self.written = 1
        self.unwritten: list[Batch] = []
        self.batch: Batch | None = None
        self.number = 0
        self._full_marks = FullMarks()
        self._dropped: list[tuple[int, Consumer]] = []
        self._pauses: list[tuple[int, int]] = []  # what was paused before a batch of that number
        self.observer: Observer | None = None
        self._clock = clock
        self._windows = windows
        self._on_change = on_change
        self._settings = settings
        self.own = Consumer(OWN, Positions(), settings(OWN))
        self.consumers = {OWN: self.own}
        for each in self.own.settings.consumers:
            self.consumers[each] = Consumer(each, Positions(), settings(each))
        self._all: list[Consumer] = []
        self._following: list[Consumer] = []
        self._consumers_changed()

    # -- consumers ---------------------------------------------------------------------------------

    def consumer(self, name: bytes) -> Consumer:
        """The consumer of that name; a new one, which starts where its settings say, if need be."""
        known = self.consumers.get(name)
        return self._found(name) if known is None else known

    def founding(self, consumer: Consumer) -> Batch | None:
        """The batch that makes a new consumer last, None if it does already."""
        number = consumer.founded
        return next((batch for batch in self.unwritten if batch.number == number), None)

    def drop(self, consumer: Consumer) -> Batch:
        """A named consumer is no more: who waits is told, who holds an item of it holds nothing."""
        batch = self._touch()
        batch.dropped = (*batch.dropped, consumer.name)
        batch.lasting = True
        self._dropped.append((batch.number, consumer))
        self._full_marks.wanted = True
        del self.consumers[consumer.name]
        self._consumers_changed()
        self._put_away(consumer, None)
        self._include(consumer)
        self.tell(DELETE, consumer, self.count(consumer), self.backlog_bytes(consumer))
        return batch

    def dismiss(self, consumer: Consumer, error: ServerError | None) -> None:
        """Send away all who wait."""
        for waiter in consumer.line.snapshot():
            consumer.line.leave(waiter)
            waiter.end(error)

    def found(self, name: bytes, at: Positions) -> Consumer:
        """A new consumer, which stands at a place."""
        return self._add_consumer(Consumer(name, at, self._settings(name)))

    def found_as(self, name: bytes, settings: QueueSettings) -> Consumer:
        """A new consumer, which starts where these settings say, whatever its own are."""
        consumer = self.found(name, self._start(settings))
        consumer.begun = settings.start, settings.copy_from
        return consumer

    def _found(self, name: bytes) -> Consumer:
        return self.found_as(name, self._settings(name))

    def _add_consumer(self, consumer: Consumer) -> Consumer:
        name = consumer.name
        self.consumers[name] = consumer
        batch = self._touch()
        batch.lasting = True
        consumer.founded = batch.number
        consumer.moved = consumer.flushed = True
        self._consumers_changed()
        return consumer

    def _start(self, settings: QueueSettings) -> Positions:
        """Where a new consumer stands: at the end, with another, or where the queue itself does."""
        model = self.consumers.get(settings.copy_from) if settings.copy_from else None
        if model is None and settings.start == "head":
            model = self.own
            if model.settings.fanout_only:
                model = min(self.consumers.values(), key=attrgetter("positions.position"))
        if model is None:
            return Positions(self.next_id, self.next_offset)
        return model.positions.copy()

    def _include(self, consumer: Consumer, times: int = 1) -> None:
        """What a consumer has counted is past; with times -1 no longer."""
        self.past.add(consumer.counters, times)
        self.past.confirmed += times * consumer.confirmed

    def _let_go(self, consumer: Consumer, held: OpenRead) -> None:
        """An open read is over, though its item was neither confirmed nor returned."""
        consumer.release(held)
        consumer.counters.let_go += 1

    def _put_away(self, consumer: Consumer, error: ServerError | None) -> None:
        for held in list(consumer.open.values()):
            self._let_go(consumer, held)
            self.tell(RETURN, consumer, held.item.id, held.item.size)
        self.dismiss(consumer, error)
        consumer.forget_waiting(self.next_id)
        consumer.settle(self._windows)

    def _consumers_changed(self) -> None:
        self._all = list(self.consumers.values())
        self._following = [each for each in self._following if each.name in self.consumers]
        for consumer in self._all:
            consumer.pause(self.paused & PAUSED_GETS > 0)
            self._follow(consumer)

    def _follow(self, consumer: Consumer) -> None:
        """New items are offered to a consumer from now on, if it has all that came before."""
        if consumer.loaded_to == self.next_id and not consumer.following:
            consumer.following = True
            self._following.append(consumer)

    # -- what happens ------------------------------------------------------------------------------

    def observe(self, due: Callable[[Observer], None] | None) -> None:
        """Have it observed what happens to items from now on, or not any more; due: see `Observer`."""
        if due is None:
            self.observer = None
        elif self.observer is None:
            self.observer = Observer(self.name, due)

    def tell(self, kind: int, consumer: Consumer, number: int, size: int) -> None:
        if self.observer is not None:
            self.observer.note(self.batch, kind, consumer, number, size)

    # -- counts ------------------------------------------------------------------------------------

    @property
    def total_items(self) -> int:
        """Items ever put and written: one that is refused after all never counts."""
        return self.written - 1

    def count(self, consumer: Consumer) -> int:
        """Items waiting for a consumer: not confirmed, not held."""
        at = consumer.positions
        return self.next_id - at.position - at.count_above - len(consumer.open)

    def backlog_bytes(self, consumer: Consumer) -> int:
        """Their bytes."""
        at = consumer.positions
        return self.next_offset - at.offset - at.bytes_above - consumer.open_bytes

    def is_empty(self, consumer: Consumer) -> bool:
        """Whether no item can be had now or when it is read from disk."""
        return self.count(consumer) - consumer.unavailable <= 0 or consumer.paused

    def is_drained(self, consumer: Consumer) -> bool:
        """As `is_empty`, also of what is only not handed out because that is paused."""
        return self.count(consumer) - consumer.unavailable <= 0

    # -- changing ----------------------------------------------------------------------------------

    def _touch(self) -> Batch:
        batch = self.batch
        if batch is None:
            self.number += 1
            batch = self.batch = Batch(self.number)
            self.unwritten.append(batch)
            self._on_change()
        return batch

    def _confirm(
        self, consumer: Consumer, item: Item, kind: int = UNTOLD, target: bytes = b""
    ) -> Batch:
        """kind, target: what it is for those who observe the queue."""
        batch = self.batch
        if batch is None:
            batch = self._touch()
        at = consumer.positions
        if item.id == at.position and not at.spans:
            at.position = item.id + 1
            at.offset = item.offset + item.size
        else:
            at.confirm(span_of(item))
        consumer.undo.append(item)
        if consumer.returns:
            self._forget_return(consumer, item.id)
        consumer.moved = True
        if self.observer is not None and kind != UNTOLD:
            self.observer.note(batch, kind, consumer, item.id, item.size, target)
        return batch

    def _forget_return(self, consumer: Consumer, item_id: int) -> None:
        known = consumer.returns.pop(item_id, None)
        if known is not None:
            consumer.undo.append(known)

    def pending(self, item: Item) -> Batch | None:
        """The batch that an item is still to be written with."""
        if item.id < self.written:
            return None
        for batch in self.unwritten:
            if batch.items and item.id <= batch.items[-1].id:
                return batch
        return None

    def turn_over(self) -> None:
        """What comes from now on comes later than what is in the batch that could not be sealed; in each
        turn that brings some `on_change` is called.
        """
        batch = self.batch
        if batch is not None:
            batch.late = True
            batch.created = batch.begun = 0

    # -- what is written ---------------------------------------------------------------------------

    def seal(self) -> Batch | None:
        """Close the batch of the turn so that it can be written; None if nothing changed."""
        batch = self.batch
        if batch is None:
            return None
        self.batch = None
        full = self._full_marks
        if (
            full.wanted
            or self.next_id >= full.at_id
            or batch.number >= full.at_batch
            or self.next_offset >= full.at_offset
        ):
            batch.full = True
            batch.kept = list(self.kept)
            pieces = len(self._all) - 1
            pieces += sum(len(each.positions.spans) + len(each.returns) for each in self._all)
            pieces += sum(len(each.leases.in_force) for each in self._all if each.leases)
            if len(self.delays):
                self.delays.tidy(self._clock.now_ms(), self._clock.monotonic_ms())
                batch.delays = self.delays.all()
                pieces += len(batch.delays)
            batch.size += full.written(batch.number, self.next_id, self.next_offset, pieces)
        for consumer in self._all:
            if consumer.moved or batch.full:
                batch.marks.append(consumer.mark(batch.full))
                if consumer.undo:
                    consumer.sealed(batch.number)
            if consumer.loaded != consumer.settled:
                consumer.settle(self._windows)
        batch.next_id = self.next_id
        batch.next_offset = self.next_offset
        batch.paused = self.paused
        return batch

    def operations(self, batch: Batch) -> int:
        """How many items the batch that was sealed last puts and confirms; what it does to a whole
        consumer is one more.
        """
        found = len(batch.items) + batch.lasting
        for consumer in self._all:
            if consumer.unwritten and consumer.unwritten[-1][0] == batch.number:
                found += sum(isinstance(step, Item) for step in consumer.unwritten[-1][1])
        return found

    def wrote(self, batch: Batch) -> None:
        """A sealed batch is in the journal; call before its dependents are released."""
        number = batch.number
        self.unwritten.remove(batch)
        self.written = batch.next_id
        for consumer in self._all:
            if consumer.unwritten:
                consumer.wrote(number)
        if self._dropped:
            self._dropped = [each for each in self._dropped if each[0] > number]
            for _, consumer in self._dropped:
                consumer.wrote(number)

    def want_full_mark(self) -> None:
        """Make the next batch carry everyone's whole position, so that all before can be trimmed."""
        self._full_marks.wanted = True
        self._touch()
