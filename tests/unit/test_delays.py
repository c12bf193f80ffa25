"""Items that are put for later: nobody gets one before it is due, and it holds up nobody."""

from typing import Any

import pytest

from darnerpy.config import DROP, QueueSettings
from darnerpy.errors import QueueFullError, ServerError
from darnerpy.queues import delays as delays_module
from darnerpy.queues import queue as queue_module
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.items import ITEM_OVERHEAD
from darnerpy.queues.queue import Queue
from darnerpy.queues.upkeep import clock_was_set
from darnerpy.queues.waiting import Waiting
from darnerpy.queues.windows import Windows
from tests.unit.clients import AMPLE, Client, hold, join, put, take, take_all
from tests.unit.keeper import Disk, Keeper, ManualClock, SettingsBook

HOUR = 3_600_000


def keeper_of(memory: int = AMPLE, **settings: Any) -> Keeper:
    book = SettingsBook({b"": QueueSettings(**settings)})
    clock = ManualClock()
    clock.now += 10 * HOUR
    return Keeper(Disk(), clock, Windows(memory), settings=book)


@pytest.fixture
def keeper() -> Keeper:
    return keeper_of()


def put_late(keeper: Keeper, data: bytes, delay: int, **more: Any) -> None:
    due = keeper.clock.now + delay
    keeper.queue.put(data, len(data), 0, more.pop("expiry", 0), due=due, **more)


def again(keeper: Keeper, memory: int = AMPLE) -> Keeper:
    """After a restart."""
    keeper.commit()
    fresh = Keeper(keeper.disk, keeper.clock, Windows(memory), settings=keeper.settings)
    fresh.start_read(99)
    fresh.settle()
    return fresh


def got(keeper: Keeper, consumer: Consumer | None = None) -> list[bytes | None]:
    """All that can be had now, whether it is in memory or not."""
    found: list[bytes | None] = []
    consumer = consumer or keeper.queue.own
    while not keeper.queue.is_empty(consumer):
        keeper.start_read(9, consumer)
        keeper.settle()
        item = keeper.queue.take(consumer)
        if item is not None:
            found.append(item.data)
    keeper.settle()
    return found


def test_it_is_passed_by_and_counted_and_comes_when_it_is_due(keeper: Keeper) -> None:
    queue = keeper.queue
    put(queue, b"1")
    put_late(keeper, b"late", 500)
    put(queue, b"3")
    keeper.settle()
    assert (queue.count(queue.own), queue.backlog_bytes(queue.own)) == (3, 6)
    assert take_all(queue) == [b"1", b"3"]
    assert queue.is_empty(queue.own)
    assert queue.count(queue.own) == 1
    keeper.wait(499)
    assert take(queue) is None
    keeper.wait(1)
    assert take_all(queue) == [b"late"]
    assert (queue.count(queue.own), queue.own.positions.position) == (0, 4)


def test_when_it_is_due_it_is_in_its_place(keeper: Keeper) -> None:
    queue = keeper.queue
    put_late(keeper, b"second", 20)
    put_late(keeper, b"first", 10)
    put(queue, b"now", b"and now")
    assert take(queue) == b"now"
    keeper.wait(10)
    assert take(queue) == b"first"
    keeper.wait(10)
    assert take_all(queue) == [b"second", b"and now"]


def test_who_waits_gets_it_at_that_very_moment(keeper: Keeper) -> None:
    clients = [Client(), Client(blocking=False), Client(peek=True)]
    join(keeper.queue, clients[0])
    put_late(keeper, b"late", 1234)
    put_late(keeper, b"later", 1235)
    join(keeper.queue, *clients[1:])
    keeper.queue.serve(keeper.queue.own)
    assert clients[1].errors == [None], "nothing can be had now"
    keeper.wait(1233)
    assert clients[0].got == []
    keeper.wait(1)
    assert (clients[0].got, clients[2].got) == ([b"late"], [])
    keeper.wait(1)
    assert clients[2].got == [b"later"]


