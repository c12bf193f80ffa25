"""The log under a queue: ids, consumers' places in it, and the batches that make both durable.

Owns what is confirmed and what is not, and how to take it back when a batch fails. Every change goes
into the batch of the turn; `on_change` is called when a batch begins, so that whoever keeps the queue
commits it. Its callers are `Queue`, which decides who gets which item, and the keeper of the journal.
Knows no journal, and reads time only from the clock it is given.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter

from ..clock import Clock
from ..config import QueueSettings
from ..errors import ServerError
from .batches import Batch, Returned
from .consumer import Consumer, Counters
from .fullmarks import FullMarks
from .items import Item
from .positions import Positions, Span, shared, span_of
from .windows import Windows

__all__ = ["OWN", "Log", "default_settings"]

OWN = b""
"""The name of a queue's own consumer."""


def default_settings(consumer: bytes) -> QueueSettings:
    """What holds for a queue of which nothing else was said."""
    return QueueSettings()


class Log:
    """next_id, next_offset: what the next item gets. batch: of this turn, None if nothing changed. number: of
    the last batch. unwritten: all batches that are not in the journal yet. written: ids below it are in
    the journal. past: counts of consumers that are no more. kept: spans that cannot be served but stay
    on disk. consumers: by name; own: the queue's, which has it all to itself unless there are others.
    """

    def __init__(
        self,
        name: bytes,
        clock: Clock,
        windows: Windows,
        on_change: Callable[[], None],
        settings: Callable[[bytes], QueueSettings] = default_settings,
    ) -> None:
        self.name = name
        self.past = Counters()
        self.kept: list[Span] = []
        self.next_id = 1
        self.next_offset = 0
        self.written = 1
        self.unwritten: list[Batch] = []
        self.batch: Batch | None = None
        self.number = 0
        self._full_marks = FullMarks()
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
        return next((batch for batch in self.unwritten if consumer in batch.founded), None)

    def drop(self, consumer: Consumer) -> Batch:
        """A named consumer is no more: who waits is told, who holds an item of it holds nothing."""
        batch = self._touch()
        batch.dropped.append(consumer)
        self.past.add(consumer.counters)
        batch.lasting = True
        batch.undo.append((consumer, consumer.undo))
        consumer.undo = []
        self._full_marks.wanted = True
        del self.consumers[consumer.name]
        self._consumers_changed()
        self._put_away(consumer, None)
        return batch

    def dismiss(self, consumer: Consumer, error: ServerError | None) -> None:
        """Send away all who wait."""
        for waiter in consumer.line.snapshot():
            consumer.line.leave(waiter)
            waiter.end(error)

    def _found(self, name: bytes) -> Consumer:
        settings = self._settings(name)
        consumer = Consumer(name, self._start(settings), settings)
        self.consumers[name] = consumer
        batch = self._touch()
        batch.founded.append(consumer)
        batch.lasting = True
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

    def _put_away(self, consumer: Consumer, error: ServerError | None) -> None:
        for held in list(consumer.open.values()):
            consumer.release(held)
        self.dismiss(consumer, error)
        consumer.forget_waiting(self.next_id)
        self._windows.settle(consumer)

    def _consumers_changed(self) -> None:
        self._all = list(self.consumers.values())
        self._following = [each for each in self._following if each.name in self.consumers]
        for consumer in self._all:
            self._follow(consumer)

    def _follow(self, consumer: Consumer) -> None:
        """New items are offered to a consumer from now on, if it has all that came before."""
        if consumer.loaded_to == self.next_id and not consumer.following:
            consumer.following = True
            self._following.append(consumer)

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
        return self.count(consumer) - consumer.aside <= 0

    # -- changing ----------------------------------------------------------------------------------

    def _touch(self) -> Batch:
        batch = self.batch
        if batch is None:
            self.number += 1
            batch = self.batch = Batch(self.number)
            self.unwritten.append(batch)
            self._on_change()
        return batch

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
        if consumer.returns:
            self._forget_return(consumer, item.id)
        consumer.moved = True
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

    def _catch_up(self, consumer: Consumer) -> bool:
        """Take from the unwritten batches what follows the window; whether there was anything."""
        room = self._windows.share
        before = consumer.loaded_to
        positions = consumer.positions
        for batch in self.unwritten:
            if batch.items and batch.items[-1].id >= consumer.loaded_to >= batch.items[0].id:
                for item in batch.items[consumer.loaded_to - batch.items[0].id :]:
                    if positions.is_confirmed(item.id):
                        consumer.loaded_to = item.id + 1  # put for another consumer only
                    elif not consumer.offer(item, room):
                        break
        self._follow(consumer)
        return consumer.loaded_to > before

    # -- what the keeper of the journal does -------------------------------------------------------

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
            batch.size += full.written(batch.number, self.next_id, self.next_offset, pieces)
        for consumer in self._all:
            if consumer.moved or batch.full:
                batch.marks.append(consumer.mark(batch.full))
                if consumer.undo:
                    batch.undo.append((consumer, consumer.undo))
                    consumer.undo = []
                if consumer.newly_returned:
                    consumer.newly_returned = []
                consumer.moved = consumer.flushed = False
            if consumer.loaded != consumer.settled:
                self._windows.settle(consumer)
        batch.next_id = self.next_id
        batch.next_offset = self.next_offset
        return batch

    def wrote(self, batch: Batch) -> None:
        """A sealed batch is in the journal; call before its dependents are released."""
        self.unwritten.remove(batch)
        self.written = batch.next_id

    def want_full_mark(self) -> None:
        """Make the next batch carry everyone's whole position, so that all before can be trimmed."""
        self._full_marks.wanted = True
        self._touch()

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
            # What everyone had confirmed is not lost, and may be deleted.
            self.kept += shared(each.positions for each in self._all).unconfirmed(span)
            self._full_marks.wanted = True
        for consumer in self._all:
            for item_id in [i for i in consumer.open if span.first <= i < span.stop]:
                consumer.release(consumer.open[item_id])
            consumer.forget(span.first, span.stop)
            for piece in consumer.positions.unconfirmed(span):
                consumer.positions.confirm(piece)
                consumer.undo.append(piece)
                consumer.moved = True
            for item_id in [i for i in consumer.returns if span.first <= i < span.stop]:
                self._forget_return(consumer, item_id)

    def recover(
        self,
        next_id: int,
        next_offset: int,
        batch: int,
        positions: dict[bytes, Positions],
        kept: list[Span],
        returns: dict[bytes, list[Returned]] | None = None,
    ) -> None:
        """Start from what a journal holds; batch: the number of the last one in it.

        A configured consumer that the journal does not know is new.
        """
        self.number = batch
        self.next_id = self.written = next_id
        self.next_offset = next_offset
        self.kept = kept
        self._full_marks.wanted = True
        self.own.restore(positions.get(OWN, Positions()))
        for name, at in positions.items():
            if name != OWN:
                consumer = self.consumers.get(name) or Consumer(name, at, self._settings(name))
                consumer.restore(at)
                self.consumers[name] = consumer
        for name, found in (returns or {}).items():
            if name in self.consumers:
                self.consumers[name].returns = {each.id: each for each in found}
        if batch or next_id > 1:
            for name in self.own.settings.consumers:
                if name not in positions:
                    self.consumers.pop(name, None)
                    self._found(name)
        self._following = []
        for consumer in self.consumers.values():
            for held in list(consumer.open.values()):
                if held.item.id >= next_id or consumer.positions.is_confirmed(held.item.id):
                    consumer.release(held)
            consumer.following = False
            consumer.first = consumer.positions.position
            self._windows.settle(consumer)
        self._consumers_changed()

    def fail(self, error: ServerError) -> None:
        """No batch that is not written will be: take back all they confirmed, forget all they put.

        Open reads whose answer was not sent are gone, consumers that were new as well; those that
        were dropped are back. The batches end with the error.
        """
        self.seal()
        batches, self.unwritten = self.unwritten, []
        for batch in reversed(batches):
            for consumer, undo in reversed(batch.undo):
                for step in reversed(undo):
                    consumer.take_back(step)
            for consumer in batch.founded:
                if self.consumers.pop(consumer.name, None) is consumer:
                    self.past.add(consumer.counters)
                self._put_away(consumer, error)
            for consumer in batch.dropped:
                if consumer not in batch.founded:
                    self.consumers[consumer.name] = consumer
                    self.past.add(consumer.counters, -1)
        for consumer in self.consumers.values():
            consumer.following = False
            for held in list(consumer.open.values()):
                if held.commit is not None and not held.commit.ended:
                    consumer.release(held)
            consumer.restore(consumer.positions)
            self._windows.settle(consumer)
        if batches:
            first = next((batch.items[0] for batch in batches if batch.items), None)
            if first is not None:
                self.next_id, self.next_offset = first.id, first.offset
                for consumer in self.consumers.values():
                    consumer.returns = {i: r for i, r in consumer.returns.items() if i < first.id}
        self._following = []
        self._consumers_changed()
        self._full_marks.wanted = True
        for batch in batches:
            batch.end(error)

    def rejoin(
        self, next_id: int, next_offset: int, batch: int, positions: Mapping[bytes, Positions]
    ) -> None:
        """The journal is open again after `fail` and holds items up to next_id.

        Positions are ours: what was confirmed and acknowledged stays so, what was refused does not.
        Only of items that were refused and are there all the same the journal knows whose they are.
        A configured consumer that was new when it failed is new again.
        """
        self.number = max(batch, self.number)
        unknown = Span(self.next_id, next_id, self.next_offset, next_offset)
        for name, at in positions.items() if unknown.first < unknown.stop else ():
            if name in self.consumers:
                ours = self.consumers[name].positions
                for piece in at.confirmed(unknown):
                    ours.confirm(piece)
        self.next_id = self.written = max(next_id, self.next_id)
        self.next_offset = max(next_offset, self.next_offset)
        for name in self.own.settings.consumers:
            self.consumer(name)
        self.want_full_mark()

    def dissolve(self, error: ServerError | None) -> None:
        """The queue is deleted: waiters are told, open reads end quietly."""
        for consumer in self._all:
            self._put_away(consumer, error)
            consumer.restore(Positions())
            self._windows.settle(consumer)
        batches, self.unwritten, self.batch = self.unwritten, [], None
        for batch in batches:
            batch.end(error)
