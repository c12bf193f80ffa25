"""What a log learns from its journal: what it holds when it is opened, and that it is damaged or fails.

Owns how everyone's place is found again, and how to take back what no journal will hold. Open reads
whose answer was sent survive a failure; nobody is told anything that a batch was still to make true.
"""

from collections.abc import Mapping, Sequence

from ..errors import ServerError
from .batches import Lease, Returned
from .consumer import Consumer
from .events import DELETE
from .items import Item
from .leases import Leases
from .log import OWN, Log
from .positions import Positions, Span, shared

__all__ = ["RecoverableLog"]


class RecoverableLog(Log):
    __slots__ = ()

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
        self.delays.forget_from(span.first, span.stop)
        if keep:
            # What everyone had confirmed is not lost, and may be deleted.
            self.kept += shared(each.positions for each in self._all).unconfirmed(span)
            self._full_marks.wanted = True
        for consumer in self._all:
            for item_id in [i for i in consumer.open if span.first <= i < span.stop]:
                self._let_go(consumer, consumer.open[item_id])
                if consumer.leases is not None:
                    consumer.leases.end(item_id)
            consumer.forget(span.first, span.stop)
            for piece in consumer.positions.unconfirmed(span):
                consumer.positions.confirm(piece)
                consumer.counters.passed += piece.stop - piece.first
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
        leases: dict[bytes, list[Lease]] | None = None,
        delays: Sequence[tuple[int, int]] = (),
        paused: int = 0,
    ) -> None:
        """Start from what a journal holds; batch: the number of the last one in it.

        A configured consumer that the journal does not know is new.
        """
        self.number = batch
        self.next_id = self.written = next_id
        self.next_offset = next_offset
        self.kept = kept
        self.delays.recover(delays, self._clock.now_ms())
        self.paused = paused
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
        for name, under in (leases or {}).items():
            if name in self.consumers and under:
                self.consumers[name].leases = Leases(under)
        if batch or next_id > 1:
            for name in self.own.settings.consumers:
                if name not in positions:
                    self.consumers.pop(name, None)
                    self._found(name)
        self._following = []
        for consumer in self.consumers.values():
            for held in list(consumer.open.values()):
                if held.item.id >= next_id or consumer.positions.is_confirmed(held.item.id):
                    self._let_go(consumer, held)
            consumer.following = False
            consumer.first = consumer.positions.position
            consumer.settle(self._windows)
        self._consumers_changed()

    def fail(self, error: ServerError) -> None:
        """No batch that is not written will be: take back all they confirmed, forget all they put.

        Open reads whose answer was not sent are gone, consumers that were new as well; those that
        were dropped are back. The batches end with the error.
        """
        self.batch = None
        batches, self.unwritten = self.unwritten, []
        first_number = batches[0].number if batches else self.number + 1
        for consumer in self._all:
            if consumer.founded >= first_number:
                del self.consumers[consumer.name]
                self._put_away(consumer, error)
                self._include(consumer)
        for _, consumer in self._dropped:
            if consumer.founded < first_number:
                self.consumers[consumer.name] = consumer
                self._include(consumer, -1)
        self._dropped = []
        for consumer in self.consumers.values():
            consumer.take_all_back()
        let_go: list[tuple[Consumer, Item]] = []
        for consumer in self.consumers.values():
            consumer.following = False
            for held in list(consumer.open.values()):
                if held.commit is not None and not held.commit.ended:
                    self._let_go(consumer, held)
                    let_go.append((consumer, held.item))
            if consumer.leases is not None:
                consumer.leases.forget_unwritten(consumer.open)
            consumer.restore(consumer.positions)
            consumer.settle(self._windows)
        if batches:
            first = next((batch.items[0] for batch in batches if batch.items), None)
            if first is not None:
                self.next_id, self.next_offset = first.id, first.offset
                for consumer in self.consumers.values():
                    consumer.returns = {i: r for i, r in consumer.returns.items() if i < first.id}
        self.delays.forget_from(self.next_id)
        self.paused = next((was for at, was in self._pauses if at >= first_number), self.paused)
        self._pauses = []
        self._following = []
        self._consumers_changed()
        self._full_marks.wanted = True
        if self.observer is not None:
            self.observer.failed(let_go)
        for batch in batches:
            batch.end(error)

    def rejoin(
        self,
        next_id: int,
        next_offset: int,
        batch: int,
        positions: Mapping[bytes, Positions],
        delays: Sequence[tuple[int, int]] = (),
        paused: int = 0,
    ) -> None:
        """The journal is open again after `fail` and holds items up to next_id. What it says is paused is.

        Positions are ours: what was confirmed and acknowledged stays so, what was refused does not.
        Only of items that were refused and are there all the same the journal knows whose they are.
        A configured consumer that was new when it failed is new again.
        """
        self.number = max(batch, self.number)
        unknown = Span(self.next_id, next_id, self.next_offset, next_offset)
        for name, at in positions.items() if unknown.first < unknown.stop else ():
            if name in self.consumers:
                ours = self.consumers[name]
                for piece in at.confirmed(unknown):
                    ours.positions.confirm(piece)
                    ours.counters.passed += piece.stop - piece.first
        for item_id, due in delays:
            if item_id >= self.next_id:
                self.delays.add(item_id, due, 0)
        self.next_id = self.written = max(next_id, self.next_id)
        self.next_offset = max(next_offset, self.next_offset)
        self.paused = paused
        self._consumers_changed()
        for consumer in self._all:
            if consumer.leases is not None:  # the wall clock may have been set meanwhile
                ahead = self._clock.now_ms() - self._clock.monotonic_ms()
                consumer.leases.renew(ahead, consumer.open)
        for name in self.own.settings.consumers:
            self.consumer(name)
        self.want_full_mark()

    def dissolve(self, error: ServerError | None) -> None:
        """The queue is deleted: waiters are told, open reads end quietly."""
        self.delays.forget_from(1)
        for consumer in self._all:
            self._put_away(consumer, error)
        batches, self.unwritten, self.batch = self.unwritten, [], None
        self.tell(DELETE, self.own, self.count(self.own), self.backlog_bytes(self.own))
        for consumer in self._all:
            consumer.restore(Positions())
            consumer.settle(self._windows)
        for batch in batches:
            batch.end(error)
