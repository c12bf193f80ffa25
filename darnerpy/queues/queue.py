"""A queue: who gets which item, decided synchronously.

Owns what clients may do to a log and its consumers. Promises: strict order by id, a returned item
comes back to its place, no newcomer overtakes a waiter, an expired item is never handed out, END is
never said while the log holds an item. What takes time (a delay, an expiry, a limit on how long an
item may be held) is looked after in `upkeep`, which the keeper calls when `on_alarm` asked it to;
how much may wait is decided in `limits`.
"""

from collections.abc import Callable

from ..clock import Clock
from ..config import QueueSettings
from ..errors import ServerError
from .batches import Batch
from .consumer import Consumer, OpenRead
from .departures import RETRY_MS, SWEEP_MS, Departure, departure_of, returned_again
from .items import EXPIRED, ITEM_OVERHEAD, Item, Origin
from .limits import Limits
from .log import OWN, Log, default_settings
from .positions import span_of
from .windows import Windows

__all__ = ["OWN", "Queue"]

_MAX_ASIDE = 100_000
_STEPS = 500
"""Items that are passed over in one go: more would hold up everyone else."""


def _nobody(when: int) -> None:
    pass


class Queue(Log):
    """outgoing: items that begin to leave for other queues; the keeper takes them from here.

    on_alarm: called with a time (monotonic milliseconds) at which `upkeep` has something to do, 0 is soon.
    received: items that came from other queues, by why; last_origin: where the last one came from.
    expiring: some items may expire, so it is looked after at least every `SWEEP_MS` while any are
    left; ages: all do.
    """

    def __init__(
        self,
        name: bytes,
        clock: Clock,
        windows: Windows,
        on_change: Callable[[], None],
        settings: Callable[[bytes], QueueSettings] = default_settings,
        on_alarm: Callable[[int], None] = _nobody,
    ) -> None:
        self.outgoing: list[Departure] = []
        self.received: dict[int, int] | None = None
        self.last_origin: Origin | None = None
        self.expiring = self.ages = False
        self.on_alarm = on_alarm
        self.limits = Limits(self)
        super().__init__(name, clock, windows, on_change, settings)

    def configure(self) -> None:
        """The settings may have changed: they hold for what is here already, too."""
        for consumer in list(self.consumers.values()):
            consumer.configure(self._settings(consumer.name))
        for name in self.own.settings.consumers:
            self.consumer(name)
        self._consumers_changed()

    def _consumers_changed(self) -> None:
        super()._consumers_changed()
        self.limits.configure(self._all)
        self.ages = any(consumer.max_age for consumer in self._all)
        self.on_alarm(0)

    # -- putting -----------------------------------------------------------------------------------

    def put(
        self,
        data: bytes | None,
        size: int,
        flags: int,
        expiry: int,
        sync: bool = False,
        large: int = 0,
        only: Consumer | None = None,
        origin: Origin | None = None,
    ) -> Batch:
        """Append an item; it is readable at once. Returns the batch its acknowledgement waits for.

        large: number of the file that has the bytes; data is None then. only: the one consumer that
        gets it. Raises `QueueFullError` if there is no room, `ServerError` at the bound on confirmed spans.
        """
        if self.limits.any:
            self.limits.admit(size, only)
        if only is not None:
            self._check_bounds(self._others(only))
        if origin is not None:
            if self.received is None:  # most queues are no target
                self.received = {}
            self.received[origin.why] = self.received.get(origin.why, 0) + 1
            self.last_origin = origin
        batch = self.batch
        if batch is None:
            batch = self._touch()
        created = batch.created
        if not created:
            created = batch.created = self._clock.now_ms()
        item_id, offset = self.next_id, self.next_offset
        item = Item(item_id, size, data, flags, created, expiry, offset, large, origin)
        self.next_id = item_id + 1
        self.next_offset = offset + size
        batch.items.append(item)
        if large:
            batch.large = True
        else:
            batch.size += size
        if sync:
            batch.sync = True
        if (expiry or self.ages) and not self.expiring:
            self.expiring = True
            self.on_alarm(self._clock.monotonic_ms() + SWEEP_MS)
        if only is not None or self.own.settings.fanout_only:
            self._pass_by([self.own] if only is None else self._others(only), item)
        room = self._windows.share
        lagging = False
        for consumer in self._following:
            if not consumer.offer(item, room):
                lagging = True
            elif consumer.line.waiters:
                self.serve(consumer)
        if lagging:
            self._stop_following()
        return batch

    def check_room(self, size: int, only: Consumer | None) -> None:
        """Raise what `put` would raise, and do nothing."""
        self.limits.check(size, only)
        if only is not None:
            self._check_bounds(self._others(only))

    def _others(self, only: Consumer) -> list[Consumer]:
        return [consumer for consumer in self._all if consumer is not only]

    def _pass_by(self, consumers: list[Consumer], item: Item) -> None:
        """An item that was just put is not for these."""
        for consumer in consumers:
            if consumer.loaded_to == item.id:
                consumer.loaded_to = item.id + 1
            self._confirm(consumer, item)

    def _stop_following(self) -> None:
        for consumer in self._following:
            consumer.following = consumer.loaded_to == self.next_id
        self._following = [consumer for consumer in self._following if consumer.following]

    # -- reading -----------------------------------------------------------------------------------

    def take(self, consumer: Consumer) -> Item | None:
        """Take and confirm the next item. None: `is_empty` tells whether there is any to wait for."""
        if consumer.line.waiters:
            return None
        window = consumer.window
        if (
            window
            and not (consumer.returned or consumer.returns or consumer.max_age)
            and not window[0].expiry
            and window[0].data is not None
        ):
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
        self._check_bounds([consumer])
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

    def abort(self, held: OpenRead, counted: bool = True) -> Batch | None:
        """Return an open read to its place; the first waiter gets it at once.

        counted: it was delivered and came back, which is one attempt; it may have been the last, or
        the next one may have to wait. Returns the batch that makes the attempt last, None if there
        is nothing to wait for.
        """
        if held.gone:
            return None
        consumer, item = held.consumer, held.item
        consumer.release(held)
        batch = self._count_attempt(consumer, item) if counted else None
        if item.id < consumer.loaded_to:
            has_data = item.data is not None or item.large
            if not (counted and has_data and self._divert(consumer, item)):
                consumer.put_back(item)
        self.serve(consumer)
        return batch

    def give_back(self, consumer: Consumer, item: Item) -> None:
        """Undo a `take` of this turn: the item could not be handed over."""
        while not isinstance(step := consumer.undo.pop(), Item):
            consumer.take_back(step)
        consumer.take_back(step)
        consumer.put_back(item)

    def flush(self, only: Consumer | None = None) -> Batch:
        """Discard every waiting item, for every consumer or only one; open reads are left alone."""
        batch = self._touch()
        batch.lasting = True
        for consumer in self._all if only is None else [only]:
            consumer.counters.flushes += 1
            consumer.undo.append(consumer.positions.copy())
            for item_id in consumer.returns.keys() - consumer.open.keys():
                self._forget_return(consumer, item_id)
            consumer.flushed = True
            held = sorted(consumer.open)
            spans = (span_of(consumer.open[item_id].item) for item_id in held)
            consumer.positions.confirm_all_but(spans, self.next_id, self.next_offset)
            consumer.moved = True
            consumer.forget_waiting(self.next_id)
            self._follow(consumer)
            self.serve(consumer)
        return batch

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
        if line.impatient and self.is_empty(consumer):
            for waiter in line.snapshot():
                if not waiter.patient:
                    line.leave(waiter)
                    waiter.end(None)

    def loaded(self, consumer: Consumer, items: list[Item], first: int, stop: int) -> None:
        """Items read from the journal: all there are of the ids from first up to stop."""
        consumer.load(items, first, stop)
        self._catch_up(consumer)
        if not self.expiring and any(item.expiry for item in items):
            self.expiring = True
            self.on_alarm(0)
        if consumer.excess:
            self.limits.discard_excess(consumer)
        self.pass_over(consumer)
        self.serve(consumer)
        self._windows.settle(consumer)

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
            if consumer.aside >= _MAX_ASIDE and self._is_due_to_leave(consumer, item):
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

    def _count_attempt(self, consumer: Consumer, item: Item) -> Batch:
        consumer.counters.aborts += 1
        known = consumer.returns.get(item.id)
        back = returned_again(item.id, known, consumer.settings, self._clock)
        batch = self._touch()
        consumer.returns[item.id] = back
        consumer.newly_returned.append(back)
        consumer.moved = True
        return batch

    def _hold(self, consumer: Consumer, item: Item) -> OpenRead:
        consumer.counters.opens += 1
        commit = self.pending(item)
        batch = self.batch
        since = 0 if batch is None else batch.begun
        if not since:
            since = self._clock.monotonic_ms()
            if batch is not None:
                batch.begun = since  # for all that are opened in the same turn
        held = OpenRead(self, consumer, item, since, commit)
        consumer.hold(held)
        if consumer.settings.open_timeout is not None:
            self.on_alarm(since + consumer.settings.open_timeout)
        return held

    def _check_bounds(self, consumers: list[Consumer]) -> None:
        for consumer in consumers:
            most = max(len(consumer.positions.spans), len(consumer.open), len(consumer.returns))
            if most >= _MAX_ASIDE:
                raise ServerError(f"too many open reads, {_MAX_ASIDE} are possible on one consumer")
