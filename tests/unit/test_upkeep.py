"""What happens to a queue as time passes, while nobody asks anything of it."""

import pytest

from darnerpy.config import DROP, QueueSettings
from darnerpy.queues import delivery as delivery_module
from darnerpy.queues import upkeep as upkeep_module
from darnerpy.queues.items import ITEM_OVERHEAD
from tests.unit.clients import Client, again, hold, is_full, join, keep, put, take, take_all

# --- Open reads


def test_an_open_read_comes_back_when_its_time_is_up() -> None:
    keeper = keep(QueueSettings(open_timeout=100))
    queue = keeper.queue
    put(queue, b"1", b"2")
    held, client = hold(queue), Client(open=True)
    keeper.wait(10)
    later = hold(queue)
    join(queue, client)
    keeper.wait(89)
    assert not held.gone
    keeper.wait(1)
    assert held.gone
    assert not later.gone
    assert client.got == [b"1"]
    assert queue.close(held) is None
    counters = queue.own.counters
    assert (counters.timeouts, counters.aborts, queue.own.returns[1].attempts) == (1, 1, 1)
    keeper.wait(10)
    assert later.gone


def test_a_timeout_set_later_holds_for_what_is_open_already() -> None:
    keeper = keep()
    put(keeper.queue, b"1")
    held = hold(keeper.queue)
    keeper.wait(50)
    keeper.settings[b""] = QueueSettings(open_timeout=100)
    keeper.queue.configure()
    keeper.wait(49)
    assert not held.gone
    keeper.wait(1)
    assert held.gone


# --- Delays


def test_a_returned_item_waits_longer_each_time_and_holds_up_nobody() -> None:
    keeper = keep(QueueSettings(retry_delay=10, max_retry_delay=35))
    queue = keeper.queue
    put(queue, b"1")
    for delay in (10, 20, 35, 35):
        queue.abort(hold(queue))
        put(queue, b"2")
        assert take_all(queue) == [b"2"]
        assert queue.is_empty(queue.own)
        assert queue.count(queue.own) == 1
        keeper.wait(delay - 1)
        assert take(queue) is None
        keeper.wait(1)
    assert take_all(queue) == [b"1"]
    assert queue.own.counters.aborts == 4


def test_who_waits_gets_an_item_when_its_delay_is_over() -> None:
    keeper = keep(QueueSettings(retry_delay=10))
    queue = keeper.queue
    put(queue, b"1")
    held, client = hold(queue), Client()
    queue.abort(held)
    join(queue, client)
    keeper.wait(9)
    assert client.got == []
    keeper.wait(1)
    assert client.got == [b"1"]


def test_what_was_not_an_attempt_waits_for_nothing() -> None:
    queue = keep(QueueSettings(retry_delay=10)).queue
    put(queue, b"1")
    queue.abort(hold(queue), counted=False)
    assert take(queue) == b"1"
    assert queue.own.counters.aborts == 0


def test_a_delay_outlives_a_restart() -> None:
    keeper = keep(QueueSettings(retry_delay=10))
    put(keeper.queue, b"1", b"2")
    keeper.queue.abort(hold(keeper.queue))
    keeper.settle()
    keeper.clock.now += 5
    keeper = again(keeper)
    keeper.settle()
    assert take_all(keeper.queue) == [b"2"]
    keeper.wait(5)
    assert take_all(keeper.queue) == [b"1"]


# --- Attempts


def test_an_item_that_comes_back_from_its_last_attempt_is_dropped() -> None:
    keeper = keep(QueueSettings(max_attempts=2, dead_letter=DROP))
    queue = keeper.queue
    put(queue, b"1", b"2")
    queue.abort(hold(queue), counted=False)
    queue.abort(hold(queue))
    keeper.settle()
    keeper = again(keeper)
    keeper.settle()
    queue = keeper.queue
    queue.abort(hold(queue))
    assert take_all(queue) == [b"2"]
    assert queue.own.counters.dropped == 1


def test_what_has_no_attempt_left_after_a_restart_leaves_without_being_asked_for() -> None:
    keeper = keep()
    put(keeper.queue, b"1", b"2")
    keeper.queue.abort(hold(keeper.queue))
    keeper.settle()
    keeper.settings[b""] = QueueSettings(max_attempts=1, dead_letter=DROP)
    keeper = again(keeper)
    keeper.settle()
    assert keeper.queue.own.counters.dropped == 1
    assert keeper.queue.count(keeper.queue.own) == 1


