"""Items on their way from one queue to another, and what a crash or a failure leaves of them.

At every moment, if everything stopped here, each item that was acknowledged is still to be had by each
consumer of the source, or is in the target, or was confirmed and that is on disk; never nowhere.
"""

import random
from dataclasses import dataclass, field, replace
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from darnerpy.config import QueueSettings
from darnerpy.queues import aside as aside_module
from darnerpy.queues import delivery as delivery_module
from darnerpy.queues import upkeep as upkeep_module
from darnerpy.queues.batches import Batch
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.departures import Departure, Party
from darnerpy.queues.items import DEAD, EXPIRED, ITEM_OVERHEAD, MOVED, Item
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows
from tests.unit.keeper import Arrival, Disk, Keeper, ManualClock, SettingsBook

OWN, AUDIT = b"", b"audit"
SOURCE, TARGET = b"work", b"failed"
consumers = st.sampled_from([OWN, OWN, AUDIT])
sides = st.sampled_from([SOURCE, TARGET])
lives = st.sampled_from([None, -1, -1, 5])
some = st.integers(0, 7)


@dataclass(eq=False)
class Entry:
    """An item as it was put; commit: its acknowledgement; done: by consumer, what confirms it, one
    after another if the first ones failed.
    """

    id: int
    data: bytes
    flags: int
    commit: Batch
    done: dict[bytes, list[Batch]] = field(default_factory=dict)

    def confirm(self, name: bytes, commit: Batch) -> None:
        self.done.setdefault(name, []).append(commit)

    @property
    def acknowledged(self) -> bool:
        return self.commit.ended and self.commit.error is None


class MovesMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        for module in (delivery_module, upkeep_module):
            self.patches.setattr(module, "_STEPS", 2)
        self.patches.setattr(aside_module, "_FEW", 2)
        self.clock = ManualClock()
        self.disks = {SOURCE: Disk(), TARGET: Disk()}
        self.settings = {
            SOURCE: SettingsBook({OWN: QueueSettings(dead_letter=TARGET, expire_to=TARGET)}),
            TARGET: SettingsBook({OWN: QueueSettings()}),
        }
        self.entries: list[Entry] = []
        self.ever: dict[int, tuple[int, bytes]] = {}  # by flags, also what was refused
        self.number = 0
        self.again = self.calm = 0
        self.in_doubt: set[Batch] = set()
        self.start()

    def teardown(self) -> None:
        self.patches.undo()

    def start(self) -> None:
        self.windows = Windows(4 * ITEM_OVERHEAD)
        self.keepers: dict[bytes, Keeper] = {}
        for name, disk in self.disks.items():
            self.keepers[name] = Keeper(
                disk,
                self.clock,
                self.windows,
                settings=self.settings[name],
                name=name,
                find=self.find,
            )
        self.source, self.target = self.keepers[SOURCE], self.keepers[TARGET]
        self.held: list[OpenRead] = []
        self.parties: list[Party] = []

    def find(self, name: bytes) -> Keeper:
        return self.keepers[name]

    @property
    def queue(self) -> Queue:
        return self.source.queue

    def consumer(self, name: bytes) -> Consumer:
        return self.queue.consumers[name]

    # -- clients of the source

    @initialize(
        attempts=st.sampled_from([1, 1, 2]),
        retry_delay=st.sampled_from([None, 3]),
        open_timeout=st.sampled_from([None, 4]),
    )
    def begin(self, attempts: int, retry_delay: int | None, open_timeout: int | None) -> None:
        self.attempts = attempts
        self.settings[SOURCE][OWN] = replace(
            self.settings[SOURCE][OWN],
            max_attempts=self.attempts,
            retry_delay=retry_delay,
            open_timeout=open_timeout,
        )
        self.queue.configure()
        self.queue.consumer(AUDIT)
        self.put([5, None, -1, None, 5])
        self.source.settle()

    source_is_up = precondition(lambda self: not self.source.failed)
    target_is_up = precondition(lambda self: not self.target.failed)

    @source_is_up
    @rule(lives=st.lists(lives, min_size=1, max_size=3))
    def put(self, lives: list[int | None]) -> None:
        for life in lives:
            self.number += 1
            data, flags = b"%d" % self.number * 20, self.number
            expiry = 0 if life is None else self.clock.now + life
            item_id = self.queue.next_id
            commit = self.queue.put(data, len(data), flags, expiry)
            self.entries.append(Entry(item_id, data, flags, commit))
            self.ever[flags] = (item_id, data)

    def entry(self, item: Item) -> Entry:
        """The last that was put with an id: earlier ones were refused."""
        return next(entry for entry in reversed(self.entries) if entry.id == item.id)

    @source_is_up
    @rule(name=consumers, kind=st.sampled_from(["open", "open", "open", "plain", "peek"]))
    def get(self, name: bytes, kind: str) -> None:
        consumer = self.consumer(name)
        if kind == "open":
            held = self.queue.open(consumer)
            item = held.item if held else None
            self.held += [held] if held else []
        else:
            item = (self.queue.take if kind == "plain" else self.queue.peek)(consumer)
        if item is None:
            return
        entry = self.entry(item)
        assert (item.data, item.flags) == (entry.data, entry.flags)
        assert not 0 < item.expiry <= self.clock.now
        back = consumer.returns.get(item.id)
        assert back is None or (back.attempts < self.attempts and back.due <= self.clock.now)
        if kind == "plain":
            assert self.queue.batch is not None
            entry.confirm(name, self.queue.batch)

    @precondition(lambda self: self.held)
    @rule(which=some, how=st.sampled_from(["close", "abort", "abort", "leave"]))
    def end(self, which: int, how: str) -> None:
        held = self.held.pop(which % len(self.held))
        if how == "close" and not self.source.failed:
            commit = self.queue.close(held)
            if commit is not None:
                self.entry(held.item).confirm(held.consumer, commit)
        else:
            self.queue.abort(held, counted=how != "leave")

    @source_is_up
    @precondition(lambda self: self.queue.count(self.queue.own) > 4)
    @rule(name=consumers)
    def flush(self, name: bytes) -> None:
        consumer = self.consumer(name)
        commit = self.queue.flush(consumer)
        for entry in self.entries:
            if entry.id not in consumer.open:
                entry.confirm(name, commit)

    @source_is_up
    @rule(name=consumers, chance=st.randoms(use_true_random=False), most=st.integers(1, 4))
    def move(self, name: bytes, chance: random.Random, most: int) -> None:
        """Somebody moves some that wait, wherever they stand."""
        queue, consumer = self.queue, self.consumer(name)
        written = [i for i in self.disks[SOURCE].items() if i.id < queue.written]
        chosen = [item for item in written if chance.random() < 0.7]
        chosen = queue.that_wait(consumer, chosen)[:most]
        party = Party()
        party.under_way = len(chosen)
        queue.send_away(
            consumer, [Departure(consumer, item, TARGET, MOVED, party=party) for item in chosen]
        )
        self.parties.append(party)

    # -- those of the target

    @target_is_up
    @rule(most=st.sampled_from([None, 1, 1, 2]))
    def limit(self, most: int | None) -> None:
        self.settings[TARGET][OWN] = QueueSettings(max_items=most)
        self.target.queue.configure()

    @target_is_up
    @precondition(lambda self: not self.target.queue.is_empty(self.target.queue.own))
    @rule()
    def take_moved(self) -> None:
        item = self.target.queue.take(self.target.queue.own)
        if item is not None:
            self.check_moved(item)

    def check_moved(self, item: Item) -> None:
        origin = item.origin
        assert origin is not None
        assert origin.queue == SOURCE
        assert origin.why in (EXPIRED, DEAD, MOVED)
        if origin.why == MOVED:
            assert item.created == origin.created
        else:
            assert item.expiry == 0
        assert origin.created <= self.clock.now
        assert self.ever[item.flags] == (origin.id, item.data)

    # -- the keepers

    @precondition(lambda self: any(keeper.busy for keeper in self.keepers.values()))
    @rule(side=sides)
    def carry_on(self, side: bytes) -> None:
        """Whatever comes next for a keeper, one step."""
        keeper = self.keepers[side]
        if keeper.busy and not keeper.failed:
            keeper.step()

    @precondition(lambda self: any(keeper.queue.batch for keeper in self.keepers.values()))
    @rule(side=sides)
    def seal(self, side: bytes) -> None:
        keeper = self.keepers[side]
        if keeper.sealed is None and keeper.queue.batch is not None and not keeper.failed:
            keeper.seal()

    @precondition(lambda self: any(keeper.sealed for keeper in self.keepers.values()))
    @rule(side=sides)
    def write(self, side: bytes) -> None:
        if self.keepers[side].sealed is not None:
            self.keepers[side].write()

    @source_is_up
    @precondition(lambda self: self.queue.outgoing)
    @rule()
    def carry(self) -> None:
        self.source.carry()

    @source_is_up
    @rule(ms=st.sampled_from([5, 1000]), carried=st.booleans())
    def time(self, ms: int, carried: bool) -> None:
        self.clock.now += ms
        self.source.ring()
        if carried:
            self.source.carry()

    @rule(used=st.sampled_from([0, 2, 4]))
    def memory(self, used: int) -> None:
        for consumer in self.queue.consumers.values():
            consumer.shrink(used * ITEM_OVERHEAD)

    is_calm = precondition(lambda self: self.calm > 5)

    @is_calm
    @rule(side=sides, landed=st.booleans())
    def fail(self, side: bytes, landed: bool) -> None:
        self.calm = 0
        keeper = self.keepers[side]
        if not keeper.failed:
            if landed and keeper.sealed is not None:
                self.in_doubt.add(keeper.sealed)
                self.again += len(keeper.sealed.items) if side == TARGET else 0
            keeper.fail(landed)
            keeper.alarm = None
            self.held = [held for held in self.held if not held.gone]

    @precondition(lambda self: self.source.failed or self.target.failed)
    @rule()
    def rejoin(self) -> None:
        self.clock.now += 1  # as after a restart
        for keeper in self.keepers.values():
            if keeper.failed:
                keeper.rejoin()

    @is_calm
    @rule(landed=st.tuples(st.booleans(), st.booleans()))
    def restart(self, landed: tuple[bool, bool]) -> None:
        self.calm = 0
        self.clock.now += 1  # so that an id which is given again is another's by its time
        for keeper, written in zip(self.keepers.values(), landed, strict=True):
            if written and keeper.sealed is not None:
                keeper.disk.write(keeper.sealed)
                keeper.sealed.ended = True  # nobody was told, but there it is
        self.entries = [entry for entry in self.entries if self.is_durable(entry.commit, None)]
        for entry in self.entries:
            for name, commits in entry.done.items():
                entry.done[name] = [each for each in commits if self.is_durable(each, None)]
        self.start()

    @source_is_up
    @target_is_up
    @rule()
    def settle(self) -> None:
        """Left alone for long enough, all that must leave has left."""
        self.settings[TARGET][OWN] = QueueSettings()
        self.target.queue.configure()
        for _ in range(4):
            for _ in range(20):
                self.source.settle()
                self.target.settle()
            self.clock.now += 1000
        assert all(party.under_way == 0 for party in self.parties)
        for consumer in self.queue.consumers.values():
            assert not consumer.leaving
            for item in self.disks[SOURCE].items():
                if not consumer.positions.is_confirmed(item.id) and item.id not in consumer.open:
                    back = consumer.returns.get(item.id)
                    assert back is None or back.attempts < self.attempts
        arrived = [(item.origin, item.data) for item in self.disks[TARGET].items()]
        assert len(arrived) <= len(set(arrived)) + self.again, "only what is in doubt comes twice"

    # -- what always holds

    @invariant()
    def nothing_is_nowhere(self) -> None:
        self.calm += 1
        for source, target in product((False, True), repeat=2):
            self.check_all_is_there(source, target)

    def check_all_is_there(self, source_landed: bool, target_landed: bool) -> None:
        """As if all stopped now, and what is being written was written or not."""
        if source_landed > (self.source.sealed is not None) or target_landed > (
            self.target.sealed is not None
        ):
            return
        disk = copy_of(self.source, source_landed)
        found = disk.recover()
        stored = {item.id: item.data for item in disk.items()}
        moved = set()
        for item in copy_of(self.target, target_landed).items():
            assert item.origin is not None
            moved.add((item.origin.consumer, item.origin.id, item.data))
        landed = self.source.sealed if source_landed else None
        for entry in self.entries:
            if entry.acknowledged:
                assert stored[entry.id] == entry.data
                for name in (OWN, AUDIT):
                    commits = entry.done.get(name, [])
                    is_done = any(self.is_durable(each, landed) for each in commits)
                    is_here = not found.positions[name].is_confirmed(entry.id)
                    assert is_done or is_here or (name, entry.id, entry.data) in moved

    def is_durable(self, commit: Batch, landed: Batch | None) -> bool:
        """Whether a batch is on disk; in_doubt: those that are, but were refused."""
        written = commit.ended and commit.error is None
        return written or commit is landed or commit in self.in_doubt

    @invariant()
    def what_leaves_is_accounted_for(self) -> None:
        queue = self.queue
        carried = {id(departure.item) for departure in queue.outgoing}
        for batch in self.target.queue.unwritten:
            for each in batch.dependents:
                assert isinstance(each, Arrival)
                carried.add(id(each.departure.item))
        for consumer in queue.consumers.values():
            assert all(id(item) in carried for item in consumer.leaving.values())
            aside = [item for _, item in consumer.delayed.values()] + list(
                consumer.leaving.values()
            )
            items = [*consumer.window, *(item for _, item in consumer.returned), *aside]
            items += [held.item for held in consumer.open.values()]
            ids = {item.id for item in items}
            assert len(ids) == len(items), "one item in two places"
            free = [item for item in items if item.data is None and not item.large]
            sizes = [0 if item.data is None else item.size for item in items]
            charged = len(items) - len(free)
            assert consumer.loaded == sum(sizes) + charged * ITEM_OVERHEAD
            is_confirmed = consumer.positions.is_confirmed
            left = [i for i in range(1, queue.next_id) if not is_confirmed(i)]
            assert ids.issuperset(i for i in left if i < consumer.loaded_to)
            waiting = [i for i in left if i not in consumer.open]
            assert queue.count(consumer) == len(waiting)
            assert queue.is_empty(consumer) == (len(waiting) == len(aside))
            due = [when for when, _ in consumer.delayed.values()]
            if due and not self.source.failed:
                assert self.source.alarm is not None
                assert self.source.alarm <= min(due)


def copy_of(keeper: Keeper, landed: bool) -> Disk:
    disk = Disk()
    disk.entries = dict(keeper.disk.entries)
    if landed and keeper.sealed is not None:
        disk.write(keeper.sealed)
    return disk


TestMoves = pytest.mark.timeout(600)(MovesMachine.TestCase)  # to make a failure small takes time
TestMoves.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=50, report_multiple_bugs=False
)
