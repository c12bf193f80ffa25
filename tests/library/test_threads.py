"""Many threads on one queue: every item that was put arrives once, whoever takes it and however."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from tests.library.test_waiting import Caller

THREADS, TURNS, ITEMS = 20, 10, 200


def put_singly(q: darnerpy.Queue, items: list[bytes]) -> None:
    for item in items:
        q.put(item)


def put_together(q: darnerpy.Queue, items: list[bytes]) -> None:
    q.put_many(items)


def get_singly(q: darnerpy.Queue, number: int) -> list[bytes]:
    return [q.get(timeout=50) for _ in range(number)]


def get_together(q: darnerpy.Queue, number: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < number:
        found += q.get_many(number - len(found), timeout=50)
    return found


def reserve(q: darnerpy.Queue, number: int) -> list[bytes]:
    found = []
    for turn in range(number):
        item = q.reserve(timeout=50)
        if turn % 50 == 7:
            item.abort()  # and somebody takes it again
            item = q.reserve(timeout=50)
        found.append(bytes(item.data))
        item.confirm()
    return found


PUTS: list[Callable[..., Any]] = [put_singly, put_together]
GETS: list[Callable[..., Any]] = [get_singly, get_together, reserve]


@pytest.mark.parametrize("engine", ["memory", "leveldb"])
def test_twenty_threads(tmp_path: Path, engine: str) -> None:
    """Each puts 200 items in each of ten turns, by one way or another, and takes as many."""
    got: list[list[bytes]] = []

    with darnerpy.Queue(tmp_path, engine=engine, sync="never") as q:

        def work(thread: int) -> None:
            for turn in range(TURNS):
                items = [b"%d %d %d" % (thread, turn, number) for number in range(ITEMS)]
                PUTS[(thread + turn) % len(PUTS)](q, items)
                got.append(GETS[(thread + turn) % len(GETS)](q, ITEMS))

        for caller in [Caller(work, thread) for thread in range(THREADS)]:
            caller.join()
        assert len(q) == 0
        assert q.stats()["total_items"] == THREADS * TURNS * ITEMS
    counts = Counter(item for items in got for item in items)
    assert len(counts) == THREADS * TURNS * ITEMS
    assert max(counts.values()) == 1


def test_synced_puts_share_their_syncs(tmp_path: Path) -> None:
    """Group commit: what threads put while one of them syncs is synced together."""
    with darnerpy.Queue(tmp_path, sync="always") as q:
        q.put(b"so that the journal is open")
        stored = q._desk.directory.broker.queues[b"default"]
        before = stored.queue.number
        start = threading.Barrier(8)

        def put(thread: int) -> list[int]:
            start.wait(20)
            return [q.put(b"%d %d" % (thread, number)) for number in range(50)]

        ids = [each for caller in [Caller(put, n) for n in range(8)] for each in caller.join()]
        assert sorted(ids) == list(range(2, 402))
        assert len(q) == 401
        assert 50 <= stored.queue.number - before < 400


def test_each_thread_sees_its_own_items_in_order(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, engine="memory", sync="never") as q:

        def put(thread: int) -> None:
            for number in range(300):
                q.put(b"%d %d" % (thread, number))

        callers = [Caller(put, thread) for thread in range(4)]
        seen: dict[int, int] = {}
        for _ in range(4 * 300):
            thread, number = map(int, q.get(timeout=20).split())
            assert number == seen.get(thread, -1) + 1
            seen[thread] = number
        for caller in callers:
            caller.join()


def test_settings_that_need_time_are_kept_while_nobody_calls(tmp_path: Path) -> None:
    """An interval sync comes by itself, and so does an item whose holder's time is up."""
    with darnerpy.Queue(tmp_path, sync="20ms", open_timeout="20ms") as q:
        q.put(b"x")
        journal = q._desk.directory.broker.queues[b"default"].journal
        assert journal is not None
        synced = threading.Event()
        sync = journal.sync

        def noticed() -> None:
            sync()
            synced.set()

        journal.sync = noticed  # type: ignore[method-assign]
        q.put(b"y")
        assert synced.wait(20)
        assert q.get() == b"x"
        item = q.reserve()
        with q.reserve(timeout=20) as again:
            assert (again.data, again.attempts) == (item.data, 1)


def test_an_idle_queue_has_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with darnerpy.Queue(tmp_path, sync="always") as q:
        q.put_many([b"a", b"b"])
        q.get()
        with q.reserve():
            assert threading.active_count() <= before
    assert threading.active_count() <= before
