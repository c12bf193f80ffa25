"""What is told of a queue: each thing once, in order, and not before it is true."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from darnerpy.config import DROP, QueueSettings
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.events import DISCONNECT, Events
from darnerpy.queues.observer import Observer
from darnerpy.queues.positions import Span
from tests.unit.audit import Audit, Told, told
from tests.unit.audit import Place as Account
from tests.unit.clients import Client, drain, hold, join, keep, put, take
from tests.unit.keeper import Keeper
from tests.unit.model import Place
from tests.unit.test_queue_machine import OWN, QueueMachine


class Ear:
    """Listens to a queue. due: there is something to collect."""

    def __init__(self, keeper: Keeper) -> None:
        self.due: list[Observer] = []
        self.queue = keeper.queue
        self.queue.observe(self.due.append)

    def hear(self) -> list[Told]:
        """What is told at the end of this turn."""
        due, self.due[:] = list(self.due), []
        events: list[Events] = []
        for observer in due:
            events += observer.collect()
        return [each for page in events for each in told(page)]

    def words(self) -> list[str]:
        """The same, as kind and id."""
        return [f"{kind} {number}" for kind, _, number, _, _ in self.hear()]


# --- One thing after another


def test_a_put_is_told_when_it_is_written() -> None:
    keeper = keep()
    ear = Ear(keeper)
    put(keeper.queue, b"one", b"four")
    assert ear.hear() == []
    keeper.seal()
    assert ear.hear() == []
    keeper.write()
    assert ear.hear() == [("put", b"", 1, 3, b""), ("put", b"", 2, 4, b"")]
    assert ear.hear() == []


def test_takes_and_closes() -> None:
    keeper = keep()
    ear = Ear(keeper)
    put(keeper.queue, b"1", b"2", b"3")
    keeper.commit()
    ear.hear()
    assert take(keeper.queue) == b"1"
    held = hold(keeper.queue)
    assert ear.hear() == []
    keeper.commit()
    assert ear.words() == ["take 1", "open 2"]
    keeper.queue.close(held)
    assert take(keeper.queue) == b"3"
    assert ear.hear() == []
    keeper.commit()
    assert ear.words() == ["close 2", "take 3"]


def test_an_open_read_of_what_is_written_is_told_at_once() -> None:
    keeper = keep()
    put(keeper.queue, b"1")
    keeper.commit()
    ear = Ear(keeper)
    hold(keeper.queue)
    assert keeper.queue.batch is None
    assert ear.words() == ["open 1"]


def test_an_open_read_of_what_is_not_written_waits_for_that() -> None:
    keeper = keep()
    ear = Ear(keeper)
    put(keeper.queue, b"1")
    keeper.seal()
    hold(keeper.queue)
    assert ear.hear() == []
    keeper.write()
    assert ear.words() == ["put 1", "open 1"]


def test_the_order_of_a_turn_is_kept() -> None:
    keeper = keep(audit={})
    audit = keeper.queue.consumer(b"audit")
    keeper.commit()
    ear = Ear(keeper)
    queue = keeper.queue
    put(queue, b"1", b"2", b"3")
    first = hold(queue)
    queue.abort(first)
    again = hold(queue)
    queue.close(again)
    put(queue, b"4")
    second = hold(queue)
    assert take(queue, audit) == b"1"
    queue.abort(second, why=DISCONNECT)
    keeper.commit()
    assert [(kind, own, number) for kind, own, number, _, _ in ear.hear()] == [
        ("put", b"", 1),
        ("put", b"", 2),
        ("put", b"", 3),
        ("open", b"", 1),
        ("abort", b"", 1),
        ("open", b"", 1),
        ("close", b"", 1),
        ("put", b"", 4),
        ("open", b"", 2),
        ("take", b"audit", 1),
        ("disconnect", b"", 2),
    ]


def test_what_could_not_be_handed_over_came_back() -> None:
    keeper = keep()
    ear = Ear(keeper)
    put(keeper.queue, b"1")
    item = keeper.queue.take(keeper.queue.own)
    assert item is not None
    keeper.queue.give_back(keeper.queue.own, item)
    held = hold(keeper.queue)
    keeper.queue.abort(held, counted=False)
    keeper.commit()
    assert ear.words() == ["put 1", "take 1", "return 1", "open 1", "return 1"]


def test_what_was_taken_and_comes_back_all_the_same() -> None:
    keeper = keep()
    ear = Ear(keeper)
    queue = keeper.queue
    put(queue, b"1", b"2", b"3")
    for _ in range(2):
        item = queue.take(queue.own)
        assert item is not None
        assert item.id == 1
        queue.untake(queue.own, item, None)
        assert take(queue) == b"1"
        keeper.commit()
        queue.untake(queue.own, item, None)
        keeper.commit()
        told = [each for each in ear.words() if not each.startswith("put")]
        assert told == ["take 1", "return 1", "take 1", "return 1"]
    assert take(queue) == b"1"
    assert take(queue) == b"2"
    keeper.commit()
    assert ear.words() == ["take 1", "take 2"]


def test_who_waits_gets_it_in_the_turn_of_its_put() -> None:
    keeper = keep()
    ear = Ear(keeper)
    join(keeper.queue, Client(), Client(open=True), Client(peek=True))
    put(keeper.queue, b"1", b"2", b"3")
    keeper.commit()
    assert ear.words() == ["put 1", "take 1", "put 2", "open 2", "put 3"]


def test_ways_to_leave() -> None:
    moved = keep(name=b"failed")
    keeper = keep(
        QueueSettings(
            max_attempts=1, dead_letter=b"failed", max_items=2, discard_old_when_full=True
        ),
        find=lambda name: moved,
        a={"max_attempts": 1, "dead_letter": DROP, "max_lag_items": 9},
    )
    queue = keeper.queue
    audit = queue.consumer(b"a")
    keeper.settle()
    ear = Ear(keeper)
    put(queue, b"old", expiry=keeper.clock.now + 5)
    put(queue, b"1", b"22")
    keeper.settle()
    assert ear.words() == ["put 1", "put 2", "discard 1", "put 3"]
    keeper.wait(5)
    queue.pass_over(audit)
    keeper.settle()
    assert ear.hear() == [("expiry", b"a", 1, 3, b"")]
    queue.abort(hold(queue))
    queue.abort(hold(queue, audit))
    keeper.settle()
    assert ear.words() == ["open 2", "abort 2", "open 2", "abort 2", "drop 2"]
    moved.settle()
    keeper.settle()
    assert ear.hear() == [("move", b"", 2, 1, b"failed")]
    assert drain(moved) == [b"1"]


def test_a_timeout() -> None:
    keeper = keep(QueueSettings(open_timeout=10))
    ear = Ear(keeper)
    put(keeper.queue, b"1")
    hold(keeper.queue)
    keeper.settle()
    keeper.wait(10)
    keeper.settle()
    assert ear.words() == ["put 1", "open 1", "timeout 1"]


def test_the_whole_of_a_consumer() -> None:
    keeper = keep()
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    keeper.commit()
    ear = Ear(keeper)
    put(queue, b"1", b"22", b"333")
    hold(queue)
    queue.flush()
    put(queue, b"4")
    keeper.commit()
    assert ear.hear() == [
        ("put", b"", 1, 1, b""),
        ("put", b"", 2, 2, b""),
        ("put", b"", 3, 3, b""),
        ("open", b"", 1, 1, b""),
        ("flush", b"", 2, 5, b""),
        ("flush", b"audit", 3, 6, b""),
        ("put", b"", 4, 1, b""),
    ]
    queue.drop(audit)
    assert ear.hear() == []
    keeper.commit()
    assert ear.hear() == [("delete", b"audit", 1, 1, b"")]
    queue.dissolve(None)
    assert ear.hear() == [("return", b"", 1, 1, b""), ("delete", b"", 2, 2, b"")]


def test_puts_for_some_consumers() -> None:
    keeper = keep()
    audit = keeper.queue.consumer(b"audit")
    keeper.commit()
    ear = Ear(keeper)
    put(keeper.queue, b"1")
    put(keeper.queue, b"2", only=audit)
    put(keeper.queue, b"3")
    keeper.commit()
    assert ear.hear() == [
        ("put", b"", 1, 1, b""),
        ("put", b"audit", 2, 1, b""),
        ("put", b"", 3, 1, b""),
    ]
    keeper.settings[b""] = QueueSettings(fanout_only=True)
    keeper.queue.configure()
    put(keeper.queue, b"4")
    keeper.commit()
    assert ear.hear() == [("put", b"", 4, 1, b"")]


# --- From when on, and until when


def test_what_happened_before_is_not_told() -> None:
    keeper = keep()
    queue = keeper.queue
    put(queue, b"1", b"2", b"3", b"4")
    assert take(queue) == b"1"
    held = hold(queue)
    ear = Ear(keeper)
    assert take(queue) == b"3"
    queue.close(held)
    keeper.commit()
    assert ear.words() == ["take 3", "close 2"]
    put(queue, b"5")
    keeper.seal()
    assert take(queue) == b"4"
    queue.observe(None)
    assert take(queue) == b"5"
    keeper.commit()
    assert ear.words() == ["put 5", "take 4"]
    put(queue, b"6")
    keeper.commit()
    assert ear.hear() == []


# --- What fails


def test_what_a_failed_batch_should_have_made_true_is_not_told() -> None:
    keeper = keep()
    queue = keeper.queue
    put(queue, b"1", b"2", b"3", b"4")
    keeper.commit()
    ear = Ear(keeper)
    one, two = hold(queue), hold(queue)
    assert ear.words() == ["open 1", "open 2"]
    queue.close(one)
    three = hold(queue)  # nothing it depends on has failed
    put(queue, b"5")
    assert take(queue) == b"4"
    hold(queue)
    keeper.seal()
    keeper.fail(landed=False)
    assert sorted(ear.words()) == ["open 3", "return 1"]
    keeper.rejoin()
    keeper.settle()
    queue.close(two)
    queue.close(three)
    assert [take(queue), take(queue)] == [b"1", b"4"]
    keeper.commit()
    assert ear.words() == ["close 2", "close 3", "take 1", "take 4"]


def test_a_lease_that_could_not_be_written_came_back() -> None:
    keeper = keep()
    queue = keeper.queue
    put(queue, b"1", b"2")
    keeper.commit()
    ear = Ear(keeper)
    queue.lease(hold(queue), 30_000, 7)
    assert ear.words() == ["open 1"]
    put(queue, b"3")
    queue.lease(hold(queue), 30_000, 8)
    keeper.seal()
    keeper.fail(landed=False)
    assert ear.words() == ["return 1"]
    keeper.rejoin()
    keeper.settle()
    assert take(queue) == b"1"
    keeper.commit()
    assert ear.words() == ["take 1"]


# --- Against a model


class ObservedMachine(QueueMachine):
    """All that clients, disks, clocks and restarts do, and what is told of it."""

    def start(self) -> None:
        super().start()
        self.audit = Audit()
        self.ear = Ear(self.keeper)
        self.known: set[Consumer] = set()
        self.passed: dict[int, set[bytes]] = {}
        for consumer in self.queue.consumers.values():
            self.audit_from_now_on(consumer)

    def audit_from_now_on(self, consumer: Consumer) -> None:
        if consumer in self.known:
            return
        self.known.add(consumer)
        account = Account(self.queue.next_id, self.waiting(consumer))
        account.held |= consumer.open.keys()
        self.audit.add(consumer.name, account)

    def waiting(self, consumer: Consumer) -> set[int]:
        is_confirmed = consumer.positions.is_confirmed
        ids = {i for i in range(1, self.queue.next_id) if not is_confirmed(i)}
        return ids - consumer.open.keys()

    # -- what is not told, but known here

    def put_one(
        self,
        size: int,
        ttl: int | None,
        delay: int | None,
        large: int,
        sync: bool,
        only: Place | None,
    ) -> None:
        passed = set()
        if only is not None and only.consumer is self.queue.own:  # as no client can say it
            passed = self.queue.consumers.keys() - {OWN}
        elif only is None and self.queue.fanout_only:
            passed = {OWN}
        self.passed[self.queue.next_id] = passed
        super().put_one(size, ttl, delay, large, sync, only)

    def found(self, name: bytes, consumer: Consumer) -> Place:
        self.audit_from_now_on(consumer)
        return super().found(name, consumer)

    def lost(self, span: Span) -> None:
        super().lost(span)
        self.audit.lost |= set(range(span.first, span.stop))

    def fail(self, landed: bool) -> None:
        super().fail(landed)
        self.listen()
        self.audit.coming.clear()
        for name in self.audit.places.keys() - self.queue.consumers.keys():
            del self.audit.places[name]

    @precondition(lambda self: self.keeper.failed)
    @rule(items=st.integers(0, 4))
    def rejoin(self, items: int) -> None:
        known = self.queue.next_id
        super().rejoin(items)
        found = set(range(known, self.queue.next_id))  # though their puts had failed
        for name, account in self.audit.places.items():
            waiting = self.waiting(self.queue.consumers[name])
            account.waiting |= found & waiting
            self.audit.lost |= found - waiting  # it may be told that they are gone already

    # -- what always holds

    def listen(self) -> None:
        for event in self.ear.hear():
            self.audit.hear(event)
            kind, consumer, number, *_ = event
            for name in self.passed.pop(number, ()) if (kind, consumer) == ("put", OWN) else ():
                self.audit.places[name].waiting.discard(number)

    @invariant()
    def all_that_is_written_is_told(self) -> None:
        self.listen()
        if not self.queue.unwritten:
            assert self.audit.places.keys() == self.queue.consumers.keys()
            for name, account in self.audit.places.items():
                consumer, lost = self.queue.consumers[name], self.audit.lost
                assert account.waiting - lost == self.waiting(consumer) - lost
                assert account.held - lost == consumer.open.keys() - lost


TestWhatIsTold = pytest.mark.timeout(600)(ObservedMachine.TestCase)
TestWhatIsTold.settings = settings(
    max_examples=settings().max_examples, stateful_step_count=50, report_multiple_bugs=False
)
