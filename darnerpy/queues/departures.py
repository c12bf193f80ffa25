"""Why and where to an item leaves a consumer without having been confirmed by anyone.

Owns what becomes of an attempt that did not succeed, and whether it was the last. Two reasons are the
queue's own: its time is over, or it came back from its last attempt. Where to is a setting then; without
one it is only counted. The third is that somebody moves it. Whoever keeps the queue carries it: to the
target first, then out of here, so that a crash in between repeats it and never loses it.
"""

from collections.abc import Callable

from ..clock import Clock
from ..config import DROP, QueueSettings
from .batches import Returned
from .consumer import Consumer
from .events import DROP as DROPPED
from .events import EXPIRY, MOVE
from .items import DEAD, EXPIRED, MOVED, Item

__all__ = ["RETRY_MS", "SWEEP_MS", "Departure", "Party", "departure_of", "returned_again"]

SWEEP_MS = 1000
"""How long an expired item may stay at the head while nobody asks for it."""

RETRY_MS = 1000
"""How long an item that its target did not take waits for the next try."""


class Party:
    """Items that somebody moves together. under_way: how many have neither arrived nor come back; moved:
    have arrived. refused: queues that did not take one, and what was said of the first.
    """

    __slots__ = ("_then", "moved", "refused", "under_way")

    def __init__(self) -> None:
        self.under_way = self.moved = 0
        self.refused: dict[bytes, str] = {}
        self._then: Callable[[], None] | None = None

    def settled(self, then: Callable[[], None]) -> None:
        """Call back when none is under way any more; at once if none is."""
        if self.under_way:
            self._then = then
        else:
            then()

    def ended(self, target: bytes, arrived: bool, refusal: str) -> None:
        """The way of one to a queue is over. refusal: what was said if it has not arrived."""
        self.under_way -= 1
        self.moved += arrived
        if not arrived:
            self.refused.setdefault(target, refusal)
        then = self._then
        if not self.under_way and then is not None:
            self._then = None
            then()


class Departure:
    """target: the queue it goes to, b"" is none. why: `EXPIRED`, `DEAD` or `MOVED`. only: the one consumer
    there that gets it, b"" for all. party: of those that are moved. refusal: what is said against it there.
    """

    __slots__ = ("consumer", "item", "only", "party", "refusal", "target", "why")

    def __init__(
        self,
        consumer: Consumer,
        item: Item,
        target: bytes,
        why: int,
        only: bytes = b"",
        party: Party | None = None,
    ) -> None:
        self.consumer = consumer
        self.item = item
        self.target = target
        self.why = why
        self.only = only
        self.party = party
        self.refusal = ""

    @property
    def kind(self) -> int:
        """What it is for those who observe the queue."""
        if self.target:
            return MOVE
        return EXPIRY if self.why == EXPIRED else DROPPED

    def count(self) -> None:
        """It has left."""
        counters = self.consumer.counters
        counters.passed += 1
        if self.why == EXPIRED:
            counters.expired += 1
        elif self.why == MOVED:
            counters.moved += 1
        elif self.target:
            counters.dead += 1
        else:
            counters.dropped += 1

    def end(self, arrived: bool) -> None:
        """It is there, or will not be."""
        if self.party is not None:
            self.party.ended(self.target, arrived, self.refusal)


def departure_of(
    consumer: Consumer, item: Item, back: Returned | None, now: int
) -> Departure | None:
    """How an item leaves, if it has to; back: what is known of its attempts; now: milliseconds."""
    settings = consumer.settings
    if consumer.has_expired(item, now):
        return Departure(consumer, item, settings.expire_to, EXPIRED)
    most = settings.max_attempts
    if back is not None and most and back.attempts >= most:
        target = b"" if settings.dead_letter == DROP else settings.dead_letter
        return Departure(consumer, item, target, DEAD)
    return None


def returned_again(
    item_id: int, known: Returned | None, settings: QueueSettings, clock: Clock
) -> Returned:
    """One attempt more than was known, and when the next is due."""
    attempts = 1 if known is None else known.attempts + 1
    if settings.retry_delay is None:
        return Returned(item_id, attempts, 0)
    delay = min(settings.retry_delay << min(attempts - 1, 40), settings.max_retry_delay)
    return Returned(item_id, attempts, clock.now_ms() + delay, clock.monotonic_ms() + delay)
