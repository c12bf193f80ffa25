"""A queue: what clients may do to a log and its consumers, decided synchronously.

Promises: strict order by id, a returned item comes back to its place, no newcomer overtakes a waiter,
an expired item is never handed out, END is never said while the log holds an item. What takes time (a
delay, an expiry, a limit on how long an item may be held) is looked after in `upkeep`, which whoever
keeps the queue calls when `on_alarm` asked for it; how much may wait is decided in `limits`, and what
becomes of an item that is held in `holding`.
"""

from collections.abc import Callable

from ..clock import Clock
from ..config import QueueSettings
from ..errors import ServerError
from .batches import Batch, Returned
from .consumer import Consumer
from .delays import MAX_DELAYED, Delays
from .delivery import MAX_UNAVAILABLE
from .departures import SWEEP_MS
from .events import FLUSH, PUT, RETURN, TAKE
from .holding import Holding
from .items import ITEM_OVERHEAD, MOVED, Item, Origin
from .limits import Limits
from .log import OWN
from .open_reads import OpenRead
from .positions import span_of
from .windows import Windows

__all__ = ["OWN", "Queue"]


def _default_settings(consumer: bytes) -> QueueSettings:
    return QueueSettings()


def _nobody(when: int) -> None:
    pass


class Queue(Holding):
    """received: items that came from other queues, by why; last_origin: where the last one came from.
    expiring: some items may expire, so it is looked after at least every `SWEEP_MS` while any are
    left; ages: all do. fanout_only: what is put is for the named consumers only.
    """

    __slots__ = (
        "ages",
        "expiring",
        "fanout_only",
        "last_origin",
        "limits",
        "received",
    )

    def __init__(
        self,
        name: bytes,
        clock: Clock,
        windows: Windows,
        on_change: Callable[[], None],
        settings: Callable[[bytes], QueueSettings] = _default_settings,
        on_alarm: Callable[[int], None] = _nobody,
    ) -> None:
        self.received: dict[int, int] | None = None
        self.last_origin: Origin | None = None
        self.expiring = self.ages = self.fanout_only = False
        self.limits = Limits(self)
        super().__init__(name, clock, windows, on_change, settings, on_alarm)

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
        self.fanout_only = self.own.settings.fanout_only
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
        due: int = 0,
    ) -> Batch:
        """Append an item; it is readable at once. Returns the batch its acknowledgement waits for.

        large: number of the file that has the bytes; data is None then. only: the one consumer that
        gets it. due: it is not handed out before (milliseconds since the epoch). Raises `QueueFullError`
        if there is no room, `ServerError` at the bound on confirmed spans or on delayed items.
        """
        if due:
            due = self._check_due(due)
        if self.limits.any:
            self.limits.admit(size, only)
        if only is not None:
            self._check_others(only)
        batch = self.batch
        if batch is None:
            batch = self._touch()
        created = batch.created
        if not created:
            created = batch.created = self._clock.now_ms()
            if batch.late:
                self._on_change()
        item_id, offset = self.next_id, self.next_offset
        item = Item(item_id, size, data, flags, created, expiry, offset, large, origin)
        if origin is not None:
            self._receive(item, origin)
        self.next_id = item_id + 1
        self.next_offset = offset + size
        batch.items.append(item)
        if large:
            batch.large = True
        else:
            batch.size += size
        if sync:
            batch.sync = True
        if self.observer is not None:
            self.observer.note(batch, PUT, only or self.own, item_id, size)
        if (expiry or self.ages) and not self.expiring:
            self.expiring = True
            self.on_alarm(self._clock.monotonic_ms() + SWEEP_MS)
        if only is not None or self.fanout_only:
            self._pass_by([self.own] if only is None else self._others(only), item)
        if due:
            self._put_late(item, due)
            return batch
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

    def check_room(self, size: int, only: Consumer | None, items: int = 1, due: int = 0) -> None:
        """Raise what `put` would raise, for so many items of so many bytes together, and do nothing."""
        if due:
            self._check_due(due, items)
        self.limits.check(size, only, items)
        if only is not None:
            self._check_others(only)

    def _check_others(self, only: Consumer) -> None:
        for consumer in self._others(only):
            _check_bounds(consumer, self.delays)

    def _check_due(self, due: int, items: int = 1) -> int:
        """When so many items are due, 0 if they are. Raises `ServerError` if no more may be delayed."""
        now = self._clock.now_ms()
        if due <= now:
            return 0
        if not self.delays.has_room(now, self._clock.monotonic_ms(), items):
            raise ServerError(f"too many delayed items, {MAX_DELAYED} are possible in one queue")
        return due

    def _put_late(self, item: Item, due: int) -> None:
        """An item was put that is not due yet: it takes its place with every consumer, and waits."""
        now, here = self._clock.now_ms(), self._clock.monotonic_ms()
        item.due = due
        self.delays.add(item.id, due, here + due - now)
        for consumer in self._following:
            if consumer.loaded_to == item.id:
                wake = self._due(consumer, item, now, here)
                if not wake:  # it has expired
                    self.on_alarm(here)
                consumer.offer_late(item, self._windows.share, wake or here)

    def _receive(self, item: Item, origin: Origin) -> None:
        if origin.why == MOVED:
            item.created = origin.created
        if self.received is None:  # most queues are no target
            self.received = {}
        self.received[origin.why] = self.received.get(origin.why, 0) + 1
        self.last_origin = origin

    def _others(self, only: Consumer) -> list[Consumer]:
        return [consumer for consumer in self._all if consumer is not only]

    def _pass_by(self, consumers: list[Consumer], item: Item) -> None:
        """An item that was just put is not for these."""
        for consumer in consumers:
            if consumer.loaded_to == item.id:
                consumer.loaded_to = item.id + 1
            self._confirm(consumer, item)
            consumer.counters.passed += 1

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
            and not (consumer.returned or consumer.returns or consumer.careful)
            and not window[0].expiry
            and window[0].data is not None
        ):
            # The usual case, without the calls that the others need.
            item = window.popleft()
            consumer.loaded -= item.size + ITEM_OVERHEAD
            self._confirm(consumer, item, TAKE)
            return item
        other = self._next(consumer)
        if other is not None:
            self._confirm(consumer, other, TAKE)
        return other

    def open(self, consumer: Consumer) -> OpenRead | None:
        """Take the next item and hold it. Raises `ServerError` at the bound on open reads."""
        if consumer.line.waiters:
            return None
        _check_bounds(consumer, self.delays)
        item = self._next(consumer)
        return None if item is None else self._hold(consumer, item)

    def peek(self, consumer: Consumer) -> Item | None:
        """The next item, left where it is."""
        item = self._next(consumer)
        if item is not None:
            consumer.put_back(item)
        return item

    def give_back(self, consumer: Consumer, item: Item) -> None:
        """Undo a `take` of this turn: the item could not be handed over."""
        while not isinstance(step := consumer.undo.pop(), Item):
            consumer.take_back(step)
        consumer.take_back(step)
        self.tell(RETURN, consumer, item.id, item.size)
        consumer.put_back(item)

    def untake(self, consumer: Consumer, item: Item, back: Returned | None) -> None:
        """Undo a `take` of another turn: nobody has the item after all.

        back: what was known of its attempts. Nothing written since may have been trimmed by.
        """
        if not consumer.positions.is_confirmed(item.id):
            return
        batch = self._touch()
        batch.lasting = True
        self.tell(RETURN, consumer, item.id, item.size)
        consumer.positions.unconfirm(span_of(item))
        consumer.counters.passed -= 1
        consumer.moved = consumer.flushed = True  # a mark that only adds cannot tell
        if back is not None:
            consumer.returns[item.id] = back
        consumer.put_back(item)
        self.serve(consumer)

    def flush(self, only: Consumer | None = None) -> Batch:
        """Discard every waiting item, for every consumer or only one; open reads are left alone."""
        batch = self._touch()
        batch.lasting = True
        for consumer in self._all if only is None else [only]:
            consumer.counters.flushes += 1
            self.tell(FLUSH, consumer, self.count(consumer), self.backlog_bytes(consumer))
            before = consumer.positions.copy()
            consumer.undo.append(before)
            for item_id in consumer.returns.keys() - consumer.open.keys():
                self._forget_return(consumer, item_id)
            consumer.flushed = True
            held = sorted(consumer.open)
            spans = (span_of(consumer.open[item_id].item) for item_id in held)
            consumer.positions.confirm_all_but(spans, self.next_id, self.next_offset)
            consumer.counters.flushed += consumer.positions.count - before.count
            consumer.counters.passed += consumer.positions.count - before.count
            consumer.moved = True
            consumer.forget_waiting(self.next_id)
            self._follow(consumer)
            self.serve(consumer)
        if only is None or len(self._all) == 1:
            self.delays.forget_from(1)
        return batch

    def loaded(self, consumer: Consumer, items: list[Item], first: int, stop: int) -> None:
        """Items read from the journal: all there are of the ids from first up to stop."""
        consumer.load(items, first, stop)
        if any(item.due for item in items):
            self.set_aside(consumer, items)
        self._catch_up(consumer)
        if not self.expiring and any(item.expiry for item in items):
            self.expiring = True
            self.on_alarm(0)
        if consumer.excess:
            self.limits.discard_excess(consumer)
        self.pass_over(consumer)
        self.serve(consumer)
        consumer.settle(self._windows)


def _check_bounds(consumer: Consumer, delays: Delays) -> None:
    spans = len(consumer.positions.spans)
    if (
        len(consumer.open) >= MAX_UNAVAILABLE
        # An item that is not due yet is a hole, too, in what is confirmed.
        or (spans >= MAX_UNAVAILABLE and spans >= MAX_UNAVAILABLE + len(delays))
        or len(consumer.returns) >= MAX_UNAVAILABLE
    ):
        what = f"{MAX_UNAVAILABLE} are possible on one consumer"
        raise ServerError(f"too many open reads, {what}")
