"""At least once: an item that is held is confirmed or comes back to its place, whatever happens."""

import gc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import darnerpy
from tests.library.fronts import OpenQueue
from tests.servers import wait_until


class Trouble(Exception):
    pass


def fill(q: darnerpy.Queue) -> None:
    q.put_many([b"a", b"b", b"c"])


def fail(q: darnerpy.Queue, work: Callable[[darnerpy.ReservedItem], object]) -> None:
    """Do something with the next item, then have its block fail."""
    with suppress(Trouble), q.reserve() as item:
        work(item)
        raise Trouble


def test_leaving_the_block_confirms(q: darnerpy.Queue) -> None:
    fill(q)
    with q.reserve() as item:
        assert (item.data, item.attempts, len(q)) == (b"a", 0, 2)
    assert [q.get(), q.get(), len(q)] == [b"b", b"c", 0]


def test_an_exception_returns_it_to_its_place(q: darnerpy.Queue) -> None:
    fill(q)
    seen: list[object] = []
    for _ in range(3):
        fail(q, lambda item: seen.append((item.data, item.attempts)))
    assert seen == [(b"a", 0), (b"a", 1), (b"a", 2)]
    assert q.get_many(9) == [b"a", b"b", b"c"]


def test_several_come_back_in_order(q: darnerpy.Queue) -> None:
    fill(q)
    held = [q.reserve() for _ in range(3)]
    q.put(b"d")
    held[1].abort()
    held[0].abort()
    assert q.get() == b"a"
    held[2].abort()
    assert q.get_many(9) == [b"b", b"c", b"d"]


def test_what_was_done_inside_the_block_stays_done(q: darnerpy.Queue) -> None:
    fill(q)
    with q.reserve() as item:
        item.abort()
        assert item.data == b"a"
    fail(q, lambda item: item.confirm())
    assert q.get() == b"b"


def test_it_is_confirmed_once(q: darnerpy.Queue) -> None:
    fill(q)
    item = q.reserve()
    item.confirm()
    with pytest.raises(darnerpy.NotHeldError, match="item 1 is not held any more"):
        item.confirm()
    with pytest.raises(darnerpy.NotHeldError):
        item.keep(5)
    item.abort()
    assert len(q) == 2


def test_time_is_up(open_queue: OpenQueue) -> None:
    q = open_queue(open_timeout="20ms")
    fill(q)
    item = q.reserve()
    wait_until(lambda: len(q) == 3)
    with pytest.raises(darnerpy.NotHeldError):
        item.confirm()
    item.abort()
    again = q.reserve()
    assert (again.data, again.attempts) == (b"a", 1)
    wait_until(lambda: len(q) == 3)
    with pytest.raises(darnerpy.NotHeldError):
        again.__exit__(None, None, None)
    fail(q, lambda item: wait_until(lambda: len(q) == 3))
    assert q.stats()["open_timeouts"] == 3


def test_it_can_be_kept_for_longer(open_queue: OpenQueue) -> None:
    q = open_queue(open_timeout="300ms")
    fill(q)
    kept, other = q.reserve(), q.reserve()
    kept.keep(1000)
    wait_until(lambda: len(q) == 2)  # the time of both would be up
    kept.confirm()
    with pytest.raises(darnerpy.NotHeldError):
        other.confirm()


def test_it_can_be_kept_for_less(open_queue: OpenQueue) -> None:
    q = open_queue(open_timeout="1h")
    fill(q)
    item, other = q.reserve(), q.reserve()
    item.keep(500)
    item.keep("20ms")
    wait_until(lambda: len(q) == 2)
    with pytest.raises(darnerpy.NotHeldError):
        item.confirm()
    other.confirm()


def test_without_a_time_limit_it_can_have_one(q: darnerpy.Queue) -> None:
    fill(q)
    item = q.reserve()
    item.keep(0.02)
    wait_until(lambda: len(q) == 3)
    for wrong in (0, -1, "x", float("inf")):
        with pytest.raises(ValueError, match="seconds"):
            item.keep(wrong)


def test_after_the_last_attempt_it_is_a_dead_letter(open_queue: OpenQueue) -> None:
    q = open_queue(max_attempts=2, dead_letter="dead")
    dead = open_queue("dead")
    q.put(b"poison", flags=3)
    for _ in range(2):
        q.reserve().abort()
    with dead.reserve(timeout=10) as item:
        assert (item.data, item.flags) == (b"poison", 3)
    assert len(q) == 0


def test_what_comes_back_waits(open_queue: OpenQueue) -> None:
    q = open_queue(retry_delay="300ms")
    fill(q)
    q.reserve().abort()
    assert len(q) == 3
    assert q.get_many(2) == [b"b", b"c"]
    with q.reserve(timeout=10) as item:
        assert (item.data, item.attempts) == (b"a", 1)


def test_whoever_forgets_an_item_has_returned_it(q: darnerpy.Queue) -> None:
    fill(q)
    item = q.reserve()
    assert len(q) == 2
    del item
    gc.collect()
    wait_until(lambda: len(q) == 3)
    with q.reserve() as item:
        assert (item.data, item.attempts) == (b"a", 1)


def test_the_loop_confirms_when_it_asks_for_the_next(q: darnerpy.Queue) -> None:
    fill(q)
    seen = []
    for item in q:
        seen.append((item.data, len(q)))
        if item.data == b"c":
            item.confirm()
            break
    assert seen == [(b"a", 2), (b"b", 1), (b"c", 0)]
    assert q.empty()


def test_leaving_the_loop_returns_the_item(q: darnerpy.Queue) -> None:
    fill(q)
    for item in q:
        assert item.data == b"a"
        break
    gc.collect()
    wait_until(lambda: len(q) == 3)
    with suppress(Trouble):
        for item in q:
            if item.data == b"b":
                raise Trouble
    gc.collect()
    wait_until(lambda: len(q) == 2)
    assert q.get() == b"b"


def test_a_hundred_thousand_may_be_held_and_no_more(tmp_path: Path) -> None:
    q = darnerpy.Queue(tmp_path, engine="memory", sync="never", window_memory="1GiB")
    for _ in range(10):
        q.put_many([b""] * 10_000)
    q.put(b"one more")
    desk = q._desk
    queue = desk.directory.broker.queues[b"default"].queue
    held = [queue.open(queue.own) for _ in range(100_000)]  # as so many calls would, in less time
    with pytest.raises(darnerpy.ServerError, match="too many open reads") as told:
        q.reserve()
    assert "'default'" in str(told.value)
    assert None not in held
    q.close()


def test_the_process_that_held_it_is_over(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    fill(q)
    item = q.reserve()
    other = q.reserve()
    other.abort()
    q.close()
    with pytest.raises(darnerpy.NotHeldError):
        item.confirm()
    item.abort()
    q = open_on_disk()
    assert len(q) == 3
    with q.reserve() as item, q.reserve() as other:
        assert (item.data, item.attempts) == (b"a", 0)  # closing is no attempt
        assert (other.data, other.attempts) == (b"b", 1)
