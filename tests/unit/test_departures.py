"""Items that leave for another queue, one situation at a time; all others: `test_moves_machine.py`."""

import pytest

from darnerpy.config import QueueSettings
from darnerpy.queues.departures import RETRY_MS
from darnerpy.queues.items import DEAD, EXPIRED, Origin
from tests.unit.clients import again, hold, keep, put, take, take_all
from tests.unit.keeper import Keeper

DEADLY = QueueSettings(max_attempts=1, dead_letter=b"failed", expire_to=b"failed")


@pytest.fixture
def target() -> Keeper:
    return keep(name=b"failed")


@pytest.fixture
def source(target: Keeper) -> Keeper:
    keeper = keep(DEADLY, find=lambda name: target)
    target.clock = keeper.clock
    return keeper


def test_an_item_leaves_when_it_is_on_disk_where_it_goes(source: Keeper, target: Keeper) -> None:
    queue = source.queue
    put(queue, b"1", b"2")
    queue.abort(hold(queue))
    assert take_all(queue) == [b"2"]
    assert queue.is_empty(queue.own)
    source.settle()
    assert queue.count(queue.own) == 1, "it counts until it has left"
    assert target.queue.batch is not None
    assert target.queue.batch.sync
    target.settle()
    assert queue.count(queue.own) == 0
    assert queue.own.counters.dead == 1
    item = target.queue.take(target.queue.own)
    assert item is not None
    assert (item.data, item.expiry) == (b"1", 0)
    assert item.origin == Origin(b"work", b"", 1, DEAD, source.clock.now)
    assert target.queue.received == {DEAD: 1}


def test_an_expired_item_moves_without_its_expiry(source: Keeper, target: Keeper) -> None:
    put(source.queue, b"1", expiry=source.clock.now + 10)
    source.wait(1_000)
    target.settle()
    assert source.queue.own.counters.expired == 1
    item = target.queue.take(target.queue.own)
    assert item is not None
    assert item.expiry == 0
    assert item.origin is not None
    assert item.origin.why == EXPIRED


def test_what_is_not_taken_stays_and_is_tried_again(source: Keeper, target: Keeper) -> None:
    target.settings[b""] = QueueSettings(max_items=1)
    target.queue.configure()
    put(target.queue, b"full")
    put(source.queue, b"1")
    source.queue.abort(hold(source.queue))
    source.settle()
    assert take(source.queue) is None
    assert source.queue.count(source.queue.own) == 1
    take_all(target.queue)
    source.wait(RETRY_MS - 1)
    assert target.queue.is_empty(target.queue.own)
    source.wait(1)
    target.settle()
    assert take_all(target.queue) == [b"1"]
    assert source.queue.count(source.queue.own) == 0


def test_what_the_target_failed_to_write_is_tried_again(source: Keeper, target: Keeper) -> None:
    put(source.queue, b"1")
    source.queue.abort(hold(source.queue))
    source.settle()
    target.fail(landed=False)
    assert source.queue.count(source.queue.own) == 1
    target.rejoin()
    source.wait(RETRY_MS)
    target.settle()
    assert take_all(target.queue) == [b"1"]
    assert source.queue.count(source.queue.own) == 0


def test_a_crash_in_between_repeats_the_move_and_the_repeat_is_known(
    source: Keeper, target: Keeper
) -> None:
    put(source.queue, b"1")
    source.queue.abort(hold(source.queue))
    source.settle()
    target.settle()
    assert source.queue.count(source.queue.own) == 0, "but that is not on disk"
    target = again(target)
    source.find = lambda name: target
    source = again(source)
    assert source.queue.count(source.queue.own) == 1
    source.settle()
    target.settle()
    assert source.queue.count(source.queue.own) == 0
    assert take_all(target.queue) == [b"1"]


def test_what_was_flushed_on_its_way_does_not_count_as_left(source: Keeper, target: Keeper) -> None:
    put(source.queue, b"1")
    source.queue.abort(hold(source.queue))
    source.settle()
    source.queue.flush()
    target.settle()
    assert (source.queue.own.counters.dead, source.queue.own.loaded) == (0, 0)
    assert source.queue.count(source.queue.own) == 0


def test_each_consumer_loses_its_own_only(source: Keeper, target: Keeper) -> None:
    audit = source.queue.consumer(b"audit")
    put(source.queue, b"1")
    source.queue.abort(hold(source.queue, audit))
    source.settle()
    target.settle()
    assert take_all(source.queue) == [b"1"]
    assert source.queue.is_empty(audit)
    assert target.queue.last_origin is not None
    assert target.queue.last_origin.consumer == b"audit"