def test_due_already_is_no_delay(keeper: Keeper) -> None:
    put_late(keeper, b"1", 0)
    put_late(keeper, b"2", -5)
    batch = keeper.queue.batch
    assert batch is not None
    assert [item.due for item in batch.items] == [0, 0]
    assert take_all(keeper.queue) == [b"1", b"2"]


@pytest.mark.parametrize("memory", [AMPLE, 3 * ITEM_OVERHEAD])
def test_after_a_restart_it_waits_for_the_rest_of_its_time(memory: int) -> None:
    keeper = keeper_of(memory)
    for n in range(9):
        put_late(keeper, b"%d" % n, 0 if n % 3 == 0 else 1000 * n)
        keeper.settle()
    keeper.wait(4500)
    fresh = again(keeper, memory)
    assert got(fresh) == [b"0", b"1", b"2", b"3", b"4", b"6"]
    fresh.wait(499)
    assert got(fresh) == []
    fresh.wait(1)
    assert got(fresh) == [b"5"]
    fresh.wait(10_000)
    assert got(fresh) == [b"7", b"8"]


def test_behind_a_backlog_that_is_not_in_memory() -> None:
    keeper = keeper_of(3 * ITEM_OVERHEAD)
    for n in range(20):
        put_late(keeper, b"%d" % n, 500 if n % 5 == 4 else 0)
        keeper.settle()
    assert got(keeper) == [b"%d" % n for n in range(20) if n % 5 != 4]
    keeper.wait(500)
    assert got(keeper) == [b"4", b"9", b"14", b"19"]


def test_it_can_be_held_and_come_back_as_any_other() -> None:
    keeper = keeper_of(retry_delay=3_000, max_attempts=2, dead_letter=DROP)
    queue = keeper.queue
    put_late(keeper, b"late", 1000)
    keeper.settle()
    with pytest.raises(AssertionError):
        hold(queue)
    keeper.wait(1000)
    queue.abort(hold(queue))
    keeper.settle()
    assert take(queue) is None
    keeper.wait(3_000)
    queue.abort(hold(queue))
    keeper.settle()
    assert (queue.count(queue.own), queue.own.counters.dropped) == (0, 1)


# --- Clocks


@pytest.mark.parametrize("by", [-HOUR, HOUR])
@pytest.mark.parametrize("noticed", [False, True])
def test_a_clock_that_is_set_changes_nothing_in_this_process(by: int, noticed: bool) -> None:
    keeper = keeper_of()
    put_late(keeper, b"late", 3_000)
    keeper.settle()
    keeper.clock.set(by)
    if noticed:
        clock_was_set(keeper.queue)
    keeper.wait(2_999)
    assert take(keeper.queue) is None
    keeper.wait(1)
    assert take(keeper.queue) == b"late"


def test_after_a_restart_it_follows_the_wall_clock(keeper: Keeper) -> None:
    put_late(keeper, b"late", 3_000)
    fresh = again(keeper)
    fresh.clock.set(-HOUR)
    clock_was_set(fresh.queue)
    fresh.wait(3_000)
    assert take(fresh.queue) is None
    fresh.clock.set(HOUR)
    clock_was_set(fresh.queue)
    fresh.settle()
    assert take(fresh.queue) == b"late"


def test_a_set_clock_does_not_stop_what_cannot_leave() -> None:
    """A dead item whose target is full is tried again in a second, whatever its delay would be."""
    keeper = keeper_of(retry_delay=HOUR, max_attempts=1, dead_letter=b"graves")
    graves = Keeper(Disk(), keeper.clock, Windows(AMPLE), name=b"graves")
    keeper.find = lambda name: graves
    graves.failed = True
    put(keeper.queue, b"dead")
    keeper.queue.abort(hold(keeper.queue))
    keeper.settle()
    assert keeper.queue.own.unavailable == 1
    clock_was_set(keeper.queue)
    graves.failed = False
    keeper.wait(1_000)
    graves.settle()
    assert take(graves.queue) == b"dead"


# --- Leaving early


