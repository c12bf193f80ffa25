"""Named consumers of a queue, one situation at a time: where they start, what they get, how they go."""

import pytest

from darnerpy.config import QueueSettings
from darnerpy.errors import ServerError
from darnerpy.queues.items import ITEM_OVERHEAD
from darnerpy.queues.positions import Span, shared
from darnerpy.queues.queue import Queue
from tests.unit.clients import Client, again, drain, hold, join, keep, put, take, take_all
from tests.unit.keeper import Keeper


@pytest.fixture
def keeper() -> Keeper:
    return keep()


def low(queue: Queue) -> tuple[int, int]:
    """The id, and its offset, below which every consumer has confirmed everything."""
    everyone = shared(consumer.positions for consumer in queue.consumers.values())
    return everyone.position, everyone.offset


# --- Where they start


def test_a_new_consumer_gets_what_is_put_from_then_on(keeper: Keeper) -> None:
    queue = keeper.queue
    put(queue, b"before")
    audit = queue.consumer(b"audit")
    put(queue, b"after")
    assert queue.consumer(b"audit") is audit
    assert take_all(queue, audit) == [b"after"]
    assert take_all(queue) == [b"before", b"after"]


def test_one_that_starts_at_the_head_gets_what_the_queue_itself_has() -> None:
    keeper = keep(audit={"start": "head"})
    queue = keeper.queue
    put(queue, b"1", b"2", b"3", b"4")
    keeper.settle()
    assert take(queue) == b"1"
    held = [hold(queue), hold(queue)]
    queue.close(held[1])
    audit = queue.consumer(b"audit")
    keeper.settle()
    assert take_all(queue, audit) == [b"2", b"4"], "what is held is not confirmed"


def test_one_that_copies_another_starts_where_that_stands() -> None:
    keeper = keep(copy={"copy_from": b"audit", "start": "head"})
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2", b"3")
    assert take(queue, audit) == b"1"
    copy = queue.consumer(b"copy")
    assert take_all(queue, copy) == [b"2", b"3"]
    assert take_all(queue, audit) == [b"2", b"3"]


def test_without_the_one_to_copy_from_the_other_setting_holds() -> None:
    keeper = keep(copy={"copy_from": b"audit", "start": "head"})
    put(keeper.queue, b"1")
    assert take_all(keeper.queue, keeper.queue.consumer(b"copy")) == [b"1"]


def test_at_the_head_of_a_queue_that_keeps_nothing_itself() -> None:
    keeper = keep(QueueSettings(fanout_only=True), late={"start": "head"})
    queue = keeper.queue
    first, second = queue.consumer(b"first"), queue.consumer(b"second")
    put(queue, b"1", b"2")
    assert take(queue, first) == b"1"
    assert take_all(queue, queue.consumer(b"late")) == [b"1", b"2"]
    assert take_all(queue, second) == [b"1", b"2"]
    assert queue.is_empty(queue.own)
    assert low(queue) == (2, 1)


def test_configured_consumers_are_there_before_the_first_item() -> None:
    keeper = keep(QueueSettings(consumers=(b"audit",)))
    put(keeper.queue, b"1")
    assert take_all(keeper.queue, keeper.queue.consumers[b"audit"]) == [b"1"]


def test_a_consumer_configured_later_begins_at_the_next_start(keeper: Keeper) -> None:
    put(keeper.queue, b"1", b"2")
    keeper.settle()
    assert take(keeper.queue) == b"1"
    keeper.settle()
    keeper.settings[b""] = QueueSettings(consumers=(b"audit",), start="head", fanout_only=True)
    keeper = again(keeper)
    keeper.settle()
    assert take_all(keeper.queue, keeper.queue.consumers[b"audit"]) == [b"2"]


def test_a_configured_consumer_outlives_the_failure_of_the_commit_that_made_it(
    keeper: Keeper,
) -> None:
    keeper.settings[b""] = QueueSettings(consumers=(b"audit",))
    keeper.queue.configure()
    keeper.fail(landed=False)
    keeper.rejoin()
    put(keeper.queue, b"1")
    assert take_all(keeper.queue, keeper.queue.consumers[b"audit"]) == [b"1"]


