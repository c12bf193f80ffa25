"""A queue against a simple model, through everything that clients, disks, clocks and restarts do.

The model is a log of what was put and, for each consumer, a set of what is confirmed. At every moment
the next item of a consumer is the lowest id neither confirmed, nor held, nor waiting out a delay; a
failure goes back to what was written last. Items that move to other queues: `test_moves_machine.py`.
"""

import random
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from darnerpy.config import DROP, QueueSettings
from darnerpy.errors import PausedError, QueueFullError, ServerError
from darnerpy.queues import aside as aside_module
from darnerpy.queues import delivery as delivery_module
from darnerpy.queues import limits as limits_module
from darnerpy.queues import upkeep as upkeep_module
from darnerpy.queues.batches import PAUSED_GETS, PAUSED_PUTS, Batch
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.events import ABORT
from darnerpy.queues.items import ITEM_OVERHEAD, Item
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.positions import Span, shared
from darnerpy.queues.windows import Windows
from tests.unit.keeper import Disk, Keeper, ManualClock, SettingsBook
from tests.unit.model import Leased, Model, Place, Put

WINDOW_MEMORY = 4 * ITEM_OVERHEAD
STEPS = 3
SET_BY = {6: 5, 7: -12}
"""By how much somebody sets the clock while so many milliseconds pass."""
OWN, NAMES = b"", [b"", b"a", b"b"]
some = st.integers(0, 7)
names = st.sampled_from([b"", b"", b"", b"a", b"a", b"b"])
kinds = st.sampled_from(["open", "open", "open", "plain", "plain", "peek", "regret"])
puts = st.tuples(  # size, milliseconds to live, until it is due, number of its file, sync
    st.sampled_from([0, 10, 300]),
    st.sampled_from([None, None, None, -1, 5]),
    st.sampled_from([None, None, None, -1, 0, 3, 9]),
    st.sampled_from([0, 0, 0, 7]),
    st.booleans(),
)
ttls = st.sampled_from([2, 9, 30])
receivers = st.sampled_from([None, None, None, b"", b"a"])
changes = st.fixed_dictionaries(
    {},
    optional={
        "max_items": st.sampled_from([None, 1, 2, 4]),
        "max_bytes": st.sampled_from([None, 19, 20, 310]),
        "discard_old_when_full": st.booleans(),
        "max_lag_items": st.sampled_from([None, 1, 3]),
        "max_lag_bytes": st.sampled_from([None, 9, 10, 310]),
        "lag_action": st.sampled_from(["refuse", "discard"]),
        "max_age": st.sampled_from([None, 8]),
        "open_timeout": st.sampled_from([None, 4]),
        "max_attempts": st.sampled_from([0, 2, 3]),
        "retry_delay": st.sampled_from([None, 3]),
        "max_retry_delay": st.just(10),
        "fanout_only": st.booleans(),
        "start": st.sampled_from(["head", "tail"]),
        "copy_from": st.sampled_from([b"", b"a"]),
        "consumers": st.sampled_from([(), (b"b",)]),
    },
)