@pytest.mark.parametrize("how", ["expiry", "max_age"])
def test_what_expires_first_leaves_when_it_does(how: str) -> None:
    keeper = keeper_of(**({"max_age": 400} if how == "max_age" else {}))
    queue = keeper.queue
    expiry = keeper.clock.now + 400 if how == "expiry" else 0
    put_late(keeper, b"never", 1_000, expiry=expiry)
    keeper.wait(399)
    assert queue.count(queue.own) == 1
    keeper.wait(1)
    assert (queue.count(queue.own), queue.own.counters.expired) == (0, 1)
    assert len(queue.delays) == 0


def test_what_expires_first_moves_when_it_does() -> None:
    keeper = keeper_of(expire_to=b"old")
    old = Keeper(Disk(), keeper.clock, Windows(AMPLE), name=b"old")
    keeper.find = lambda name: old
    put_late(keeper, b"moved", 1_000, expiry=keeper.clock.now + 400)
    keeper.settle()
    keeper.wait(400)
    old.settle()
    keeper.settle()
    assert take(old.queue) == b"moved", "and nothing delays it there"
    assert keeper.queue.count(keeper.queue.own) == 0


def test_what_has_expired_before_it_is_put_leaves(keeper: Keeper) -> None:
    put_late(keeper, b"never", 1_000, expiry=keeper.clock.now - 1)
    keeper.settle()
    assert (keeper.queue.count(keeper.queue.own), keeper.queue.own.counters.expired) == (0, 1)


def test_a_full_queue_counts_it_and_discards_it_last() -> None:
    keeper = keeper_of(max_items=2)
    put_late(keeper, b"late", 1_000)
    put(keeper.queue, b"now")
    with pytest.raises(QueueFullError):
        put_late(keeper, b"one more", 1_000)
    keeper.settings[b""] = QueueSettings(max_items=2, discard_old_when_full=True)
    keeper.queue.configure()
    put(keeper.queue, b"new")
    put_late(keeper, b"newer", 1_000)
    put_late(keeper, b"newest", 500)
    assert keeper.queue.count(keeper.queue.own) == 2
    keeper.wait(1_000)
    assert take_all(keeper.queue) == [b"newer", b"newest"]


def test_flush_takes_it_along(keeper: Keeper) -> None:
    put_late(keeper, b"late", 1_000)
    keeper.queue.flush()
    keeper.wait(1_000)
    assert take(keeper.queue) is None
    assert len(keeper.queue.delays) == 0
    assert again(keeper).queue.count(keeper.queue.own) == 0


# --- Consumers


