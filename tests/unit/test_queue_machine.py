"""A queue against a simple model, through everything that clients, disks, clocks and restarts do.

The model is a log of what was put and a set of what is confirmed. At every moment the next item is
the lowest id neither confirmed nor held; a failure goes back to what was written last.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from darnerpy.errors import ServerError
from darnerpy.queues.batches import Batch
from darnerpy.queues.consumer import OpenRead
from darnerpy.queues.items import ITEM_OVERHEAD, Item
from darnerpy.queues.positions import Span
from darnerpy.queues.windows import Windows
from tests.unit.keeper import Disk, Keeper, ManualClock

WINDOW_MEMORY = 3 * ITEM_OVERHEAD
some = st.integers(0, 7)
kinds = st.sampled_from(["open", "open", "open", "plain", "plain", "peek", "regret"])
puts = st.tuples(  # size, milliseconds to live, number of its file, sync
    st.sampled_from([0, 10, 300]),
    st.sampled_from([None, None, None, -1, 5]),
    st.sampled_from([0, 0, 0, 7]),
    st.booleans(),
)


class Put(NamedTuple):
    id: int
    data: bytes | None
    size: int
    flags: int
    created: int
    expiry: int
    large: int


class State(NamedTuple):
    log: dict[int, Put]
    confirmed: frozenset[int]
    next_id: int


NOTHING = State({}, frozenset(), 1)


@dataclass
class Model:
    """base: what a failure goes back to. disk: what a restart finds. sealed: is being written."""

    log: dict[int, Put] = field(default_factory=dict)
    confirmed: set[int] = field(default_factory=set)
    held: dict[int, OpenRead] = field(default_factory=dict)
    line: list["Client"] = field(default_factory=list)
    next_id: int = 1
    base: State = NOTHING
    disk: State = NOTHING
    sealed: State = NOTHING

    @property
    def waiting(self) -> list[int]:
        return [i for i in sorted(self.log) if i not in self.confirmed and i not in self.held]

    def snapshot(self) -> State:
        return State(dict(self.log), frozenset(self.confirmed), self.next_id)

    def go_back(self, state: State) -> None:
        self.log, self.next_id = dict(state.log), state.next_id
        self.confirmed = set(state.confirmed)

    def bytes_of(self, ids: list[int]) -> int:
        return sum(self.log[item_id].size for item_id in ids)


class Client:
    """A waiter that checks whatever it is told against the model. present: still connected."""

    def __init__(self, machine: "QueueMachine", kind: str, patient: bool) -> None:
        self.open = kind == "open"
        self.peek = kind == "peek"
        self.patient = patient
        self.present = True
        self.machine = machine

    def accept(self, item: Item) -> bool:
        self.machine.check_is_next(item)
        assert self.machine.model.line[0] is self, "first come, first served"
        if not self.present:
            self.machine.model.line.remove(self)
        return self.present

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        assert self.machine.model.line.pop(0) is self
        self.machine.got(self, item, commit, held)

    def end(self, error: ServerError | None) -> None:
        self.machine.model.line.remove(self)
        if error is None:
            assert not self.patient
            self.machine.check_nothing_waits()


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.clock = ManualClock()
        self.windows = Windows(WINDOW_MEMORY)
        self.neighbour = Neighbour()
        self.disk = Disk()
        self.calm = 0
        self.start()

    def start(self) -> None:
        self.keeper = Keeper(self.disk, self.clock, self.windows, self.lost)
        self.queue = self.keeper.queue
        self.own = self.queue.own
        self.expired = 0

    # -- what is checked when something is handed out

    def note_expired(self) -> None:
        """Items may expire only at the head, and only when it is time."""
        count = self.queue.own.counters.expired - self.expired
        self.expired += count
        gone = self.model.waiting[:count]
        assert len(gone) == count
        for item_id in gone:
            assert 0 < self.model.log[item_id].expiry <= self.clock.now
        self.model.confirmed.update(gone)

    def check_is_next(self, item: Item) -> None:
        self.note_expired()
        assert item.id == self.model.waiting[0]
        put = self.model.log[item.id]
        assert put == (
            item.id, item.data, item.size, item.flags, item.created, item.expiry, item.large
        )  # fmt: skip
        assert not 0 < put.expiry <= self.clock.now
        assert item.offset == self.model.bytes_of([i for i in self.model.log if i < item.id])

    def check_nothing_waits(self) -> None:
        self.note_expired()
        assert self.model.waiting == []

    def got(self, client: Client, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        self.check_is_next(item)
        writing = (b for b in self.queue.unwritten if item.id in [i.id for i in b.items])
        assert (held is not None) == client.open
        if client.open or client.peek:
            assert commit is next(writing, None)
        else:
            assert commit is self.queue.batch is not None
            self.model.confirmed.add(item.id)
        if held is not None:
            assert (held.item, held.commit) == (item, commit)
            self.model.held[item.id] = held

    def lost(self, span: Span) -> None:
        for item_id in range(span.first, span.stop):
            self.model.held.pop(item_id, None)
            self.model.confirmed.add(item_id)

    # -- clients

    @initialize(puts=st.lists(puts, max_size=5))
    def begin(self, puts: list[tuple[int, int | None, int, bool]]) -> None:
        self.put(puts)
        self.settle()

    is_up = precondition(lambda self: not self.keeper.failed)

    @is_up
    @rule(puts=st.lists(puts, min_size=1, max_size=3))
    def put(self, puts: list[tuple[int, int | None, int, bool]]) -> None:
        for size, ttl, large, sync in puts:
            item_id, expiry = self.model.next_id, 0 if ttl is None else self.clock.now + ttl
            flags = 3 * item_id
            data = None if large else bytes([item_id % 256]) * size
            created = self.queue.batch.created if self.queue.batch else self.clock.now
            # First, because a waiter may be given it at once.
            self.model.log[item_id] = Put(item_id, data, size, flags, created, expiry, large)
            self.model.next_id += 1
            batch = self.queue.put(data, size, flags, expiry, sync, large)
            assert batch is self.queue.batch
            assert batch.sync or not sync

    @is_up
    @rule(kinds=st.lists(kinds, min_size=1, max_size=4))
    def get(self, kinds: list[str]) -> None:
        for kind in kinds:
            self.get_one(kind)

    def get_one(self, kind: str, patient: bool = False) -> None:
        """As a session does it. regret: the item is taken, but cannot be handed over."""
        client = Client(self, kind, patient)
        held: OpenRead | None = None
        if kind in ("plain", "regret"):
            item = self.queue.take(self.own)
        elif kind == "peek":
            item = self.queue.peek(self.own)
        else:
            held = self.queue.open(self.own)
            item = held.item if held else None
        if item is not None and kind == "regret":
            self.check_is_next(item)
            self.queue.give_back(self.own, item)
        elif item is not None:
            assert kind == "peek" or not self.model.line, "no newcomer overtakes a waiter"
            commit = self.queue.batch if kind == "plain" else self.queue.pending(item)
            self.got(client, item, commit, held)
        elif client.patient or not self.queue.is_empty(self.own):
            self.model.line.append(client)
            self.own.line.join(client)
        else:
            self.check_nothing_waits()

    @is_up
    @precondition(lambda self: len(self.model.line) < 2)
    @rule(kind=kinds)
    def wait(self, kind: str) -> None:
        self.get_one(kind, patient=True)

    @is_up
    @precondition(lambda self: self.model.held)
    @rule(which=some)
    def close(self, which: int) -> None:
        item_id, held = self.choose_held(which)
        self.model.confirmed.add(item_id)
        assert self.queue.close(held) is self.queue.batch
        assert self.queue.close(held) is None

    @precondition(lambda self: self.model.held)
    @rule(which=some)
    def abort(self, which: int) -> None:
        _, held = self.choose_held(which)
        self.queue.abort(held)
        self.queue.abort(held)  # once is enough

    def choose_held(self, which: int) -> tuple[int, OpenRead]:
        ids = sorted(self.model.held)
        item_id = ids[which % len(ids)]
        return item_id, self.model.held.pop(item_id)

    @precondition(lambda self: self.model.line)
    @rule(which=some, how=st.sampled_from(["leaves", "hangs up", "tires"]))
    def stop_waiting(self, which: int, how: str) -> None:
        client = self.model.line[which % len(self.model.line)]
        if how == "hangs up":
            client.present = False
        elif how == "leaves":
            self.own.line.leave(client)
            self.model.line.remove(client)
        elif self.queue.is_empty(self.own):
            self.own.line.leave(client)
            self.model.line.remove(client)
            self.check_nothing_waits()
        else:
            self.own.line.tire(client)
            assert not client.patient

    @is_up
    @precondition(lambda self: len(self.model.waiting) > 2)
    @rule()
    def flush(self) -> None:
        self.model.confirmed.update(self.model.waiting)
        assert self.queue.flush() is self.queue.batch

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
    @precondition(lambda self: self.keeper.missing is not None)
    @rule(items=st.integers(1, 4), at_once=st.booleans())
    def read(self, items: int, at_once: bool) -> None:
        self.keeper.start_read(items)
        if at_once:
            self.finish_read()

    @precondition(lambda self: self.keeper.reading is not None)
    @rule()
    def finish_read(self) -> None:
        if self.keeper.reading is not None:
            self.keeper.finish_read()

    @is_up
    @precondition(lambda self: self.calm > 8)
    @rule(what=st.sampled_from(["fail", "fail late", "restart", "restart late", "drain"]))
    def turn_upside_down(self, what: str) -> None:
        """What empties the stage, one rule for all so that there is time to fill it in between."""
        self.calm = 0
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
        model.go_back(model.base)
        written = self.queue.written
        self.keeper.fail(landed)
        for item_id, held in list(model.held.items()):
            assert held.gone == (item_id >= written)
            if held.gone:
                del model.held[item_id]
        assert model.line == []

    @precondition(lambda self: self.keeper.failed)
    @rule(items=st.integers(0, 4))
    def rejoin(self, items: int) -> None:
        self.model.log, self.model.next_id = dict(self.model.disk.log), self.model.disk.next_id
        self.model.base = self.model.snapshot()
        self.keeper.rejoin()
        if items:
            self.keeper.start_read(items)
            self.finish_read()

    def restart(self, landed: bool) -> None:
        model = self.model
        if landed and self.keeper.sealed is not None:
            self.disk.write(self.keeper.sealed)
            model.disk = model.sealed
        self.own.forget_waiting(1)
        for held in model.held.values():
            self.own.release(held)
        self.windows.settle(self.own)
        model.go_back(model.disk)
        model.base = model.disk
        model.held, model.line = {}, []
        self.start()

    @is_up
    @rule(what=st.sampled_from(["time", "memory", "decay", "full mark"]), how=some)
    def meanwhile(self, what: str, how: int) -> None:
        if what == "time":
            self.clock.now += how
        elif what == "memory":
            self.neighbour.loaded = how % 3 * WINDOW_MEMORY // 2
            self.windows.settle(self.neighbour)
        elif what == "decay" and self.model.waiting:
            self.disk.rotten.add(self.model.waiting[how % len(self.model.waiting)])
        elif what == "full mark":
            self.queue.want_full_mark()

    @is_up
    @precondition(lambda self: self.queue.unwritten)
    @rule()
    def settle(self) -> None:
        self.keeper.settle()
        self.note_expired()
        self.model.base = self.model.disk = self.model.snapshot()

    def drain(self) -> None:
        """Whatever happened, every item comes."""
        for _ in range(len(self.model.waiting)):
            self.get_one("plain")
        self.settle()
        self.check_nothing_waits()

    # -- what always holds

    @invariant()
    def the_counts_are_exact(self) -> None:
        self.calm += 1
        self.note_expired()
        model, waiting = self.model, self.model.waiting
        assert self.queue.next_id == model.next_id
        assert self.queue.count(self.own) == len(waiting)
        assert self.queue.is_empty(self.own) == (not waiting)
        assert self.queue.backlog_bytes(self.own) == model.bytes_of(waiting)
        low = min([*waiting, *model.held, model.next_id])
        assert self.queue.low() == (low, model.bytes_of([i for i in model.log if i < low]))
        assert self.keeper.dirty == (self.queue.batch is not None)

    @invariant()
    def the_same_are_held_and_waiting(self) -> None:
        assert self.own.open == self.model.held
        assert self.own.line.snapshot() == self.model.line
        assert self.own.line.impatient == sum(not client.patient for client in self.model.line)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        self.note_expired()
        if self.model.line:
            if self.model.waiting:
                assert self.queue.unwritten or self.keeper.missing, "nothing would wake them"
            else:
                assert all(client.patient for client in self.model.line)

    @invariant()
    def memory_is_accounted_for(self) -> None:
        own = self.own
        items = [*own.window, *(item for _, item in own.returned)]
        items += [held.item for held in own.open.values()]
        sizes = [0 if item.data is None else item.size for item in items]
        assert own.loaded == sum(sizes) + len(items) * ITEM_OVERHEAD
        assert self.windows.used == own.settled + self.neighbour.loaded


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
