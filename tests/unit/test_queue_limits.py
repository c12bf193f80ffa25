"""How much may wait, exactly: at a limit is in, over it is out, also by one item or one byte."""

import pytest

from darnerpy.config import DROP, QueueSettings
from darnerpy.errors import QueueFullError
from darnerpy.queues.items import ITEM_OVERHEAD
from tests.unit.clients import again, hold, is_full, keep, put, take, take_all


def test_as_many_items_as_the_limit_and_not_one_more() -> None:
    queue = keep(QueueSettings(max_items=2)).queue
    put(queue, b"1", b"2")
    with pytest.raises(
        QueueFullError, match="work is full: 2 items of 2 bytes wait, max_items = 2"
    ):
        put(queue, b"3")
    assert queue.next_id == 3
    assert take(queue) == b"1"
    assert not is_full(queue, b"3")
    assert take_all(queue) == [b"2", b"3"]


def test_as_many_bytes_as_the_limit_and_not_one_more() -> None:
    queue = keep(QueueSettings(max_bytes=10)).queue
    put(queue, b"x" * 6)
    assert is_full(queue, b"x" * 5)
    assert not is_full(queue, b"x" * 4)
    assert not is_full(queue, b""), "it adds no byte"
    assert is_full(queue, b"x")


def test_what_is_open_does_not_count_and_comes_back_over_the_limit() -> None:
    queue = keep(QueueSettings(max_items=1)).queue
    put(queue, b"1")
    held = hold(queue)
    put(queue, b"2")
    queue.abort(held)
    assert queue.count(queue.own) == 2
    assert is_full(queue, b"3")
    assert take_all(queue) == [b"1", b"2"]


def test_what_waits_out_a_delay_does_count() -> None:
    queue = keep(QueueSettings(max_items=1, retry_delay=10)).queue
    put(queue, b"1")
    queue.abort(hold(queue))
    assert queue.is_empty(queue.own)
    assert is_full(queue, b"2")


def test_what_has_expired_at_the_head_does_not_count() -> None:
    keeper = keep(QueueSettings(max_items=1))
    put(keeper.queue, b"1", expiry=keeper.clock.now + 1)
    assert is_full(keeper.queue, b"2")
    keeper.clock.now += 1
    assert not is_full(keeper.queue, b"2")


def test_the_oldest_make_room_as_many_as_need_be() -> None:
    queue = keep(QueueSettings(max_bytes=10, discard_old_when_full=True)).queue
    put(queue, b"1" * 3, b"2" * 3, b"3" * 4)
    put(queue, b"4" * 5)
    assert queue.own.counters.discarded == 2
    assert take_all(queue) == [b"3" * 4, b"4" * 5]
    put(queue, b"5" * 10)
    with pytest.raises(QueueFullError):
        put(queue, b"6" * 11)
    assert queue.own.counters.discarded == 2, "nothing makes room for what never fits"
    assert take_all(queue) == [b"5" * 10]


def test_what_waits_out_a_delay_makes_room_when_nothing_else_can() -> None:
    settings = QueueSettings(max_items=2, discard_old_when_full=True, retry_delay=10)
    keeper = keep(settings)
    queue = keeper.queue
    put(queue, b"1", b"2")
    held = [hold(queue), hold(queue)]
    for each in held:
        queue.abort(each)
        keeper.clock.now += 1
    put(queue, b"3")
    keeper.settle()
    assert queue.own.counters.discarded == 1
    assert take_all(queue) == [b"3"]
    keeper.wait(20)
    assert take_all(queue) == [b"2"]


def test_what_is_on_disk_makes_room_when_it_was_read() -> None:
    settings = QueueSettings(max_items=3, discard_old_when_full=True)
    keeper = keep(settings, memory=ITEM_OVERHEAD)
    queue = keeper.queue
    put(queue, b"1", b"2", b"3")
    keeper.settle()
    keeper = again(keeper)
    queue = keeper.queue
    assert queue.own.window == type(queue.own.window)()
    assert not is_full(queue, b"4")
    assert queue.own.excess
    keeper.settle()
    assert not queue.own.excess
    assert queue.own.counters.discarded == 1
    assert take_all(queue) == [b"2", b"3", b"4"]


def test_no_alarm_rings_for_room_that_nothing_can_make() -> None:
    """What is over the limit is on its way to another queue, which takes nothing yet."""
    target = keep(QueueSettings(max_items=1), name=b"failed")
    put(target.queue, b"full")
    settings = QueueSettings(
        max_items=2, discard_old_when_full=True, max_attempts=1, dead_letter=b"failed"
    )
    keeper = keep(settings, find=lambda name: target)
    queue = keeper.queue
    put(queue, b"1", b"2")
    held = [hold(queue), hold(queue)]
    for each in held:
        queue.abort(each)
    keeper.settings[b""] = QueueSettings(
        max_items=1, discard_old_when_full=True, max_attempts=1, dead_letter=b"failed"
    )
    queue.configure()
    assert len(queue.own.leaving) == 2
    assert not is_full(queue, b"3")
    keeper.settle()  # it fails if this never ends


def test_a_lagging_consumer_refuses_for_all_or_discards_for_itself() -> None:
    keeper = keep(strict={"max_lag_items": 2}, loose={"max_lag_items": 1, "lag_action": "discard"})
    queue = keeper.queue
    strict, loose = queue.consumer(b"strict"), queue.consumer(b"loose")
    put(queue, b"1", b"2")
    with pytest.raises(QueueFullError, match=r"work\+strict is full: 2 items"):
        put(queue, b"3")
    assert loose.counters.discarded == 1, "who refuses discards nothing anywhere"
    assert not is_full(queue, b"4", only=loose)
    assert not is_full(queue, b"5", only=queue.own)
    assert is_full(queue, b"6", only=strict)
    assert take_all(queue, loose) == [b"4"]
    assert take_all(queue, strict) == [b"1", b"2"]
    assert take_all(queue) == [b"1", b"2", b"5"]
    assert (loose.counters.discarded, queue.own.counters.discarded) == (2, 0)


def test_an_item_that_one_consumer_may_never_have_is_discarded_for_it() -> None:
    keeper = keep(audit={"max_lag_bytes": 5, "lag_action": "discard"})
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"small")
    put(queue, b"larger")
    keeper.settle()
    assert (queue.count(audit), audit.counters.discarded) == (0, 2)
    assert take_all(queue) == [b"small", b"larger"]


def test_a_queue_that_keeps_nothing_itself_is_as_full_as_its_furthest_behind() -> None:
    queue = keep(QueueSettings(max_items=2, fanout_only=True)).queue
    assert not is_full(queue, b"nobody gets it")
    fast, slow = queue.consumer(b"fast"), queue.consumer(b"slow")
    put(queue, b"1", b"2")
    take_all(queue, fast)
    assert is_full(queue, b"3")
    assert take(queue, slow) == b"1"
    assert not is_full(queue, b"3")
    assert queue.is_empty(queue.own)


def test_a_limit_that_changes_holds_at_once() -> None:
    keeper = keep(QueueSettings(max_items=1))
    put(keeper.queue, b"1")
    keeper.settings[b""] = QueueSettings(max_items=2)
    keeper.queue.configure()
    assert not is_full(keeper.queue, b"2")
    keeper.settings[b""] = QueueSettings(max_items=1, max_attempts=1, dead_letter=DROP)
    keeper.queue.configure()
    assert is_full(keeper.queue, b"3")
    keeper.queue.abort(hold(keeper.queue))
    assert is_full(keeper.queue, b"3")
    assert take_all(keeper.queue) == [b"2"]
    assert keeper.queue.own.counters.dropped == 1