def test_it_is_late_for_every_consumer_and_nobody_else_is_held_up(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put_late(keeper, b"for all", 100)
    put_late(keeper, b"for audit", 50, only=audit)
    put(queue, b"now")
    keeper.settle()
    assert (take_all(queue), got(keeper, audit)) == ([b"now"], [b"now"])
    keeper.wait(50)
    assert (take_all(queue), got(keeper, audit)) == ([], [b"for audit"])
    keeper.wait(50)
    assert (take_all(queue), got(keeper, audit)) == ([b"for all"], [b"for all"])


@pytest.mark.parametrize("where", [{"start": "head"}, {"copy_from": b"audit"}])
def test_a_consumer_that_comes_later_waits_as_well(where: dict[str, Any]) -> None:
    keeper = keeper_of()
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put_late(keeper, b"late", 100)
    put(queue, b"now")
    keeper.settle()
    assert got(keeper, audit) == [b"now"]
    keeper.settings[b"new"] = QueueSettings(**where)
    new = queue.consumer(b"new")
    expected = [] if "copy_from" in where else [b"now"]
    assert got(keeper, new) == expected
    keeper.wait(99)
    assert got(keeper, new) == []
    keeper.wait(1)
    assert got(keeper, queue.own) == [b"late", b"now"]
    assert got(keeper, audit) == got(keeper, new) == [b"late"]


def test_one_that_is_flushed_or_dropped_is_nothing_to_the_others(keeper: Keeper) -> None:
    queue = keeper.queue
    audit, gone = queue.consumer(b"audit"), queue.consumer(b"gone")
    put_late(keeper, b"late", 100)
    queue.flush(audit)
    queue.drop(gone)
    keeper.wait(100)
    assert (take_all(queue), got(keeper, audit)) == ([b"late"], [])


def test_looking_behind_the_next_one(keeper: Keeper) -> None:
    put_late(keeper, b"late", 100)
    keeper.commit()
    fresh = Keeper(keeper.disk, keeper.clock, Windows(AMPLE))
    [item] = keeper.disk.items()
    for queue in (keeper.queue, fresh.queue):  # in memory, and on disk only
        assert not Waiting(queue.own, keeper.clock.now).has(item)
    keeper.clock.now += 100
    assert Waiting(fresh.queue.own, keeper.clock.now).has(item)


# --- The bound


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most three may be delayed."""
    for module in (delays_module, queue_module):
        monkeypatch.setattr(module, "MAX_DELAYED", 3)


REFUSED = pytest.raises(ServerError, match="too many delayed items, 3 are possible in one queue")


def full(keeper: Keeper) -> bool:
    next_id = keeper.queue.next_id
    try:
        keeper.queue.check_room(1, None, due=keeper.clock.now + 1)
        put_late(keeper, b"x", HOUR)
    except ServerError:
        assert keeper.queue.next_id == next_id
        return True
    return False


@pytest.mark.usefixtures("three")
def test_one_too_many_is_refused_and_changes_nothing(keeper: Keeper) -> None:
    keeper.settings[b""] = QueueSettings(max_items=4, discard_old_when_full=True)
    keeper.queue.configure()
    put(keeper.queue, b"now")
    for n in range(3):
        put_late(keeper, b"%d" % n, 100 + n)
    with REFUSED:
        put_late(keeper, b"3", 100)
    with REFUSED:
        keeper.queue.check_room(1, None, due=keeper.clock.now + 1)
    assert keeper.queue.own.counters.discarded == 0, "to make room for what is refused"
    put(keeper.queue, b"what is due is let in")
    keeper.wait(99)
    assert full(keeper)
    keeper.wait(1)
    assert not full(keeper)
    assert full(keeper)


@pytest.mark.usefixtures("three")
def test_it_holds_after_a_restart_whatever_is_in_memory(keeper: Keeper) -> None:
    queue = keeper.queue
    queue.want_full_mark()
    put_late(keeper, b"1", 100)
    keeper.settle()
    queue.want_full_mark()
    put_late(keeper, b"2", 50)
    keeper.settle()
    put_late(keeper, b"3", 100)
    keeper.settle()
    keeper.commit()
    fresh = Keeper(keeper.disk, keeper.clock, Windows(AMPLE), settings=keeper.settings)
    assert full(fresh)
    fresh.queue.want_full_mark()
    fresh.commit()
    fresh = Keeper(keeper.disk, keeper.clock, Windows(AMPLE), settings=keeper.settings)
    fresh.wait(49)
    assert full(fresh)
    fresh.wait(1)
    assert not full(fresh)
    assert full(fresh)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("landed", [False, True])
def test_what_was_refused_after_all_does_not_count(keeper: Keeper, landed: bool) -> None:
    put_late(keeper, b"1", 100)
    keeper.settle()
    put_late(keeper, b"2", 100)
    put_late(keeper, b"3", 100)
    keeper.seal()
    assert full(keeper)
    keeper.fail(landed)
    keeper.rejoin()
    keeper.start_read(9)
    keeper.settle()
    for _ in range(0 if landed else 2):
        assert not full(keeper)
    assert full(keeper)
    keeper.wait(100)
    assert got(keeper) == [b"1", b"2", b"3"] if landed else [b"1"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("how", ["flush", "expire", "lose"])
def test_what_has_left_makes_room(keeper: Keeper, how: str) -> None:
    for n in range(3):
        put_late(keeper, b"%d" % n, HOUR, expiry=keeper.clock.now + 10 if how == "expire" else 0)
    keeper.settle()
    assert full(keeper)
    if how == "flush":
        keeper.queue.flush()
    elif how == "lose":
        keeper.disk.rotten = {1, 2, 3}
        keeper.fail(landed=False)
        keeper.rejoin()
        keeper.start_read(9)
    keeper.wait(10)
    assert not full(keeper)


@pytest.mark.usefixtures("three")
def test_the_holes_they_leave_do_not_count_as_open_reads(
    monkeypatch: pytest.MonkeyPatch, keeper: Keeper
) -> None:
    monkeypatch.setattr(queue_module, "MAX_UNAVAILABLE", 2)
    queue = keeper.queue
    for n in range(3):
        put_late(keeper, b"late", 1_000)
        put(queue, b"%d" % n)
        assert queue.close(hold(queue)) is not None
    put(queue, b"one more")
    assert len(queue.own.positions.spans) == 3
    assert queue.close(hold(queue)) is not None
    keeper.wait(1_000)
    assert take_all(queue) == [b"late"] * 3


def test_many_that_are_due_at_once_come_in_order() -> None:
    keeper = keeper_of(16 * AMPLE)
    count = 5_000
    for n in range(count):
        put_late(keeper, b"%d" % n, 100 - n % 7)
    keeper.settle()
    keeper.wait(100)
    assert got(keeper) == [b"%d" % n for n in range(count)]


def test_taking_some_out_does_not_touch_the_others(keeper: Keeper) -> None:
    queue, own = keeper.queue, keeper.queue.own
    few = 64
    count = 300 * few
    for _ in range(count):
        put_late(keeper, b"", 100)
    keeper.settle()
    delayed, orders = own.delayed, [own.dues]
    items = [item for _, item in delayed.values()]
    for at in range(0, count - few, few):
        queue.throw_away(own, items[at : at + few])
        assert len(own.delayed) == own.unavailable == queue.count(own) == count - at - few
        assert len(own.dues) < 2 * len(own.delayed) + 1000
        if own.dues is not orders[-1]:
            orders.append(own.dues)
    assert own.delayed is delayed
    assert len(orders) < 10
    keeper.settle()
    keeper.wait(100)
    assert len(got(keeper)) == few
    assert queue.count(own) == 0
    assert own.dues == []


def test_what_is_taken_out_and_delayed_again_is_due_at_its_new_time(keeper: Keeper) -> None:
    own = keeper.queue.own
    for _ in range(2):
        put_late(keeper, b"", 100)
    keeper.settle()
    (first, _), (second, _) = own.delayed.values()
    items = [item for _, item in own.delayed.values()]
    own.take_out(items)
    own.delay(items[0], first + 50)
    own.delay(items[1], second)
    assert own.take_due(second) == [items[1]]
    assert own.pop_delayed() is items[0]
    assert (own.unavailable, own.loaded, own.pop_delayed()) == (0, 0, None)


def test_more_than_fits_into_memory_keeps_no_data() -> None:
    memory = 20 * ITEM_OVERHEAD
    keeper = keeper_of(memory)
    for _ in range(50):
        put_late(keeper, b"x" * ITEM_OVERHEAD, 100)
        keeper.settle()
    held = [item.data for _, item in keeper.queue.own.delayed.values()]
    assert len(held) == 50
    assert keeper.queue.own.loaded <= memory
    assert len([data for data in held if data is not None]) < 10
    keeper.wait(100)
    assert got(keeper) == [b"x" * ITEM_OVERHEAD] * 50


def test_the_queue_is_told_apart_from_one_that_is_idle() -> None:
    keeper = keeper_of(max_age=None)
    keeper.settings[b"audit"] = QueueSettings(max_idle=1_000)
    queue: Queue = keeper.queue
    audit = queue.consumer(b"audit")
    put_late(keeper, b"late", 10_000)
    keeper.wait(5_000)
    assert not audit.idle, "there was nothing to read"


@pytest.mark.usefixtures("three")
def test_so_many_together_are_let_in_or_not(keeper: Keeper) -> None:
    put_late(keeper, b"1", 100)
    later = keeper.clock.now + 100
    keeper.queue.check_room(2, None, items=2, due=later)
    with REFUSED:
        keeper.queue.check_room(3, None, items=3, due=later)
    keeper.queue.check_room(3, None, items=3, due=keeper.clock.now)
