"""Moving what waits in one queue to another, and back to where it came from.

An item is in the other queue, and on disk there, before it leaves this one: a crash in between shows it
in both, and when the move is asked for again most of these are recognised. It gets a new id and counts as
never delivered; its flags, when it was put, when it expires and when it is due stay. If the move is
broken off, what has not gone is in its place.
"""

from collections import deque
from typing import NamedTuple

from ...brokers.stored import StoredQueue
from ...errors import ClientError, PausedError, ServerError
from ...queues.batches import PAUSED_PUTS
from ...queues.consumer import Consumer
from ...queues.departures import Departure, Party
from ...queues.items import MOVED, Item
from ...units import write_duration
from ..contract import Host
from ..destinations import Place, too_large
from ..steps import Steps, usable
from .places import (
    consumer_in,
    made_queue,
    named,
    queue_of,
    refuse_alias,
    refuse_changes,
    refuse_none,
    text_of,
)
from .walking import Walk

__all__ = ["Moved", "move", "redrive"]


_MANY = 1 << 62
_MOST_REASONS = 3


class Moved(NamedTuple):
    """left: how many wait for the consumer when it is over. unknown: those of them that were passed over
    since it is not known where they came from. stopped: why others that were to go did not, "" if all did.
    """

    moved: int
    left: int
    unknown: int
    stopped: str = ""


def move(
    host: Host, who: str, name: bytes, consumer: bytes, to: bytes, n: int | None = None
) -> Steps[Moved]:
    """Move the first n items, or all that wait as it begins; consumer: b"" is the queue's own.

    The other queue is made if there is none. It stops when that takes no more; items that are too large or
    too old for it stay, and those behind them go. Raises `UnknownQueueError`, `UnknownConsumerError`.
    """
    _refuse_writes(host)
    refuse_none("n", n)
    if to == name:
        raise ClientError(f"to: expected another queue than {text_of(name)} itself")
    refuse_alias(host, to)
    stored = yield from queue_of(host, name)
    place = consumer_in(stored, consumer)
    host.acts.note("move", named(name, consumer), who, to=to, **_number(n))
    target = yield from made_queue(host, to)
    if target.queue.paused & PAUSED_PUTS:
        host.broker.forget(target)
        raise PausedError(f"puts of {text_of(to)} are paused")
    moving = _Moving(host, stored, place, n)
    moving.only_to = Place(target, None)
    return (yield from moving.all())


def redrive(
    host: Host, who: str, name: bytes, n: int | None = None, to: bytes | None = None
) -> Steps[Moved]:
    """Move n items, or all that wait, back to the queue that each came from, and if it was one of its named
    consumers that they came from, to that one only; or all to another queue.

    Those of which that is not known stay, and those whose consumer is no more. A queue that takes no more
    keeps its items from going, and no others.
    """
    if to is not None:
        return (yield from move(host, who, name, b"", to, n))
    _refuse_writes(host)
    refuse_none("n", n)
    stored = yield from queue_of(host, name)
    host.acts.note("redrive", name, who, **_number(n))
    return (yield from _Moving(host, stored, stored.queue.own, n).all())


def _refuse_writes(host: Host) -> None:
    refuse_changes(host)
    if host.guard.no_writes is not None:
        raise host.guard.no_writes


def _number(n: int | None) -> dict[str, object]:
    return {} if n is None else {"n": n}