# --- Expiry


def test_an_expired_item_leaves_the_head_within_a_second() -> None:
    keeper = keep()
    queue = keeper.queue
    put(queue, b"long", expiry=keeper.clock.now + 3_600_000)
    keeper.wait(10)
    put(queue, b"short", expiry=keeper.clock.now + 100)
    keeper.wait(2_000)
    assert queue.count(queue.own) == 2, "it is behind a live one"
    assert take(queue) == b"long"
    keeper.wait(1_000)
    assert (queue.count(queue.own), queue.own.counters.expired) == (0, 1)


def test_so_does_an_item_of_great_age() -> None:
    keeper = keep(QueueSettings(max_age=5_000))
    keeper.wait(10_000)
    put(keeper.queue, b"1")
    keeper.wait(4_999)
    assert keeper.queue.own.counters.expired == 0
    keeper.wait(1_001)
    assert keeper.queue.own.counters.expired == 1


def test_and_one_that_was_held_when_nothing_else_was_left() -> None:
    keeper = keep()
    queue = keeper.queue
    put(queue, b"1", expiry=keeper.clock.now + 5_000)
    held = hold(queue)
    keeper.wait(4_000)
    queue.abort(held)
    keeper.wait(2_000)
    assert queue.own.counters.expired == 1


def test_nothing_is_looked_after_when_nothing_can_expire_any_more() -> None:
    keeper = keep()
    put(keeper.queue, b"1", expiry=keeper.clock.now + 100)
    put(keeper.queue, b"2")
    keeper.wait(1_000)
    assert take(keeper.queue) == b"2"
    keeper.wait(3_000)
    assert keeper.alarm is None


def test_many_expired_items_leave_in_steps_and_keep_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery_module, "_STEPS", 3)
    keeper = keep()
    queue = keeper.queue
    put(queue, *[b"x"] * 10, expiry=keeper.clock.now + 1)
    put(queue, b"live")
    keeper.clock.now += 1
    client = Client(blocking=False)
    assert take(queue) is None
    assert not queue.is_empty(queue.own)
    join(queue, client)
    keeper.settle()
    assert client.got == [b"live"]


def test_no_alarm_rings_for_an_item_that_has_still_to_be_read() -> None:
    """What came back has no data in memory and no attempt left: the alarm cannot help it."""
    keeper = keep(QueueSettings(max_attempts=1, dead_letter=DROP), memory=ITEM_OVERHEAD)
    queue = keeper.queue
    put(queue, b"x" * 2 * ITEM_OVERHEAD)
    held = hold(queue)
    keeper.settle()
    assert held.item.data is None
    queue.abort(held)
    keeper.alarm = None
    upkeep_module.upkeep(queue, keeper.clock.monotonic_ms())
    assert keeper.alarm is None
    keeper.start_read(1)
    keeper.finish_read()
    assert queue.own.counters.dropped == 1


# --- Idle consumers


def test_a_consumer_that_nobody_reads_stops_the_queue_until_somebody_does() -> None:
    keeper = keep(audit={"max_idle": 5_000})
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1")
    keeper.wait(4_000)
    assert not is_full(queue, b"2")
    keeper.wait(3_000)
    assert is_full(queue, b"3")
    assert not is_full(queue, b"only for others", only=queue.own)
    assert take(queue, audit) == b"1"
    keeper.wait(2_000)
    assert not is_full(queue, b"3")


def test_or_what_waits_for_it_is_discarded() -> None:
    keeper = keep(audit={"max_idle": 5_000, "lag_action": "discard"})
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2")
    keeper.wait(7_000)
    assert (queue.count(audit), audit.counters.discarded) == (0, 2)
    assert take_all(queue) == [b"1", b"2"]


def test_who_waits_or_holds_something_is_not_idle() -> None:
    keeper = keep(audit={"max_idle": 5_000}, other={"max_idle": 5_000})
    queue = keeper.queue
    audit, other = queue.consumer(b"audit"), queue.consumer(b"other")
    put(queue, b"1", b"2")
    hold(queue, audit)
    take_all(queue, other)
    join(queue, Client(), consumer=other)
    keeper.wait(10_000)
    assert not is_full(queue, b"3")
