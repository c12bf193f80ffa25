"""A queue: a log of items with consumers, decided synchronously.

Owns ids, batches and who gets which item. Every change goes into the batch of the turn; `on_change`
is called when a batch begins, so that whoever keeps the queue commits it. Promises: strict order by
id, a returned item comes back to its place, no newcomer overtakes a waiter, END is never said while
the log holds an item. Knows no journal, and reads time only from the clock it is given.
"""

from collections.abc import Callable
from operator import attrgetter

from ..clock import Clock
from ..errors import ServerError
from .batches import Batch, Undo
from .consumer import Consumer, OpenRead
from .items import ITEM_OVERHEAD, Item
from .positions import Positions, Span, span_of
from .windows import Windows

__all__ = ["OWN", "Counters", "Queue"]

OWN = b""
"""The name of a queue's own consumer."""

_FULL_MARK_IDS = 10_000
_FULL_MARK_BATCHES = 1_000
_FULL_MARK_BYTES = 8 * 1024 * 1024
_MAX_SPANS = 100_000


class Counters:
    """What has happened since the queue was opened; counts of items unless said."""

    __slots__ = ("aborts", "discarded", "expired", "flushes", "opens")

    def __init__(self) -> None:
        self.opens = 0
        self.aborts = 0
        self.expired = 0
        self.discarded = 0
        self.flushes = 0