# --- Each by itself


def test_what_one_does_another_does_not_see(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2", b"3")
    assert take(queue) == b"1"
    held = hold(queue)
    queue.abort(held)
    assert take_all(queue, audit) == [b"1", b"2", b"3"]
    assert queue.own.returns[2].attempts == 1
    assert audit.returns == {}
    assert take_all(queue) == [b"2", b"3"]


def test_a_flush_of_one_leaves_the_others_theirs(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2")
    queue.flush(audit)
    assert queue.is_empty(audit)
    put(queue, b"3")
    assert take_all(queue, audit) == [b"3"]
    assert take_all(queue) == [b"1", b"2", b"3"]
    put(queue, b"4")
    queue.flush()
    assert queue.is_empty(audit)
    assert queue.is_empty(queue.own)


def test_an_item_leaves_the_log_when_all_have_confirmed_it(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"22")
    take_all(queue)
    assert low(queue) == (1, 0)
    held = hold(queue, audit)
    assert take(queue, audit) == b"22"
    assert low(queue) == (1, 0)
    queue.close(held)
    assert low(queue) == (3, 3)


# --- For one only


def test_an_item_for_one_is_not_for_others_also_after_a_restart(keeper: Keeper) -> None:
    queue = keeper.queue
    audit, other = queue.consumer(b"audit"), queue.consumer(b"other")
    client = Client()
    join(queue, client, consumer=other)
    put(queue, b"all")
    put(queue, b"audit", only=audit)
    put(queue, b"own", only=queue.own)
    assert client.got == [b"all"]
    assert queue.is_empty(other)
    keeper.settle()
    keeper = again(keeper)
    assert drain(keeper) == [b"all", b"own"]
    assert drain(keeper, keeper.queue.consumers[b"audit"]) == [b"all", b"audit"]
    assert drain(keeper, keeper.queue.consumers[b"other"]) == []


def test_what_was_not_for_one_is_not_caught_up_with() -> None:
    keeper = keep(memory=2 * ITEM_OVERHEAD)
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2")
    put(queue, b"3", only=audit)
    put(queue, b"4")
    assert take_all(queue) == [b"1", b"2", b"4"]
    assert take_all(queue, audit) == [b"1", b"2", b"3", b"4"]


def test_what_was_not_for_one_does_not_come_when_all_before_it_is_lost() -> None:
    keeper = keep(memory=ITEM_OVERHEAD)
    queue = keeper.queue
    put(queue, b"1", b"2")
    keeper.settle()
    assert take(queue) == b"1"
    queue.own.forget_waiting(2)  # as after a failure: nothing is in memory
    put(queue, b"3", only=queue.consumer(b"audit"))
    queue.lose(Span(2, 3, 1, 2), keep=True)
    queue.loaded(queue.own, [], 2, 3)
    assert take_all(queue) == []
    assert queue.is_empty(queue.own)


# --- Restarts and failures


def test_positions_and_returns_of_each_outlive_a_restart(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2", b"3")
    assert take(queue) == b"1"
    for _ in range(2):
        queue.abort(hold(queue, audit))
        keeper.settle()
    held = [hold(queue, audit), hold(queue, audit)]
    queue.close(held[1])
    keeper.settle()
    for _ in range(2):
        keeper = again(keeper)
        audit = keeper.queue.consumers[b"audit"]
        assert (audit.returns[1].attempts, len(audit.returns)) == (2, 1)
        assert keeper.queue.own.returns == {}
    assert drain(keeper, audit) == [b"1", b"3"]
    assert drain(keeper) == [b"2", b"3"]


def test_a_dropped_consumer_lets_everyone_go(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2")
    held = hold(queue, audit)
    assert take(queue, audit) == b"2"
    client = Client()
    join(queue, client, consumer=audit)
    queue.drop(audit)
    assert client.errors == [None]
    assert held.gone
    assert queue.close(held) is None
    assert audit.loaded == audit.settled == 0
    assert take_all(queue, queue.consumer(b"audit")) == [], "a new one begins at the end"
    take_all(queue)
    assert low(queue) == (3, 2)


def test_a_dropped_consumer_does_not_come_back_with_a_restart(keeper: Keeper) -> None:
    keeper.queue.consumer(b"audit")
    put(keeper.queue, b"1")
    keeper.settle()
    keeper.queue.drop(keeper.queue.consumers[b"audit"])
    keeper.settle()
    assert list(again(keeper).queue.consumers) == [b""]


def test_a_drop_that_fails_did_not_happen(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2", b"3")
    keeper.settle()
    assert take(queue, audit) == b"1"
    keeper.settle()
    assert take(queue, audit) == b"2"
    queue.drop(audit)
    renewed = queue.consumer(b"audit")
    queue.drop(renewed)
    keeper.fail(landed=False)
    keeper.rejoin()
    keeper.settle()
    assert queue.consumers[b"audit"] is audit
    assert take_all(queue, audit) == [b"2", b"3"], "what was taken with the same commit as well"
    client = Client()
    join(queue, client, consumer=audit)
    put(queue, b"4")
    assert client.got == [b"4"], "it follows what is put, as before"


def test_a_consumer_whose_first_commit_fails_was_never_there(keeper: Keeper) -> None:
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    client = Client()
    join(queue, client, consumer=audit)
    keeper.fail(landed=False)
    assert [type(error) for error in client.errors] == [ServerError]
    assert list(queue.consumers) == [b""]
    queue.consumer(b"brief")
    queue.drop(queue.consumers[b"brief"])
    keeper.fail(landed=False)
    assert list(queue.consumers) == [b""]


def test_attempts_at_a_refused_item_are_not_those_at_the_next_with_its_id(keeper: Keeper) -> None:
    queue = keeper.queue
    put(queue, b"refused")
    queue.abort(hold(queue))
    keeper.fail(landed=False)
    keeper.rejoin()
    put(queue, b"other")
    assert hold(queue).item.id == 1
    assert queue.own.returns == {}


def test_attempts_that_a_failed_commit_forgot_are_remembered(keeper: Keeper) -> None:
    queue = keeper.queue
    put(queue, b"1", b"2", b"3")
    held = [hold(queue), hold(queue), hold(queue)]
    for each in held:
        queue.abort(each)
    keeper.settle()
    again_held = hold(queue)
    assert take(queue) == b"2"
    queue.flush()
    queue.abort(again_held)
    keeper.fail(landed=False)
    attempts = {item_id: back.attempts for item_id, back in queue.own.returns.items()}
    assert attempts == {1: 2, 2: 1, 3: 1}


def test_what_is_read_again_after_a_failure_is_not_had_twice() -> None:
    """Memory runs short while something that was held all the time is back, beyond the window."""
    keeper = keep()
    queue = keeper.queue
    put(queue, b"1", b"2", b"3")
    keeper.settle()
    held = [hold(queue), hold(queue), hold(queue)]
    queue.close(held[0])
    queue.close(held[1])
    keeper.fail(landed=False)
    keeper.rejoin()
    keeper.settle()
    queue.abort(held[2], counted=False)
    queue.own.shrink(ITEM_OVERHEAD)
    keeper.start_read(9)
    keeper.finish_read()
    assert take_all(queue) == [b"1", b"2", b"3"]


def test_what_comes_back_while_a_batch_is_written_is_in_the_next(keeper: Keeper) -> None:
    queue = keeper.queue
    put(queue, b"1", b"2")
    keeper.settle()
    held = hold(queue)
    assert take(queue) == b"2"
    keeper.seal()
    queue.abort(held)
    assert keeper.sealed is not None
    assert [mark.returns for mark in keeper.sealed.marks] == [()]
    keeper.write()
    assert again(keeper).queue.own.returns == {}
    keeper.settle()
    assert again(keeper).queue.own.returns[1].attempts == 1
