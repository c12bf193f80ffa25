"""What embedded queues of others promise, and where theirs have failed: each case of theirs, held by ours.

Those of duraqueue first, a durable queue in C whose reads copy nothing; then those of bigqueue, an
embedded queue in Go with arenas and named consumers.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

import darnerpy
from tests.library.fronts import OpenQueue
from tests.library.programs import run
from tests.library.test_waiting import Caller
from tests.servers import wait_until


def disk(path: Path) -> int:
    total = 0
    for each in path.rglob("*"):
        with suppress(FileNotFoundError):  # it goes while we look
            total += each.stat().st_size
    return total


# -- duraqueue -------------------------------------------------------------------------------------


def test_a_small_queue_goes_on_for_ever(open_on_disk: OpenQueue) -> None:
    """Theirs of 8 KiB refuses everything after 86 turns, though it is empty."""
    q = open_on_disk(max_bytes="8KiB")
    for turn in range(1000):
        q.put(b"%90d" % turn, block=False)
        assert int(q.get()) == turn
    assert (q.empty(), q.bytes) == (True, 0)


def test_it_goes_on_where_it_was(open_on_disk: OpenQueue) -> None:
    """Theirs compares ids in the wrong byte order, and begins in the middle."""
    q = open_on_disk()
    q.put_many([b"%d" % n for n in range(600)])
    assert q.get_many(300) == [b"%d" % n for n in range(300)]
    q.close()
    q = open_on_disk()
    assert q.get_many(300) == [b"%d" % n for n in range(300, 600)]


def test_what_is_put_after_opening_again_is_there_at_the_next_time(open_on_disk: OpenQueue) -> None:
    for number in range(3):
        q = open_on_disk()
        q.put(b"%d" % number)
        q.close()
    q = open_on_disk()
    assert q.get_many(9) == [b"0", b"1", b"2"]


def test_an_item_over_a_border_outlives_opening_again(open_on_disk: OpenQueue) -> None:
    settings: Any = {"arena_size": "64KiB"}
    q = open_on_disk(**settings)
    expected = []
    for number in range(60):
        data = b"%d " % number * 900
        q.put(data)
        expected.append(data)
        if number % 3 == 2:
            assert q.get() == expected.pop(0)
    q.close()
    q = open_on_disk(**settings)
    assert q.get_many(99) == expected


def test_used_and_empty(open_on_disk: OpenQueue) -> None:
    q = open_on_disk(max_bytes=100)
    assert (q.empty(), q.bytes, len(q)) == (True, 0, 0)
    q.put(b"one")
    assert (q.empty(), q.bytes, len(q)) == (False, 3, 1)
    q.put_many([b"two", b"three"])
    assert (len(q), q.bytes) == (3, 11)
    found = q.peek()
    assert found is not None
    assert (found.data, len(q)) == (b"one", 3)  # looking takes nothing
    q.close()
    q = open_on_disk(max_bytes=100)
    assert len(q) == 3
    with pytest.raises(darnerpy.ItemTooLargeError):
        q.put(bytes(101), block=False)
    with pytest.raises(darnerpy.Full):
        q.put(bytes(90), block=False)
    assert q.get_many(9) == [b"one", b"two", b"three"]
    assert (q.empty(), q.bytes) == (True, 0)
    with pytest.raises(darnerpy.Empty):
        q.get(block=False)


def test_a_writer_and_a_reader_take_turns(open_on_disk: OpenQueue) -> None:
    expected: list[bytes] = []
    for turn in range(5):
        writer = open_on_disk()
        for number in range(3):
            writer.put(b"%d %d" % (turn, number))
            expected.append(b"%d %d" % (turn, number))
        writer.close()
        reader = open_on_disk()
        assert reader.get_many(2) == expected[:2]
        del expected[:2]
        reader.close()
    q = open_on_disk()
    assert q.get_many(99) == expected


def test_a_thousand_small_items_in_order(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    for number in range(1024):
        q.put(bytes([number % 256]))
    assert [q.get()[0] for _ in range(1024)] == [number % 256 for number in range(1024)]


# -- bigqueue --------------------------------------------------------------------------------------


def test_what_is_drained_gives_its_disk_back(tmp_path: Path, disk_engine: str) -> None:
    """Theirs holds 21 MB before and after."""
    with darnerpy.Queue(tmp_path, engine=disk_engine, sync="never") as q:
        for _ in range(20):
            q.put_many([bytes(1000)] * 1000)
        assert disk(tmp_path) > 15_000_000
        while not q.empty():
            q.get_many(1000)
        wait_until(lambda: disk(tmp_path) < 6_000_000)


def test_two_processes_never_have_it_at_once(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, sync="never") as q:
        q.put(b"x")
        assert "DataDirError" in run("darnerpy.Queue(path)", tmp_path).stderr


def test_closing_twice_and_putting_after_it(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    q.close()
    q.close()
    with pytest.raises(darnerpy.ClosedError):
        q.put(b"x")


def test_an_item_that_fills_an_arena(tmp_path: Path) -> None:
    settings: Any = {"engine": "arena", "arena_size": 8192, "sync": "never"}
    sizes = [8192 - extra for extra in range(0, 200, 7)] + [8192, 8193, 20_000, 0, 1]
    with darnerpy.Queue(tmp_path, **settings) as q:
        for number, size in enumerate(sizes):
            q.put(bytes([number]) * size)
    with darnerpy.Queue(tmp_path, **settings) as q:
        assert [len(q.get()) for _ in sizes] == sizes


@pytest.mark.parametrize("pages", [1, 2, 4])
def test_items_of_one_to_two_arenas(tmp_path: Path, pages: int) -> None:
    size, chance = pages * 4096, Random(pages)
    datas = [chance.randbytes(chance.randrange(size, 2 * size)) for _ in range(10)]
    datas += [b"", *(chance.randbytes(n * size // 2 - 8) for n in range(1, 5))]
    settings: Any = {"engine": "arena", "arena_size": size, "sync": "never"}
    for data in datas:
        with darnerpy.Queue(tmp_path, **settings) as q:
            q.put(data)
    with darnerpy.Queue(tmp_path, **settings) as q:
        assert q.get_many(99) == datas


@pytest.mark.parametrize("size", [4095, 2**63 - 1, 0, -1, "1 page"])
def test_an_arena_of_that_size_is_a_clear_error(tmp_path: Path, size: Any) -> None:
    with pytest.raises(darnerpy.ConfigError, match="arena_size: expected"):
        darnerpy.Queue(tmp_path, engine="arena", arena_size=size)


def test_another_size_of_arenas_reads_the_old_ones(tmp_path: Path) -> None:
    """Theirs refuses; a size need be no multiple of a page either."""
    datas = []
    sizes: list[Any] = [10_001, 1 << 20, 4096, "1GiB", 65_537]
    for number, size in enumerate(sizes):
        with darnerpy.Queue(tmp_path, engine="arena", arena_size=size, sync="never") as q:
            datas += [b"%d" % number * 3000 for _ in range(5)]
            q.put_many(datas[-5:])
            assert q.get() == datas.pop(0)
    with darnerpy.Queue(tmp_path, sync="never") as q:
        assert q.get_many(99) == datas


@pytest.mark.parametrize("most", [2, 3, 5])
def test_no_more_is_mapped_than_is_allowed(tmp_path: Path, most: int) -> None:
    """Eleven in, five out, five in, opened again, seven out and in, eleven out."""
    settings: Any = {
        "engine": "arena",
        "arena_size": 16_384,
        "max_arenas_in_memory": most,
        "sync": "never",
    }
    number = 0
    expected: list[bytes] = []

    def put(q: darnerpy.Queue, items: int) -> None:
        nonlocal number
        for _ in range(items):
            number += 1
            expected.append(b"%5d" % number * 2000)
            q.put(expected[-1])
            assert mapped() <= most

    def get(q: darnerpy.Queue, items: int) -> None:
        for _ in range(items):
            assert q.get() == expected.pop(0)
            assert mapped() <= most

    def mapped() -> int:
        lines = Path(f"/proc/{os.getpid()}/maps").read_text().splitlines()
        return len({line.split()[-1] for line in lines if str(tmp_path) in line})

    with darnerpy.Queue(tmp_path, **settings) as q:
        put(q, 11)
        get(q, 5)
        put(q, 5)
    with darnerpy.Queue(tmp_path, **settings) as q:
        for _ in range(7):
            get(q, 1)
            put(q, 1)
        get(q, 11)
        assert q.empty()


def test_a_consumer_sees_what_the_queue_took_as_long_as_it_is_wanted(
    open_on_disk: OpenQueue,
) -> None:
    """Theirs begins with whatever happens to lie on disk; ours with what somebody has yet to confirm."""
    q = open_on_disk()
    slow = q.consumer("slow")
    q.put_many([b"a", b"b", b"c"])
    q.get_many(3)
    assert q.consumer("new", start="head").get_many(9) == [b"a", b"b", b"c"]
    slow.get_many(2)
    assert q.consumer("newer", start="head").get_many(9) == [b"c"]


def test_places_are_kept_apart_over_opening_again(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    one, two = q.consumer("one"), q.consumer("two")
    copied = q.consumer("copied", copy_from="one")
    q.put_many([b"%d" % n for n in range(10)])
    one.get_many(3)
    two.get_many(7)
    q.close()
    q = open_on_disk()
    found = {name: len(q.consumer(name)) for name in ("one", "two", "copied")}
    assert found == {"one": 7, "two": 3, "copied": 10}
    assert copied.closed


def test_both_ways_to_flush(tmp_path: Path, disk_engine: str) -> None:
    """After so many operations, and after so long, also when nothing is called. Theirs does neither by
    itself.
    """
    synced = threading.Event()
    with darnerpy.Queue(tmp_path, engine=disk_engine, sync="30ms", sync_ops=1000) as q:
        q.put(b"so that the journal is open")
        journal = q._desk.directory.broker.queues[b"default"].journal
        assert journal is not None
        sync = journal.sync

        def noticed() -> None:
            sync()
            synced.set()

        journal.sync = noticed  # type: ignore[method-assign]
        q.put(b"x")
        assert synced.wait(20)
    with darnerpy.Queue(tmp_path, "by-number", engine=disk_engine, sync_ops=3) as q:
        q.put(b"so that the journal is open")
        journal = q._desk.directory.broker.queues[b"by-number"].journal
        assert journal is not None
        syncs = 0
        force = journal.sync

        def counted() -> None:
            nonlocal syncs
            syncs += 1
            force()

        journal.sync = counted  # type: ignore[method-assign]
        for _ in range(6):
            q.put(b"x")
        assert syncs == 2


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
def test_many_threads_put_and_take(tmp_path: Path, engine: str) -> None:
    settings: Any = {"engine": engine, "sync": "never", "arena_size": "64KiB"}
    with darnerpy.Queue(tmp_path, **settings) as q:

        def work(thread: int) -> list[bytes]:
            for number in range(100):
                q.put(b"%d %d" % (thread, number))
            return [q.get(timeout=20) for _ in range(100)]

        callers = [Caller(work, thread) for thread in range(20)]
        got = [item for caller in callers for item in caller.join()]
    assert sorted(got) == sorted(b"%d %d" % (t, n) for t in range(20) for n in range(100))
