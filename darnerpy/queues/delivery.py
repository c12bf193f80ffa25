"""What is handed out of a queue next, and to whom.

Owns the order: strictly by id, a returned item first, and first come first served among those who
wait. What must not be handed out leaves on the way to the next item: what has expired, what is out of
attempts, what is not due yet. Does not know what clients may ask for: that is `Queue`, on top.
"""

from collections.abc import Callable
from typing import Final

from ..clock import Clock
from ..config import QueueSettings
from .batches import Batch
from .consumer import Consumer
from .departures import RETRY_MS, Departure, departure_of
from .events import DISCARD, OPEN, TAKE
from .items import EXPIRED, MOVED, Item
from .open_reads import OpenRead
from .recoverable import RecoverableLog
from .windows import Windows

__all__ = ["MAX_UNAVAILABLE", "Delivery"]

MAX_UNAVAILABLE: Final = 100_000
"""Items of one consumer that are held, returned or leaving, each: memory is bounded. (`MAX_DELAYED` is for
those that were put with a delay.)"""

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
                waiter.deliver(item, self._confirm(consumer, item, TAKE), None)
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
        if self.observer is not None:
            self.observer.note(batch, OPEN, consumer, item.id, item.size)
        if consumer.open_timeout is not None:
            self.on_alarm(since + consumer.open_timeout)
        return held

    def pause(self, what: int) -> Batch:
        """What is paused from now on (see `Batch`). Who waits only for what is on disk is told that there
        is nothing; all others stay in line, and are served when it is over.
        """
        batch = self._touch()
        batch.lasting = True
        self._full_marks.wanted = True  # so that a mark is written, though nobody has moved
        first = self.unwritten[0].number
        self._pauses = [each for each in self._pauses if each[0] >= first]
        self._pauses.append((batch.number, self.paused))
        self.paused = what
        self._consumers_changed()
        for consumer in self._all:
            self.serve(consumer)
        return batch

    # -- what can be handed out ---------------------------------------------------------------------

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
                    elif item.due and (due := self._due_now(consumer, item)):
                        consumer.offer_late(item, room, due)
                    elif not consumer.offer(item, room):
                        break
        self._follow(consumer)
        return consumer.loaded_to > before

    def set_aside(self, consumer: Consumer, items: list[Item]) -> None:
        """Of what came into the window these may not be due yet."""
        now, here = self._clock.now_ms(), self._clock.monotonic_ms()
        late: dict[int, int] = {}
        for item in items:
            due = self._due(consumer, item, now, here) if item.due else 0
            if due:
                late[item.id] = due
        if late:
            consumer.set_aside(late)

    def wake(self, consumer: Consumer, here: int) -> bool:
        """Put delayed items whose time has come (monotonic) back to their places; whether there were any."""
        woken = consumer.take_due(here)
        now = self._clock.now_ms() if woken else 0
        for item in woken:
            due = self._due(consumer, item, now, here)
            if due:  # it would have expired by now, but somebody has set the clock
                consumer.delay(item, due)
            else:
                consumer.put_back(item)
        return bool(woken)

    def wait_anew(self, consumer: Consumer) -> None:
        """The wall clock was set: what was worked out by it is worked out again."""
        self.delays.clock_was_set()
        now, here = self._clock.now_ms(), self._clock.monotonic_ms()
        for item_id, (_, item) in consumer.delayed.items():
            consumer.delayed[item_id] = self._due(consumer, item, now, here), item
        consumer.order_dues()

    def _due_now(self, consumer: Consumer, item: Item) -> int:
        return self._due(consumer, item, self._clock.now_ms(), self._clock.monotonic_ms())

    def _due(self, consumer: Consumer, item: Item, now: int, here: int) -> int:
        """When to look at an item again (monotonic): it is due then, or expires before. 0: it is due, or
        has to leave.

        now, here: by the wall clock, and by the monotonic one. `upkeep` is called when it is time.
        """
        back = consumer.returns.get(item.id)
        if departure_of(consumer, item, back, now) is not None:
            return 0
        if back is not None:
            due = (back.due_here or here + back.due - now) if back.due else 0
        else:
            due = here + self.delays.left(item.id, item.due, now, here) if item.due else 0
            if item.due and due <= here:
                self.delays.forget(item.id)
        if due <= here:
            return 0
        due = min(due, here + consumer.lifetime(item, now))
        self.on_alarm(due)
        return due

    # -- what is not handed out --------------------------------------------------------------------

    def left(self, departure: Departure, arrived: bool) -> None:
        """An item has arrived in the queue it was moved to; or it could not, and is tried again."""
        consumer, item = departure.consumer, departure.item
        if not consumer.arrive(item):
            departure.end(False)
            return
        if arrived:
            self._confirm(consumer, item, departure.kind, departure.target)
            self._forget_delay(item)
            departure.count()
        elif departure.why == MOVED:
            consumer.put_back(item)
        else:
            due = self._clock.monotonic_ms() + RETRY_MS
            consumer.delay(item, due)
            self.on_alarm(due)
        departure.end(arrived)
        self.serve(consumer)

    def that_wait(self, consumer: Consumer, items: list[Item]) -> list[Item]:
        """Of these, in order of id and written, those that wait and do not leave by themselves."""
        now, at, returns = self._clock.now_ms(), consumer.positions, consumer.returns
        return [
            item
            for item in items
            if item.id not in consumer.open
            and item.id not in consumer.leaving
            and not at.is_confirmed(item.id)
            and departure_of(consumer, item, returns.get(item.id), now) is None
        ]

    def throw_away(self, consumer: Consumer, items: list[Item]) -> Batch:
        """Purge some that wait, in order of id, wherever they stand; see `that_wait`."""
        batch = self._touch()
        batch.lasting = True
        consumer.take_out(items)
        for item in items:
            self._confirm(consumer, item, DISCARD)
            self._forget_delay(item)
        consumer.counters.passed += len(items)
        consumer.counters.purged += len(items)
        if consumer.skip_confirmed():
            self._follow(consumer)
        self.serve(consumer)
        return batch

    def send_away(self, consumer: Consumer, departures: list[Departure]) -> None:
        """Have some that wait, in order of id, leave for other queues; see `that_wait`."""
        consumer.take_out([departure.item for departure in departures])
        for departure in departures:
            consumer.send_off(departure.item)
        self.outgoing += departures

    def discard(self, consumer: Consumer) -> bool:
        """Throw away the next item, or, if all wait out a delay, the one that is due first.

        False if it is not in memory, or leaves by itself.
        """
        item = consumer.pop()
        if item is None and self._catch_up(consumer):
            item = consumer.pop()
        if item is None and self.is_drained(consumer):
            item = consumer.pop_delayed()
        if item is None:
            return False
        self._confirm(consumer, item, DISCARD)
        consumer.counters.passed += 1
        self._forget_delay(item)
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
            if not (item.expiry or consumer.careful or consumer.returns):
                return item
            aside = consumer.unavailable
            if (
                aside >= MAX_UNAVAILABLE
                and aside >= MAX_UNAVAILABLE + len(self.delays)
                and self._is_due_to_leave(consumer, item)
            ):
                consumer.put_back(item)
                self.on_alarm(self._clock.monotonic_ms() + RETRY_MS)
                return None
            if not self._divert(consumer, item):
                if not consumer.paused:
                    return item
                consumer.put_back(item)
                return None
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
                self._confirm(consumer, item, departure.kind)
                self._forget_delay(item)
                departure.count()
            return True
        # It may have expired before it was due, and then somebody has set the clock back.
        if back is None and not (item.due and item.id in self.delays):
            return False
        due = self._due(consumer, item, now, self._clock.monotonic_ms())
        if due:
            consumer.delay(item, due)
        return due > 0

    def _forget_delay(self, item: Item) -> None:
        """An item has left, which may have been before it was due."""
        if item.due and len(self._all) == 1:  # else the others may be still to get it
            self.delays.forget(item.id)
