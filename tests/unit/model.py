"""What a queue with consumers should do, in the plainest way: one log, and sets of ids per consumer.

Owns no behaviour of its own: the machine that drives it tells it what was asked, and asks it what may
be handed out, what had to leave and what a restart or a failure goes back to.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from darnerpy.queues.batches import PAUSED_GETS, Lease, Returned
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.delays import Delays
from darnerpy.queues.line import Waiter
from darnerpy.queues.open_reads import OpenRead

__all__ = ["Model", "Place", "Put", "State"]


class Put(NamedTuple):
    id: int
    data: bytes | None
    size: int
    flags: int
    created: int
    expiry: int
    due: int
    large: int


class Leased(NamedTuple):
    """Who holds an item under a lease, None if a restart found that its time was up; until: monotonic."""

    held: OpenRead | None
    lease: Lease
    until: int


@dataclass(eq=False)
class Place:
    """One consumer: what it has confirmed, who holds and awaits items, what came back how often.

    leases: of those held that are under one, by item. done: held under one, and confirmed.
    """

    consumer: Consumer
    confirmed: set[int] = field(default_factory=set)
    held: dict[int, OpenRead] = field(default_factory=dict)
    line: list[Waiter] = field(default_factory=list)
    returns: dict[int, Returned] = field(default_factory=dict)
    leases: dict[int, Leased] = field(default_factory=dict)
    done: set[OpenRead] = field(default_factory=set)


class Stand(NamedTuple):
    place: Place
    confirmed: frozenset[int]
    returns: dict[int, Returned]
    leases: dict[int, Leased]


class State(NamedTuple):
    log: dict[int, Put]
    next_id: int
    stands: dict[bytes, Stand]
    paused: int = 0


NOTHING = State({}, 1, {})


@dataclass
class Model:
    """base: what a failure goes back to. disk: what a restart finds. sealed: is being written.

    delays: the queue's, which has the times by the monotonic clock. been_due: ids that were due at some
    moment by the clock that counts for them.
    """

    delays: Delays = field(default_factory=Delays)
    paused: int = 0
    been_due: set[int] = field(default_factory=set)

    log: dict[int, Put] = field(default_factory=dict)
    next_id: int = 1
    places: dict[bytes, Place] = field(default_factory=dict)
    base: State = NOTHING
    disk: State = NOTHING
    sealed: State = NOTHING

    def snapshot(self) -> State:
        stands = {
            name: Stand(place, frozenset(place.confirmed), dict(place.returns), dict(place.leases))
            for name, place in self.places.items()
        }
        return State(dict(self.log), self.next_id, stands, self.paused)

    def go_back(self, state: State) -> None:
        """As after a failure: what came back was delivered, that is not forgotten."""
        self.log, self.next_id, self.paused = dict(state.log), state.next_id, state.paused
        self.been_due &= set(self.log)
        self.places = {}
        for name, (place, confirmed, returns, leases) in state.stands.items():
            place.confirmed = set(confirmed)
            self._lease_again(place, leases)
            known = returns | place.returns
            place.returns = {i: back for i, back in known.items() if i < state.next_id}
            self.places[name] = place

    @staticmethod
    def _lease_again(place: Place, leases: dict[int, Leased]) -> None:
        """Those are as they were that are still held, or were confirmed."""
        place.leases = {}
        for item_id, leased in leases.items():
            held = leased.held
            if held is not None and (place.held.get(item_id) is held or held in place.done):
                place.held[item_id] = held
                place.leases[item_id] = leased
        place.done.clear()

    # -- of one consumer

    def unconfirmed(self, place: Place) -> list[int]:
        return [i for i in sorted(self.log) if i not in place.confirmed]

    def waiting(self, place: Place) -> list[int]:
        return [i for i in self.unconfirmed(place) if i not in place.held]

    def bytes_of(self, ids: list[int]) -> int:
        return sum(self.log[item_id].size for item_id in ids)

    def has_expired(self, place: Place, item_id: int, now: int) -> bool:
        put, max_age = self.log[item_id], place.consumer.settings.max_age
        return 0 < put.expiry <= now or (max_age is not None and put.created + max_age <= now)

    def is_dead(self, place: Place, item_id: int) -> bool:
        most = place.consumer.settings.max_attempts
        back = place.returns.get(item_id)
        return back is not None and 0 < most <= back.attempts

    def must_leave(self, place: Place, item_id: int, now: int) -> bool:
        return self.has_expired(place, item_id, now) or self.is_dead(place, item_id)

    def available(self, place: Place, now: int, here: int) -> list[int]:
        """What may be handed out, in order. What is aside comes when the alarm has rung.

        now, here: by the wall clock, and by the monotonic one.
        """
        if self.paused & PAUSED_GETS:
            return []
        return self.next_ones(place, now, here)

    def next_ones(self, place: Place, now: int, here: int) -> list[int]:
        """As `available`, if it were not paused."""
        aside = place.consumer.delayed.keys()
        return [
            i
            for i in self.waiting(place)
            if i not in aside
            and not (i >= place.consumer.loaded_to and self.is_late(i, now, here))
            and not self.must_leave(place, i, now)
            and not (i in place.returns and self.is_held_back(place.returns[i], now, here))
        ]

    def is_late(self, item_id: int, now: int, here: int) -> bool:
        due = self.log[item_id].due
        return due > 0 and self.delays.left(item_id, due, now, here) > 0

    def note_due(self, now: int, here: int) -> None:
        self.been_due |= {i for i in self.log if not self.is_late(i, now, here)}

    @staticmethod
    def is_held_back(back: Returned, now: int, here: int) -> bool:
        return back.due_here > here if back.due_here else back.due > now

    def count_return(self, place: Place, item_id: int, now: int, here: int) -> None:
        settings = place.consumer.settings
        known = place.returns.get(item_id)
        attempts = 1 if known is None else known.attempts + 1
        due = due_here = 0
        if settings.retry_delay is not None:
            delay = min(settings.retry_delay * 2 ** (attempts - 1), settings.max_retry_delay)
            due, due_here = now + delay, here + delay
        place.returns[item_id] = Returned(item_id, attempts, due, due_here)
