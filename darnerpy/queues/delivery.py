"""What is handed out of a queue next, and to whom.

Owns the order: strictly by id, a returned item first, and first come first served among those who
wait. What must not be handed out leaves on the way to the next item: what has expired, what is out of
attempts, what is not due yet. Does not know what clients may ask for: that is `Queue`, on top.
"""

from collections.abc import Callable
from typing import Final

from ..clock import Clock
from ..config import QueueSettings
from .consumer import Consumer
from .departures import RETRY_MS, Departure, departure_of
from .items import EXPIRED, Item
from .open_reads import OpenRead
from .recoverable import RecoverableLog
from .windows import Windows

__all__ = ["MAX_UNAVAILABLE", "Delivery"]

MAX_UNAVAILABLE: Final = 100_000
"""Items of one consumer that are held, returned, delayed or leaving, each: memory is bounded."""

_STEPS: Final = 500
"""Items that are passed over in one go: more would hold up everyone else."""


class Delivery(RecoverableLog):
    """outgoing: items that begin to leave for other queues; whoever keeps the queue takes them from
    here.

    on_alarm: called with a time (monotonic milliseconds) at which `upkeep` has something to do, 0 is soon.
    """

    __slots__ = ("on_alarm", "outgoing")

    def __init__(
        self,
        name: bytes,
        clock: Clock,
        windows: Windows,
        on_change: Callable[[], None],
        settings: Callable[[bytes], QueueSettings],
        on_alarm: Callable[[int], None],
    ) -> None:
        self.outgoing: list[Departure] = []
        self.on_alarm = on_alarm
        super().__init__(name, clock, windows, on_change, settings)

    def serve(self, consumer: Consumer) -> None:
        """Give what there is to those who wait. The first who wants an item gets the first item."""
        line = consumer.line
        while line.waiters:
            item = self._next(consumer)
            if item is None:
                break
            waiter = line.next()
            if waiter is None:
                consumer.put_back(item)
                if line.waiters:
                    self.on_alarm(0)  # there are more to ask, after the others had their turn
                break
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
        if line.passed:
            self.on_alarm(line.recall_at(self._clock.monotonic_ms()))
        if line.nonblocking and self.is_empty(consumer):
            for waiter in line.snapshot():
                if not waiter.blocking:
                    line.leave(waiter)
                    waiter.end(None)

    def _hold(self, consumer: Consumer, item: Item) -> OpenRead:
        consumer.counters.opens += 1
        commit = self.pending(item)
        batch = self.batch
        since = 0 if batch is None else batch.begun
        if not since:
            since = self._clock.monotonic_ms()
            if batch is not None:
                batch.begun = since  # for all that are opened in the same turn
                if batch.late:
                    self._on_change()
        held = OpenRead(consumer.name, item, since, commit)
        consumer.hold(held)
        if consumer.open_timeout is not None:
            self.on_alarm(since + consumer.open_timeout)
        return held

    # -- what is not handed out --------------------------------------------------------------------

    def left(self, departure: Departure, arrived: bool) -> None:
        """An item has arrived in the queue it was moved to; or it could not, and is tried again."""
        consumer, item = departure.consumer, departure.item
        if not consumer.arrive(item):
            return
        if not arrived:
            due = self._clock.monotonic_ms() + RETRY_MS
            consumer.delay(item, due)
            self.on_alarm(due)
        else:
            self._confirm(consumer, item)
            departure.count()
        self.serve(consumer)

    def discard(self, consumer: Consumer) -> bool:
        """Throw away the next item, or, if all wait out a delay, the one that is due first.

        False if it is not in memory, or leaves by itself.
        """
        item = consumer.pop()
        if item is None and self._catch_up(consumer):
            item = consumer.pop()
        if item is None and self.is_empty(consumer):
            item = consumer.pop_delayed()
        if item is None:
            return False
        self._confirm(consumer, item)
        consumer.counters.discarded += 1
        return True

    def pass_over(self, consumer: Consumer) -> None:
        """Let what must not be handed out leave the head."""
        head = consumer.head
        if head is not None and self._is_due_to_leave(consumer, head):
            item = self._next(consumer)
            if item is not None:
                consumer.put_back(item)

    def _is_due_to_leave(self, consumer: Consumer, item: Item) -> bool:
        now = self._clock.now_ms()
        return consumer.has_expired(item, now) or item.id in consumer.returns

    def _next(self, consumer: Consumer) -> Item | None:
        for _ in range(_STEPS):
            item = consumer.pop()
            if item is None:
                if consumer.loaded_to < self.next_id and self._catch_up(consumer):
                    continue
                return None
            if not (item.expiry or consumer.max_age or consumer.returns):
                return item
            if consumer.unavailable >= MAX_UNAVAILABLE and self._is_due_to_leave(consumer, item):
                consumer.put_back(item)
                self.on_alarm(self._clock.monotonic_ms() + RETRY_MS)
                return None
            if not self._divert(consumer, item):
                return item
        self.on_alarm(0)  # there is more to pass over, after the others had their turn
        return None

    def _divert(self, consumer: Consumer, item: Item) -> bool:
        """Whether an item that is next is not to be had: expired, out of attempts or not due yet."""
        now = self._clock.now_ms()
        back = consumer.returns.get(item.id)
        departure = departure_of(consumer, item, back, now)
        if departure is not None:
            consumer.counters.passed_over += departure.why == EXPIRED
            if departure.target:
                consumer.send_off(item)
                self.outgoing.append(departure)
                self.on_alarm(0)
            else:
                self._confirm(consumer, item)
                departure.count()
            return True
        if back is not None and back.due:
            here = self._clock.monotonic_ms()
            due = back.due_here or here + back.due - now
            if due > here:
                consumer.delay(item, due)
                self.on_alarm(due)
                return True
        return False