class Queue:
    """next_id, next_offset: what the next item gets. batch: of this turn, None if nothing changed.
    number: of the last batch. unwritten: all batches that are not in the journal yet. written: ids
    below it are in the journal. kept: spans that cannot be served but stay on disk.
    """

    def __init__(
        self, name: bytes, clock: Clock, windows: Windows, on_change: Callable[[], None]
    ) -> None:
        self.name = name
        self.counters = Counters()
        self.kept: list[Span] = []
        self.next_id = 1
        self.next_offset = 0
        self.written = 1
        self.own = Consumer(OWN, Positions())
        self.consumers = {OWN: self.own}
        self.unwritten: list[Batch] = []
        self._all = [self.own]
        self.batch: Batch | None = None
        self.number = 0
        self._full_due = True
        self._full_at_id = self._full_at_batch = self._full_at_offset = 0
        self._clock = clock
        self._windows = windows
        self._on_change = on_change

    # -- what clients do ---------------------------------------------------------------------------

    def put(
        self,
        data: bytes | None,
        size: int,
        flags: int,
        expiry: int,
        sync: bool = False,
        large: int = 0,
    ) -> Batch:
        """Append an item; it is readable at once. Returns the batch its acknowledgement waits for.

        large: number of the file that has the bytes; data is None then.
        """
        batch = self.batch
        if batch is None:
            batch = self._touch()
        item_id, offset = self.next_id, self.next_offset
        item = Item(item_id, size, data, flags, batch.created, expiry, offset, large)
        self.next_id = item_id + 1
        self.next_offset = offset + size
        batch.items.append(item)
        if large:
            batch.large = True
        else:
            batch.size += size
        if sync:
            batch.sync = True
        room = self._windows.share
        for consumer in self._all:
            if consumer.offer(item, room) and consumer.line.waiters:
                self.serve(consumer)
        return batch

    def take(self, consumer: Consumer) -> Item | None:
        """Take and confirm the next item. None: `is_empty` tells whether there is any to wait for."""
        if consumer.line.waiters:
            return None
        window = consumer.window
        if window and not consumer.returned and not window[0].expiry and window[0].data is not None:
            # The usual case, without the calls that the others need.
            item = window.popleft()
            consumer.loaded -= item.size + ITEM_OVERHEAD
            self._confirm(consumer, item)
            return item
        other = self._next(consumer)
        if other is not None:
            self._confirm(consumer, other)
        return other

    def open(self, consumer: Consumer) -> OpenRead | None:
        """Take the next item and hold it. Raises `ServerError` at the bound on open reads."""
        if consumer.line.waiters:
            return None
        self._check_spans(consumer)
        item = self._next(consumer)
        return None if item is None else self._hold(consumer, item)

    def peek(self, consumer: Consumer) -> Item | None:
        """The next item, left where it is."""
        item = self._next(consumer)
        if item is not None:
            consumer.put_back(item)
        return item

    def close(self, held: OpenRead) -> Batch | None:
        """Confirm an open read. Returns the batch to wait for, None if it was gone."""
        if held.gone:
            return None
        held.consumer.release(held)
        return self._confirm(held.consumer, held.item)

    def abort(self, held: OpenRead) -> None:
        """Return an open read to its place; the first waiter gets it at once."""
        if held.gone:
            return
        self.counters.aborts += 1
        held.consumer.release(held)
        held.consumer.put_back(held.item)
        self.serve(held.consumer)

    def give_back(self, consumer: Consumer, item: Item) -> None:
        """Undo a `take` of this turn: the item could not be handed over."""
        self._unconfirm(consumer, consumer.undo.pop())
        consumer.put_back(item)

    def flush(self) -> Batch:
        """Discard every waiting item for every consumer; open reads are left alone."""
        batch = self._touch()
        self.counters.flushes += 1
        for consumer in self._all:
            consumer.undo.append(consumer.positions.copy())
            consumer.flushed = True
            held = sorted(consumer.open)
            spans = (span_of(consumer.open[item_id].item) for item_id in held)
            consumer.positions.confirm_all_but(spans, self.next_id, self.next_offset)
            consumer.moved = True
            consumer.forget_waiting(self.next_id)
            self.serve(consumer)
        return batch

    @property
    def total_items(self) -> int:
        """Items ever put."""
        return self.next_id - 1

    def is_empty(self, consumer: Consumer) -> bool:
        """Whether no item is waiting, in memory or on disk."""
        return self.count(consumer) == 0

    def count(self, consumer: Consumer) -> int:
        """Items waiting for a consumer: not confirmed, not held."""
        at = consumer.positions
        return self.next_id - at.position - at.count_above - len(consumer.open)

    def backlog_bytes(self, consumer: Consumer) -> int:
        """Their bytes."""
        at = consumer.positions
        held = sum(read.item.size for read in consumer.open.values())
        return self.next_offset - at.offset - at.bytes_above - held

    def serve(self, consumer: Consumer) -> None:
        """Give what there is to those who wait. The first who wants an item gets the first item."""
        line = consumer.line
        while line.waiters:
            item = self._next(consumer)
            if item is None:
                break
            waiter = line.next()
            if not waiter.accept(item):
                consumer.put_back(item)
            elif waiter.peek:
                consumer.put_back(item)
                waiter.deliver(item, self.pending(item), None)
            elif waiter.open:
                held = self._hold(consumer, item)
                waiter.deliver(item, held.commit, held)
            else:
                waiter.deliver(item, self._confirm(consumer, item), None)
        if line.impatient and self.is_empty(consumer):
            for waiter in line.snapshot():
                if not waiter.patient:
                    line.leave(waiter)
                    waiter.end(None)

    # -- what the keeper of the journal does -------------------------------------------------------

    def seal(self) -> Batch | None:
        """Close the batch of the turn so that it can be written; None if nothing changed."""
        batch = self.batch
        if batch is None:
            return None
        self.batch = None
        if (
            self._full_due
            or self.next_id >= self._full_at_id
            or batch.number >= self._full_at_batch
            or self.next_offset >= self._full_at_offset
        ):
            batch.full = True
            self._full_due = False
            self._full_at_id = self.next_id + _FULL_MARK_IDS
            self._full_at_batch = batch.number + _FULL_MARK_BATCHES
            self._full_at_offset = self.next_offset + _FULL_MARK_BYTES
        for consumer in self._all:
            if consumer.moved or batch.full:
                batch.marks.append(consumer.mark(batch.full))
            if consumer.undo:
                batch.undo.append((consumer, consumer.undo))
                consumer.undo = []
            consumer.moved = consumer.flushed = False
            if consumer.loaded != consumer.settled:
                self._windows.settle(consumer)
        batch.next_id = self.next_id
        batch.next_offset = self.next_offset
        if batch.full:
            batch.kept = list(self.kept)
        return batch

    def wrote(self, batch: Batch) -> None:
        """A sealed batch is in the journal; call before its dependents are released."""
        self.unwritten.remove(batch)
        self.written = batch.next_id

    def low(self) -> tuple[int, int]:
        """The id, and its offset, below which every consumer has confirmed everything."""
        low = self.own.positions
        if len(self._all) > 1:
            low = min((consumer.positions for consumer in self._all), key=attrgetter("position"))
        return low.position, low.offset

    def want_full_mark(self) -> None:
        """Make the next batch carry everyone's whole position, so that all before can be trimmed."""
        self._full_due = True
        self._touch()

    def loaded(self, consumer: Consumer, items: list[Item], first: int, stop: int) -> None:
        """Items read from the journal: all there are of the ids from first up to stop."""
        consumer.load(items, first, stop)
        self._catch_up(consumer)
        self.serve(consumer)
        self._windows.settle(consumer)

    def lose(self, span: Span, keep: bool) -> None:
        """Ids that cannot be served (missing, damaged, cut off): every consumer passes over them.

        keep: what there is of them stays on disk. Offsets below 0 are not known.
        """
        end = span.end
        if end < 0:
            known = max(span.begin, self.own.positions.offset)
            end = self.next_offset if span.stop >= self.written else known
        span = Span(span.first, span.stop, span.begin if span.begin >= 0 else end, end)
        self._touch()
        if keep:
            self.kept.append(span)
            self._full_due = True
        for consumer in self._all:
            for item_id in [i for i in consumer.open if span.first <= i < span.stop]:
                consumer.release(consumer.open[item_id])
            consumer.forget(span.first, span.stop)
            for piece in consumer.positions.unconfirmed(span):
                consumer.positions.confirm(piece)
                consumer.undo.append(piece)
                consumer.moved = True

    def recover(
        self,
        next_id: int,
        next_offset: int,
        batch: int,
        positions: dict[bytes, Positions],
        kept: list[Span],
    ) -> None:
        """Start from what a journal holds; batch: the number of the last one in it."""
        self.number = batch
        self.next_id = self.written = next_id
        self.next_offset = next_offset
        self.kept = kept
        self._full_due = True
        for name, consumer in self.consumers.items():
            consumer.restore(positions.get(name, Positions()))
            self._windows.settle(consumer)

    def fail(self, error: ServerError) -> None:
        """No batch that is not written will be: take back all they confirmed, forget all they put.

        Open reads whose answer was not sent are gone. The batches end with the error.
        """
        self.seal()
        batches, self.unwritten = self.unwritten, []
        for batch in reversed(batches):
            for consumer, undo in reversed(batch.undo):
                for step in reversed(undo):
                    self._unconfirm(consumer, step)
        for consumer in self._all:
            for held in list(consumer.open.values()):
                if held.commit is not None and not held.commit.ended:
                    consumer.release(held)
            consumer.restore(consumer.positions)
            self._windows.settle(consumer)
        if batches:
            first = next((batch.items[0] for batch in batches if batch.items), None)
            if first is not None:
                self.next_id, self.next_offset = first.id, first.offset
        self._full_due = True
        for batch in batches:
            batch.end(error)

    def rejoin(self, next_id: int, next_offset: int, batch: int) -> None:
        """The journal is open again after `fail` and holds items up to next_id.

        Positions are ours: what was confirmed and acknowledged stays so, what was refused does not.
        """
        self.number = max(batch, self.number)
        self.next_id = self.written = max(next_id, self.next_id)
        self.next_offset = max(next_offset, self.next_offset)
        self.want_full_mark()

    def dissolve(self, error: ServerError | None) -> None:
        """The queue is deleted: waiters are told, open reads end quietly."""
        for consumer in self._all:
            for held in list(consumer.open.values()):
                consumer.release(held)
            self.dismiss(consumer, error)
            consumer.restore(Positions())
            self._windows.settle(consumer)

    def dismiss(self, consumer: Consumer, error: ServerError | None) -> None:
        """Send away all who wait."""
        for waiter in consumer.line.snapshot():
            consumer.line.leave(waiter)
            waiter.end(error)

    # -- inside ------------------------------------------------------------------------------------

    def _touch(self) -> Batch:
        batch = self.batch
        if batch is None:
            self.number += 1
            batch = self.batch = Batch(self.number, self._clock.now_ms())
            self.unwritten.append(batch)
            self._on_change()
        return batch

    def _next(self, consumer: Consumer) -> Item | None:
        while True:
            item = consumer.pop()
            if item is None:
                if consumer.loaded_to < self.next_id and self._catch_up(consumer):
                    continue
                return None
            if item.expiry and item.expiry <= self._clock.now_ms():
                self._confirm(consumer, item)
                self.counters.expired += 1
                continue
            return item

    def _catch_up(self, consumer: Consumer) -> bool:
        """Take from the unwritten batches what follows the window; whether there was anything."""
        room = self._windows.share
        before = consumer.loaded_to
        for batch in self.unwritten:
            if batch.items and batch.items[-1].id >= consumer.loaded_to >= batch.items[0].id:
                for item in batch.items[consumer.loaded_to - batch.items[0].id :]:
                    if not consumer.offer(item, room):
                        break
        return consumer.loaded_to > before

    def _confirm(self, consumer: Consumer, item: Item) -> Batch:
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
        consumer.moved = True
        return batch

    def _unconfirm(self, consumer: Consumer, step: Undo) -> None:
        if isinstance(step, Positions):
            consumer.positions = step
        else:
            consumer.positions.unconfirm(span_of(step) if isinstance(step, Item) else step)

    def _hold(self, consumer: Consumer, item: Item) -> OpenRead:
        self.counters.opens += 1
        commit = self.pending(item)
        batch = self.batch
        since = self._clock.now_ms() if batch is None else batch.created
        held = OpenRead(self, consumer, item, since, commit)
        consumer.hold(held)
        return held

    def pending(self, item: Item) -> Batch | None:
        """The batch that an item is still to be written with."""
        if item.id < self.written:
            return None
        for batch in self.unwritten:
            if batch.items and item.id <= batch.items[-1].id:
                return batch
        return None

    def _check_spans(self, consumer: Consumer) -> None:
        if len(consumer.positions.spans) >= _MAX_SPANS or len(consumer.open) >= _MAX_SPANS:
            raise ServerError(f"too many open reads, {_MAX_SPANS} are possible on one consumer")