class Client:
    """A waiter that checks whatever it is told against the model. present: still connected."""

    def __init__(self, machine: "QueueMachine", place: Place, kind: str, blocking: bool) -> None:
        self.open = kind == "open"
        self.peek = kind == "peek"
        self.blocking = blocking
        self.present = True
        self.place = place
        self.machine = machine

    def reachable(self) -> bool:
        return True

    def accept(self, item: Item) -> bool:
        self.machine.check_is_next(self.place, item)
        assert self.place.line[0] is self, "first come, first served"
        if not self.present:
            self.place.line.remove(self)
        return self.present

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        assert self.place.line.pop(0) is self
        self.machine.got(self, item, commit, held)

    def end(self, error: ServerError | None) -> None:
        self.place.line.remove(self)
        if error is None and self.machine.dropping is not self.place:
            assert not self.blocking
            self.machine.check_nothing_waits(self.place)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        for module in (delivery_module, limits_module, upkeep_module):
            self.patches.setattr(module, "_STEPS", STEPS)
        self.patches.setattr(aside_module, "_FEW", STEPS)
        self.model = Model()
        self.clock = ManualClock()
        self.disk = Disk()
        self.settings = SettingsBook({OWN: QueueSettings(dead_letter=DROP)})
        self.calm = self.nonce = 0
        self.start()

    def teardown(self) -> None:
        self.patches.undo()

    def start(self) -> None:
        self.neighbour = Neighbour()
        self.windows = Windows(WINDOW_MEMORY)
        self.keeper = Keeper(self.disk, self.clock, self.windows, self.lost, self.settings)
        self.queue = self.keeper.queue
        self.dropping: Place | None = None
        self.times_read = self.times_done = 0
        self.counted: dict[Consumer, int] = {}
        self.discarded: dict[Consumer, int] = {}
        self.model.places = {}
        for name, consumer in self.queue.consumers.items():
            self.model.places[name] = Place(consumer)
        self.model.delays = self.queue.delays

    @property
    def here(self) -> int:
        return self.clock.monotonic_ms()

    # -- what is checked when something is handed out

    def observe(self, place: Place, new: int = 0, taken: int = 0) -> int:
        """Take over what has left a consumer by itself, if it had to; returns how much was discarded.

        new: the id that was just put; what made room for it was discarded before. taken: one that
        is being handed out.
        """
        model, now, consumer = self.model, self.clock.now, place.consumer
        self.note_timeouts(place)
        counters = consumer.counters
        counted = counters.expired + counters.dropped + counters.discarded
        count, self.counted[consumer] = counted - self.counted.get(consumer, 0), counted
        discarded = counters.discarded - self.discarded.get(consumer, 0)
        self.discarded[consumer] = counters.discarded
        is_confirmed = consumer.positions.is_confirmed
        gone = [i for i in model.waiting(place) if is_confirmed(i) and i != taken]
        assert len(gone) == count
        live = [i for i in gone if not model.must_leave(place, i, now)]
        assert len(live) <= discarded, "what need not leave was discarded"
        available = [
            i for i in model.next_ones(place, now, self.here) if i not in gone and i != new
        ]
        # What came back too often may leave at once, all else only from the head.
        heads = [i for i in gone if i not in place.returns]
        if available and heads and not self.keeper.failed and self.orderly:
            assert max(heads) < available[0]
        place.confirmed.update(gone)
        return discarded

    orderly = True
    """Whether items leave one by one: not so when the alarm rings, and several come back together."""

    def note_timeouts(self, place: Place) -> None:
        timeout = place.consumer.settings.open_timeout
        for item_id, held in list(place.held.items()):
            if held.gone:
                leased = place.leases.pop(item_id, None)
                if leased is not None:
                    assert leased.until <= self.here
                else:
                    assert timeout is not None
                    assert held.since + timeout <= self.here
                del place.held[item_id]
                self.model.count_return(place, item_id, self.clock.now, self.here)

    def check_is_next(self, place: Place, item: Item) -> None:
        self.observe(place, taken=item.id)
        available = self.model.available(place, self.clock.now, self.here)
        assert available
        assert item.id == available[0]
        put = self.model.log[item.id]
        times = item.created, item.expiry, item.due
        assert put == (item.id, item.data, item.size, item.flags, *times, item.large)
        self.model.note_due(self.clock.now, self.here)
        assert item.id in self.model.been_due, "it is not due yet"
        assert item.offset == self.model.bytes_of([i for i in self.model.log if i < item.id])

    def check_nothing_waits(self, place: Place) -> None:
        """Nothing can be had now; what is aside may be, later."""
        self.observe(place)
        if self.model.paused & PAUSED_GETS:
            return
        aside = place.consumer.delayed.keys()
        assert [i for i in self.model.waiting(place) if i not in aside] == []

    def got(self, client: Client, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        self.check_is_next(client.place, item)
        writing = (b for b in self.queue.unwritten if item.id in [i.id for i in b.items])
        assert (held is not None) == client.open
        self.times_read += not client.peek
        self.times_done += not (client.open or client.peek)
        if client.open or client.peek:
            assert commit is next(writing, None)
        else:
            assert commit is self.queue.batch is not None
            client.place.confirmed.add(item.id)
        if held is not None:
            assert (held.item, held.commit) == (item, commit)
            client.place.held[item.id] = held

    def lost(self, span: Span) -> None:
        for place in self.model.places.values():
            self.observe(place)
            for item_id in range(span.first, span.stop):
                place.held.pop(item_id, None)
                place.leases.pop(item_id, None)
                place.confirmed.add(item_id)

    def place(self, name: bytes) -> Place:
        """The consumer of that name, as a client that refers to it finds it."""
        known = self.model.places.get(name)
        consumer = self.queue.consumer(name)
        if known is not None:
            assert consumer is known.consumer
            return known
        return self.found(name, consumer)

    def found(self, name: bytes, consumer: Consumer) -> Place:
        """A new consumer starts where its settings say."""
        model, options = self.model, consumer.settings
        confirmed = [set(model.log)]
        if options.copy_from in model.places and options.copy_from:
            confirmed = [model.places[options.copy_from].confirmed]
        elif options.start == "head" and not model.places[OWN].consumer.settings.fanout_only:
            confirmed = [model.places[OWN].confirmed]
        elif options.start == "head":
            lows = {each: min([*model.unconfirmed(each), model.next_id]) for each in self.places}
            confirmed = [p.confirmed for p, low in lows.items() if low == min(lows.values())]
        place = Place(consumer)
        is_confirmed = consumer.positions.is_confirmed
        place.confirmed = {i for i in model.log if is_confirmed(i)}
        assert place.confirmed in [each & set(model.log) for each in confirmed]
        model.places[name] = place
        return place

    @property
    def places(self) -> list[Place]:
        return list(self.model.places.values())

    # -- clients

    @initialize(
        puts=st.lists(puts, max_size=5),
        fans=st.lists(st.sampled_from([b"a", b"b"]), max_size=2),
        change=changes,
    )
    def begin(
        self,
        puts: list[tuple[int, int | None, int | None, int, bool]],
        fans: list[bytes],
        change: dict[str, object],
    ) -> None:
        for name in fans:
            self.place(name)
        self.change_settings(OWN, change)
        self.put(puts, None)
        self.settle()

    is_up = precondition(lambda self: not self.keeper.failed)

    @is_up
    @rule(puts=st.lists(puts, min_size=1, max_size=3), only=receivers)
    def put(
        self, puts: list[tuple[int, int | None, int | None, int, bool]], only: bytes | None
    ) -> None:
        for size, ttl, delay, large, sync in puts:
            place = None if only is None else self.place(only)
            self.put_one(size, ttl, delay, large, sync, place)

    def put_one(
        self,
        size: int,
        ttl: int | None,
        delay: int | None,
        large: int,
        sync: bool,
        only: Place | None,
    ) -> None:
        model, queue = self.model, self.queue
        item_id, expiry = model.next_id, 0 if ttl is None else self.clock.now + ttl
        flags = 3 * item_id
        due = 0 if delay is None else self.clock.now + delay
        data = None if large else bytes([item_id % 256]) * size
        created = (queue.batch and queue.batch.created) or self.clock.now
        limits = [Room(self, limit, size, only) for limit in self.limits()]
        # First, because a waiter may be given it at once.
        late = due if due > self.clock.now else 0
        model.log[item_id] = Put(item_id, data, size, flags, created, expiry, late, large)
        model.next_id += 1
        fanout_only = model.places[OWN].consumer.settings.fanout_only
        for place in self.places:
            if (place is not only) if only else (fanout_only and place is model.places[OWN]):
                place.confirmed.add(item_id)
        own = None if only is None else only.consumer
        try:
            batch = queue.put(data, size, flags, expiry, sync, large, own, due=due)
        except (QueueFullError, PausedError) as error:
            paused = isinstance(error, PausedError)
            assert paused == (model.paused & PAUSED_PUTS > 0)
            assert paused or any(limit.may_refuse for limit in limits)
            del model.log[item_id]
            model.next_id -= 1
            for place in self.places:
                place.confirmed.discard(item_id)
                assert self.observe(place) == 0, "discarded, and refused all the same"
            return
        assert not model.paused & PAUSED_PUTS
        assert not any(limit.must_refuse for limit in limits)
        assert batch is queue.batch
        assert batch.sync or not sync
        discarded = {place: self.observe(place, item_id) for place in self.places}
        for place in self.places:
            concerned = [each for each in limits if each.place is place]
            if discarded[place]:
                assert any(each.needs_what_is_gone() for each in concerned)
        for limit in limits:
            limit.check_is_kept()

    def limits(self) -> list[tuple[Place, int | None, int | None, bool]]:
        """Who may have how many items and bytes waiting, and whether the oldest make room."""
        own, found = self.model.places[OWN], []
        options = own.consumer.settings
        for place in self.places:
            lag = place.consumer.settings
            if (place is not own) == options.fanout_only:
                discard = options.discard_old_when_full
                found.append((place, options.max_items, options.max_bytes, discard))
            if place is not own:
                discard = lag.lag_action == "discard"
                found.append((place, lag.max_lag_items, lag.max_lag_bytes, discard))
        return found

    @is_up
    @rule(name=names, kinds=st.lists(kinds, min_size=1, max_size=4))
    def get(self, name: bytes, kinds: list[str]) -> None:
        for kind in kinds:
            self.get_one(self.place(name), kind)

    def get_one(self, place: Place, kind: str, blocking: bool = False) -> None:
        """As a session does it. regret: the item is taken, but cannot be handed over."""
        queue, consumer = self.queue, place.consumer
        client = Client(self, place, kind, blocking)
        held: OpenRead | None = None
        if kind in ("plain", "regret"):
            item = queue.take(consumer)
        elif kind == "peek":
            item = queue.peek(consumer)
        else:
            held = queue.open(consumer)
            item = held.item if held else None
        if item is not None and kind == "regret":
            queue.give_back(consumer, item)
            self.check_is_next(place, item)
        elif item is not None:
            assert kind == "peek" or not place.line, "no newcomer overtakes a waiter"
            commit = queue.batch if kind == "plain" else queue.pending(item)
            self.got(client, item, commit, held)
        elif client.blocking or not queue.is_empty(consumer):
            place.line.append(client)
            consumer.line.join(client)
        else:
            self.check_nothing_waits(place)

    @is_up
    @precondition(lambda self: sum(len(place.line) for place in self.places) < 2)
    @rule(name=names, kind=kinds)
    def wait(self, name: bytes, kind: str) -> None:
        self.get_one(self.place(name), kind, blocking=True)

    some_are_held = precondition(lambda self: any(p.held.keys() - p.leases for p in self.places))

    @is_up
    @some_are_held
    @rule(which=some)
    def close(self, which: int) -> None:
        place, held = self.choose_held(which)
        place.confirmed.add(held.item.id)
        self.times_done += 1
        assert self.queue.close(held) is self.queue.batch
        assert self.queue.close(held) is None

    @some_are_held
    @rule(which=some, counted=st.sampled_from([True, True, False]))
    def abort(self, which: int, counted: bool) -> None:
        place, held = self.choose_held(which)
        if counted:
            self.model.count_return(place, held.item.id, self.clock.now, self.here)
        self.queue.abort(held, counted)
        self.queue.abort(held, counted)  # once is enough

    def choose_held(self, which: int) -> tuple[Place, OpenRead]:
        everyone = [(p, i) for p in self.places for i in sorted(p.held.keys() - p.leases)]
        place, item_id = everyone[which % len(everyone)]
        return place, place.held.pop(item_id)

    # -- leases

    @is_up
    @rule(name=names, ttl=ttls)
    def lease(self, name: bytes, ttl: int) -> None:
        """As a request does it that finds an item at once."""
        place = self.place(name)
        held = self.queue.open(place.consumer)
        if held is None:
            return
        self.got(Client(self, place, "open", False), held.item, held.commit, held)
        self.nonce += 1
        lease = self.queue.lease(held, ttl, self.nonce)
        batch = self.queue.batch
        assert batch is not None
        assert batch.lasting
        assert held.commit is batch
        known = held.item.id, batch.number, self.nonce, self.clock.now + ttl
        assert lease == known
        place.leases[held.item.id] = Leased(held, lease, self.here + ttl)

    some_are_leased = precondition(lambda self: any(place.leases for place in self.places))

    @is_up
    @some_are_leased
    @rule(which=some)
    def confirm_leased(self, which: int) -> None:
        place, held = self.choose_leased(which)
        del place.leases[held.item.id], place.held[held.item.id]
        place.confirmed.add(held.item.id)
        place.done.add(held)
        self.times_done += 1
        assert self.queue.confirm_leased(held) is self.queue.batch is not None
        assert held.gone

    @is_up
    @some_are_leased
    @rule(which=some, counted=st.sampled_from([True, True, False]))
    def end_kept(self, which: int, counted: bool) -> None:
        place, held = self.choose_leased(which)
        del place.leases[held.item.id], place.held[held.item.id]
        if counted:
            self.model.count_return(place, held.item.id, self.clock.now, self.here)
        assert self.queue.end_kept(held, counted, ABORT) is not None
        assert self.queue.end_kept(held, counted, ABORT) is None

    @is_up
    @some_are_leased
    @rule(which=some, ttl=ttls)
    def extend(self, which: int, ttl: int) -> None:
        place, held = self.choose_leased(which)
        before = place.leases[held.item.id].lease
        lease = self.queue.extend(held, ttl)
        assert lease == before._replace(deadline=self.clock.now + ttl)
        assert self.queue.batch is not None
        assert self.queue.batch.lasting
        place.leases[held.item.id] = Leased(held, lease, self.here + ttl)

    def choose_leased(self, which: int) -> tuple[Place, OpenRead]:
        everyone = [(place, i) for place in self.places for i in sorted(place.leases)]
        place, item_id = everyone[which % len(everyone)]
        return place, place.held[item_id]

    def set_clock(self, by: int) -> None:
        self.clock.set(by)
        upkeep_module.clock_was_set(self.queue)
        self.renew_deadlines()

    def renew_deadlines(self) -> None:
        for place in self.places:
            for item_id, (held, lease, until) in place.leases.items():
                deadline = self.clock.now + until - self.here
                place.leases[item_id] = Leased(held, lease._replace(deadline=deadline), until)

    @precondition(lambda self: any(place.line for place in self.places))
    @rule(which=some, how=st.sampled_from(["leaves", "hangs up", "tires"]))
    def stop_waiting(self, which: int, how: str) -> None:
        clients = [client for place in self.places for client in place.line]
        client = clients[which % len(clients)]
        assert isinstance(client, Client)
        place, consumer = client.place, client.place.consumer
        if how == "hangs up":
            client.present = False
        elif how == "leaves" or self.queue.is_empty(consumer):
            consumer.line.leave(client)
            place.line.remove(client)
            if how == "tires":
                self.check_nothing_waits(place)
        else:
            consumer.line.stop_blocking(client)
            assert not client.blocking

    @is_up
    @precondition(lambda self: any(len(self.model.waiting(place)) > 2 for place in self.places))
    @rule(name=st.sampled_from([None, *NAMES]))
    def flush(self, name: bytes | None) -> None:
        only = None if name is None else self.model.places.get(name)
        for place in self.places if only is None else [only]:
            place.confirmed.update(self.model.waiting(place))
        batch = self.queue.flush(None if only is None else only.consumer)
        assert batch is self.queue.batch

    @is_up
    @precondition(lambda self: any(len(self.model.waiting(place)) > 1 for place in self.places))
    @rule(name=names, chance=st.randoms(use_true_random=False))
    def throw_away(self, name: bytes, chance: random.Random) -> None:
        place = self.model.places.get(name)
        if place is None:
            return
        written = [item for item in self.disk.items() if item.id < self.queue.written]
        chosen = [item for item in written if item.id >= 1 and chance.random() < 0.6]
        chosen = self.queue.that_wait(place.consumer, chosen)
        waiting = self.model.waiting(place)
        ids = [item.id for item in chosen]
        assert set(ids) <= set(waiting)
        assert not any(self.model.must_leave(place, i, self.clock.now) for i in ids)
        place.confirmed.update(ids)
        counters = place.consumer.counters
        before, discarded = counters.purged, counters.discarded
        assert self.queue.throw_away(place.consumer, chosen) is self.queue.batch
        assert counters.purged == before + len(ids)
        assert counters.discarded == discarded

    @is_up
    @precondition(lambda self: len(self.places) > 1 and self.calm > 4)
    @rule(which=some)
    def drop(self, which: int) -> None:
        place = self.places[1 + which % (len(self.places) - 1)]
        del self.model.places[place.consumer.name]
        self.dropping = place
        assert self.queue.drop(place.consumer) is self.queue.batch
        assert all(held.gone for held in place.held.values())
        assert (place.line, place.consumer.loaded) == ([], 0)
        place.held = {}
        self.dropping = None

    @is_up
    @precondition(lambda self: self.calm > 2)
    @rule(what=st.sampled_from([0, PAUSED_PUTS, PAUSED_GETS, PAUSED_PUTS | PAUSED_GETS]))
    def pause(self, what: int) -> None:
        self.model.paused = what
        assert self.queue.pause(what) is self.queue.batch

    # -- the keeper, the disk, the rest of the world

    @is_up
    @precondition(lambda self: self.queue.batch is not None and self.keeper.sealed is None)
    @rule()
    def seal(self) -> None:
        self.model.sealed = self.model.snapshot()
        self.keeper.seal()

    @precondition(lambda self: self.keeper.sealed is not None)
    @rule()
    def write(self) -> None:
        self.model.base = self.model.disk = self.model.sealed
        self.keeper.write()

    @is_up
    @rule(name=names, items=st.integers(1, 4), at_once=st.booleans())
    def read(self, name: bytes, items: int, at_once: bool) -> None:
        place = self.model.places.get(name)
        if place is not None:
            self.keeper.start_read(items, place.consumer)
            if at_once:
                self.finish_read()

    @precondition(lambda self: self.keeper.readings)
    @rule()
    def finish_read(self) -> None:
        for consumer in list(self.keeper.readings):
            self.keeper.finish_read(consumer)

    @precondition(lambda self: self.keeper.rings)
    @rule()
    def ring(self) -> None:
        self.orderly = False
        self.keeper.ring()
        for place in self.places:
            self.observe(place)
        self.orderly = True

    @is_up
    @precondition(lambda self: self.calm > 8)
    @rule(
        what=st.sampled_from(["fail", "fail late", "restart", "restart late", "drain"]),
        acts=st.lists(st.sampled_from(["confirm", "abort", "extend"]), max_size=4),
    )
    def turn_upside_down(self, what: str, acts: list[str]) -> None:
        """What empties the stage, one rule for all so that there is time to fill it in between.

        acts: what is done to leases just before.
        """
        self.calm = 0
        for number, act in enumerate(acts):
            if not any(place.leases for place in self.places):
                self.lease(OWN, 30)
            elif act == "confirm":
                self.confirm_leased(number)
            elif act == "abort":
                self.end_kept(number, counted=True)
            else:
                self.extend(number, 9)
        for place in self.places:
            self.observe(place)  # what has expired on the way to an item has left
        match what.split():
            case ["fail", *late]:
                self.fail(landed=bool(late))
            case ["restart", *late]:
                self.restart(landed=bool(late))
            case _:
                self.drain()

    def fail(self, landed: bool) -> None:
        """landed: what was being written is there all the same."""
        model = self.model
        if landed and self.keeper.sealed is not None:
            model.disk = model.sealed
        before = self.places
        leases = {place: set(place.leases) for place in before}
        model.go_back(model.base)
        written = self.queue.written
        self.keeper.fail(landed)
        for place in [*before, *self.places]:
            for item_id, held in list(place.held.items()):
                unwritten = item_id in leases.get(place, ()) and item_id not in place.leases
                gone = item_id >= written or unwritten or place not in self.places
                assert held.gone == gone
                if held.gone:
                    del place.held[item_id]
            assert place.line == []

    @precondition(lambda self: self.keeper.failed)
    @rule(items=st.integers(0, 4))
    def rejoin(self, items: int) -> None:
        model = self.model
        for name, stand in model.disk.stands.items():
            if name in model.places:  # whose a refused item is that is there all the same
                unknown = {i for i in stand.confirmed if i >= model.next_id}
                model.places[name].confirmed |= unknown
        model.log, model.next_id = dict(model.disk.log), model.disk.next_id
        model.paused = model.disk.paused
        self.renew_deadlines()
        model.base = model.snapshot()
        self.keeper.rejoin()
        for name in self.queue.own.settings.consumers:
            if name not in self.model.places:
                self.found(name, self.queue.consumers[name])
        if items:
            self.keeper.start_read(items)
            self.finish_read()

    def restart(self, landed: bool) -> None:
        model = self.model
        if landed and self.keeper.sealed is not None:
            self.disk.write(self.keeper.sealed)
            model.disk = model.sealed
        disk = model.disk
        self.start()
        model.log, model.next_id, model.paused = dict(disk.log), disk.next_id, disk.paused
        model.been_due = set()
        places, model.places = model.places, {}
        for name, stand in disk.stands.items():
            if not self.disk.entries and name not in places:
                continue  # nothing was ever written, and the settings do not name it any more
            place = model.places[name] = places.pop(name)
            place.confirmed = set(stand.confirmed)
            # The monotonic clock of the process that counted them is gone with it.
            place.returns = {i: each._replace(due_here=0) for i, each in stand.returns.items()}
            self.resume(place, stand.leases)
        model.base = model.disk = model.snapshot()
        for place in self.places:
            self.note_lapsed(place)
        for name in self.queue.own.settings.consumers:
            if name in places:
                self.found(name, places.pop(name).consumer)
        assert not places
        if not self.disk.entries:  # then nothing is new
            model.base = model.disk = model.snapshot()

    def resume(self, place: Place, leases: dict[int, Leased]) -> None:
        """What was leased is held, until the same moment of the wall clock."""
        for item_id, (_, lease, _) in leases.items():
            until = self.here + max(0, lease.deadline - self.clock.now)
            held = place.consumer.open.get(item_id)
            place.leases[item_id] = Leased(held, lease, until)
            if held is not None:
                place.held[item_id] = held
                assert (held.item.data, held.until) == (None, until)

    def note_lapsed(self, place: Place) -> None:
        for item_id, leased in list(place.leases.items()):
            if leased.held is None:
                assert leased.lease.deadline <= self.clock.now
                del place.leases[item_id]
                self.model.count_return(place, item_id, self.clock.now, self.here)

    @is_up
    @rule()
    def turn_over(self) -> None:
        """The batch could not be sealed, and the next turn begins."""
        self.queue.turn_over()

    @is_up
    @rule(what=st.sampled_from(["time", "time", "memory", "decay", "full mark"]), how=some)
    def meanwhile(self, what: str, how: int) -> None:
        waiting = self.model.waiting(self.model.places[OWN])
        if what == "time":
            self.clock.now += how
            self.model.note_due(self.clock.now, self.here)
            if how in SET_BY:
                self.set_clock(SET_BY[how])
        elif what == "memory":
            before, self.neighbour.loaded = self.neighbour.settled, how % 3 * WINDOW_MEMORY // 2
            self.neighbour.settled = self.neighbour.loaded
            if before != self.neighbour.loaded:
                self.windows.settle(self.neighbour, before, self.neighbour.loaded)
        elif what == "decay" and waiting:
            self.disk.rotten.add(waiting[how % len(waiting)])
        elif what == "full mark":
            self.queue.want_full_mark()

    @is_up
    @precondition(lambda self: self.calm > 3)
    @rule(name=names, change=changes)
    def configure(self, name: bytes, change: dict[str, object]) -> None:
        self.change_settings(name, change)

    def change_settings(self, name: bytes, change: dict[str, object]) -> None:
        # mypy cannot know that the names and values fit each other
        self.settings[name] = replace(self.settings.of(name), **change)  # type: ignore[arg-type]
        self.queue.configure()
        for each, consumer in self.queue.consumers.items():
            if each not in self.model.places:
                assert each in self.queue.own.settings.consumers
                self.found(each, consumer)

    @is_up
    @precondition(lambda self: self.keeper.busy)
    @rule()
    def settle(self) -> None:
        self.orderly = False
        self.keeper.settle()
        for place in self.places:
            self.observe(place)
        self.orderly = True
        self.model.base = self.model.disk = self.model.snapshot()
        for place in self.places:
            assert not place.consumer.excess, "nothing is left to do, and it has still too much"

    def drain(self) -> None:
        """Whatever happened, every item comes."""
        self.pause(0)
        self.settle()
        for place in self.places:
            for _ in range(len(self.model.waiting(place))):
                self.get_one(place, "plain")
                self.settle()
            self.check_nothing_waits(place)

    # -- what always holds

    @invariant()
    def what_each_has_is_exact(self) -> None:
        self.calm += 1
        model, queue = self.model, self.queue
        assert {n: p.consumer for n, p in model.places.items()} == queue.consumers
        assert queue.next_id == model.next_id
        assert queue.paused == model.paused
        assert self.keeper.dirty == (queue.batch is not None)
        low = model.next_id
        for place in self.places:
            self.observe(place)
            consumer, waiting = place.consumer, model.waiting(place)
            assert [i for i in model.log if not consumer.positions.is_confirmed(i)] == (
                model.unconfirmed(place)
            )
            assert queue.count(consumer) == len(waiting)
            assert queue.backlog_bytes(consumer) == model.bytes_of(waiting)
            aside = consumer.delayed.keys()
            assert aside <= set(waiting)
            assert queue.is_drained(consumer) == (len(aside) == len(waiting))
            paused = model.paused & PAUSED_GETS > 0
            assert queue.is_empty(consumer) == (paused or queue.is_drained(consumer))
            known = {i: back for i, back in place.returns.items() if i in model.unconfirmed(place)}
            assert consumer.returns == known
            low = min([low, *model.unconfirmed(place)])
        everyone = shared(each.positions for each in queue.consumers.values())
        below = model.bytes_of([i for i in model.log if i < low])
        assert (everyone.position, everyone.offset) == (low, below)

    @invariant()
    def what_was_read_is_counted_for_good(self) -> None:
        past, everyone = self.queue.past, list(self.queue.consumers.values())
        confirmed = past.confirmed + sum(each.confirmed for each in everyone)
        handed_out = past.confirmed + past.aborts + past.let_go
        handed_out += sum(each.handed_out for each in everyone)
        assert (handed_out, confirmed) == (self.times_read, self.times_done)

    @invariant()
    def the_same_are_held_and_waiting(self) -> None:
        for place in self.places:
            line = place.consumer.line
            consumer = place.consumer
            assert consumer.open == place.held
            in_force = {} if consumer.leases is None else consumer.leases.in_force
            known = {i: each.lease for i, each in place.leases.items()}
            if self.keeper.failed:  # a clock that is set is looked at when all is well again
                assert in_force.keys() == known.keys()
            else:
                assert in_force == known
            assert line.snapshot() == place.line
            assert line.nonblocking == sum(not client.blocking for client in place.line)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        keeper, now = self.keeper, self.clock.now
        if keeper.failed:
            return
        for place in self.places:
            consumer = place.consumer
            at_work = bool(self.queue.unwritten or keeper.missing(consumer) or keeper.rings)
            if place.line and not at_work:
                assert not self.model.available(place, now, self.here), "nothing would wake them"
                assert all(client.blocking for client in place.line)
            due = [when for when, _ in consumer.delayed.values()]
            timeout = consumer.settings.open_timeout
            by_settings = [each for each in consumer.open.values() if not each.until]
            if timeout is not None and by_settings:
                due.append(by_settings[0].since + timeout)
            due += [each.until for each in place.leases.values()]
            known = [*consumer.window, *(item for _, item in consumer.returned)]
            if known and (consumer.max_age or any(item.expiry for item in known)):
                due.append(self.here + 1000)
            assert not due or (keeper.alarm is not None and keeper.alarm <= min(due))

    @invariant()
    def memory_is_accounted_for(self) -> None:
        for consumer in self.queue.consumers.values():
            aside = [item for _, item in consumer.delayed.values()]
            items = [*consumer.window, *(item for _, item in consumer.returned), *aside]
            items += [held.item for held in consumer.open.values()]
            ids = {item.id for item in items}
            assert len(ids) == len(items), "one item in two places"
            known = range(1, consumer.loaded_to)
            assert ids.issuperset(i for i in known if not consumer.positions.is_confirmed(i))
            free = [item for item in items if item.data is None and not item.large]
            sizes = [0 if item.data is None else item.size for item in items]
            charged = len(items) - len(free)
            assert consumer.loaded == sum(sizes) + charged * ITEM_OVERHEAD
        settled = sum(consumer.settled for consumer in self.queue.consumers.values())
        assert self.windows.used == settled + self.neighbour.loaded


class Room:
    """A limit, seen just before an item is put."""

    def __init__(
        self,
        machine: QueueMachine,
        limit: tuple[Place, int | None, int | None, bool],
        size: int,
        only: Place | None,
    ) -> None:
        self.machine = machine
        self.place, self.items, self.bytes, self.discard = limit
        self.size = size
        self.concerned = only is None or only is self.place
        model, now = machine.model, machine.clock.now
        self.waiting = model.waiting(self.place)
        live = [i for i in self.waiting if not model.must_leave(self.place, i, now)]
        own = self.place is model.places[OWN]
        refuses = not self.discard or (own and self.bytes is not None and size > self.bytes)
        # What has expired does not count, if it is known and at the head.
        self.may_refuse = self.concerned and refuses and self.is_over(self.waiting)
        self.must_refuse = self.concerned and refuses and self.is_over(live)

    def is_over(self, waiting: list[int], items: int = 1) -> bool:
        size = self.machine.model.bytes_of(waiting) + items * self.size
        return (self.items is not None and len(waiting) + items > self.items) or (
            self.bytes is not None and size > self.bytes
        )

    def needs_what_is_gone(self) -> bool:
        """Whether all that was discarded had to be, and not one less."""
        gone = [i for i in self.waiting if i in self.place.confirmed]
        left = [i for i in self.waiting if i not in gone]
        return self.concerned and self.discard and any(self.is_over([i, *left]) for i in gone)

    def check_is_kept(self) -> None:
        """Unless the rest is discarded when it is in memory, or is aside."""
        consumer = self.place.consumer
        if self.concerned and self.discard and not consumer.excess:
            waiting = self.machine.model.waiting(self.place)
            assert not self.is_over(waiting, 0)


class Neighbour:
    """Another consumer with a part in the memory."""

    loaded = 0
    settled = 0

    def shrink(self, target: int) -> None:
        self.loaded = min(self.loaded, target)


TestQueue = pytest.mark.timeout(600)(QueueMachine.TestCase)  # to make a failure small takes time
TestQueue.settings = settings(
    max_examples=4 * settings().max_examples, stateful_step_count=50, report_multiple_bugs=False
)