class _Moving:
    """only_to: where all go; None if each goes back to where it came from."""

    def __init__(self, host: Host, stored: StoredQueue, consumer: Consumer, n: int | None) -> None:
        self.only_to: Place | None = None
        self._host = host
        self._stored = stored
        self._consumer = consumer
        self._most = n
        self._unknown = 0
        # By queue, in words: that the first was too large for it, or too old.
        self._unfit: dict[bytes, str] = {}
        self._party = Party()
        self._walk = Walk(stored, consumer)
        self._origins: dict[tuple[bytes, bytes], Place | None] = {}

    def all(self) -> Steps[Moved]:
        party, queue = self._party, self._stored.queue
        try:
            while self._room() > 0:
                items = yield from self._walk.next()
                if not items:
                    break
                yield from self._send(items)
            yield party.settled
        finally:
            for place in [self.only_to, *self._origins.values()]:
                if place is not None:
                    self._host.broker.forget(place.stored)
        for place in [self.only_to, *self._origins.values()]:
            if place is not None and place.stored.name in party.refused and place.stored.error:
                raise place.stored.error
        whole = self._most is not None and party.moved >= self._most
        why = "" if whole else self._reasons()
        return Moved(party.moved, queue.count(self._consumer), self._unknown, why)

    def _reasons(self) -> str:
        """Why items stay: what their queues have said of the first that each did not take."""
        told = list(dict.fromkeys([*self._party.refused.values(), *self._unfit.values()]))
        more = len(told) - _MOST_REASONS
        rest = [f"and {more} other reasons"] if more > 0 else []
        return "; ".join([*told[:_MOST_REASONS], *rest])

    def _room(self) -> int:
        """How many more may go, as far as is known now."""
        party = self._party
        if self.only_to is not None and party.refused:
            return 0
        return _MANY if self._most is None else self._most - party.moved - party.under_way

    def _send(self, items: list[Item]) -> Steps[None]:
        """Off with a few, in order: a large item takes its time, and nothing overtakes it."""
        party, rest = self._party, deque(items)
        while rest and self._room() > 0:
            departures: list[Departure] = []
            large = False
            while rest and not large and len(departures) < self._room():
                if rest[0].large and departures:
                    break
                item = rest.popleft()
                departure = yield from self._departure(item)
                if departure is not None:
                    departures.append(departure)
                    large = item.large > 0
            if large:
                yield party.settled
            self._go(departures)
            if large or not (self._walk.at_hand and self._room() > 0):
                yield party.settled
            else:
                yield None
            self._walk.check()

    def _go(self, departures: list[Departure]) -> None:
        """Off with those that still wait: others had their turn meanwhile."""
        self._walk.check()
        party, queue = self._party, self._stored.queue
        items = queue.that_wait(self._consumer, [each.item for each in departures])
        waiting = {item.id for item in items}
        going = [each for each in departures if each.item.id in waiting]
        party.under_way += len(going)
        queue.send_away(self._consumer, going)
        self._host.broker.mover.carry(self._stored)

    def _departure(self, item: Item) -> Steps[Departure | None]:
        """How an item goes; None if it stays."""
        place = self.only_to
        if place is None:
            place = yield from self._origin_of(item)
        if place is None:
            self._unknown += 1
            return None
        target, only = place
        if target.name in self._party.refused:
            return None
        unfit = too_large(item.size, [place])
        if unfit:
            self._unfit.setdefault(target.name, unfit)
            return None
        age = (target.queue.own if only is None else only).max_age
        if age and item.created + age <= self._host.clock.now_ms():
            unfit = f"item {item.id} is older than max_age = {write_duration(age)} of {text_of(target.name)}"
            self._unfit.setdefault(target.name, unfit)
            return None
        name = b"" if only is None else only.name
        return Departure(self._consumer, item, target.name, MOVED, name, self._party)

    def _origin_of(self, item: Item) -> Steps[Place | None]:
        origin, broker = item.origin, self._host.broker
        if origin is None or origin.queue == self._stored.name or origin.queue in broker.aliases:
            return None
        key = origin.queue, origin.consumer
        if key not in self._origins:
            stored = broker.create(origin.queue)
            try:
                yield from usable(broker, origin.queue)
            except ServerError as error:  # it is told when all others have gone
                self._party.refused.setdefault(origin.queue, str(error))
                self._origins[key] = Place(stored, None)
                return self._origins[key]
            consumer = stored.queue.consumers.get(origin.consumer) if origin.consumer else None
            is_gone = origin.consumer and consumer is None
            self._origins[key] = None if is_gone else Place(stored, consumer)
            if is_gone:
                broker.forget(stored)
        return self._origins[key]
