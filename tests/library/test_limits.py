"""Full queues: who is refused, who waits and in what order, and what could never be let in."""

import queue
import threading
from collections.abc import Sized
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from tests.library.fronts import OpenQueue
from tests.servers import wait_until


def test_a_full_queue_refuses(open_queue: OpenQueue) -> None:
    q = open_queue(max_items=2)
    q.put_many([b"a", b"b"])
    assert q.full()
    for refused in (
        lambda: q.put(b"c", block=False),
        lambda: q.put_nowait(b"c"),
        lambda: q.put(b"c", timeout=0.001),
        lambda: q.put_many([b"c"], block=False),
        lambda: q.put(bytes(300_000), block=False),
    ):
        with pytest.raises(darnerpy.Full, match="no room in the queue 'default' in ") as told:
            refused()
        assert isinstance(told.value, queue.Full)
    assert q.get() == b"a"
    assert not q.full()
    q.put(b"c", block=False)
    held = q.reserve()  # what is held does not count
    q.put(b"d", block=False)
    held.abort()
    assert (len(q), q.full()) == (3, True)


def test_at_the_limit_is_in_and_a_byte_over_is_out(open_queue: OpenQueue) -> None:
    q = open_queue(max_bytes=10)
    q.put(b"12345")
    assert not q.full()
    with pytest.raises(darnerpy.Full):
        q.put(b"123456", block=False)
    q.put(b"12345", block=False)
    assert q.full()
    q.put(b"", block=False)


def test_what_could_never_be_let_in_is_refused_at_once(open_queue: OpenQueue) -> None:
    q = open_queue(max_items=3, max_bytes="100KiB", max_item_bytes="50KiB")
    for call, why in (
        (lambda: q.put(bytes(50 * 1024 + 1)), "item of 51201 bytes is too large, at most 51200"),
        (lambda: q.put(bytes(101 * 1024)), "item of 103424 bytes is too large"),
        (lambda: q.put(bytes(400 * 1024)), "item of 409600 bytes is too large"),
        (lambda: q.put_many([b""] * 4), "4 items are more than max_items = 3"),
        (
            lambda: q.put_many([bytes(40_000)] * 3),
            "3 items of 120000 bytes are more than max_bytes",
        ),
        (lambda: q.put_many([b"", bytes(60_000)]), "item of 60000 bytes is too large"),
    ):
        with pytest.raises(darnerpy.ItemTooLargeError, match=why) as told:
            call()
        assert not isinstance(told.value, queue.Full)
        assert "'default'" in str(told.value)
    assert len(q) == 0


def test_several_go_in_together_or_not_at_all(open_queue: OpenQueue) -> None:
    q = open_queue(max_items=3)
    q.put_many([b"a", b"b"])
    with pytest.raises(darnerpy.Full):
        q.put_many([b"c", b"d"], block=False)
    with pytest.raises(darnerpy.Full):
        q.put_many([b"c", bytes(300_000)], timeout=0.01)
    assert len(q) == 2
    q.put_many([b"c"], block=False)
    assert q.get_many(9) == [b"a", b"b", b"c"]


def test_the_oldest_make_room_where_that_is_asked_for(open_queue: OpenQueue) -> None:
    q = open_queue(max_items=3, discard_old_when_full=True)
    q.put_many([b"a", b"b"])
    q.put_many([b"c", b"d"])
    q.put(b"e")
    assert not q.full()
    with pytest.raises(darnerpy.ItemTooLargeError):
        q.put_many([b""] * 4)
    assert q.get_many(9) == [b"c", b"d", b"e"]
    assert q.stats()["discarded"] == 2


def test_no_file_is_left_of_what_was_refused(tmp_path: Path, open_on_disk: OpenQueue) -> None:
    q = open_on_disk(max_items=1)
    q.put(b"a")
    with pytest.raises(darnerpy.Full):
        q.put(bytes(1_000_000), timeout=0.01)
    assert list((tmp_path / "data").rglob("*.part")) == []
    assert list((tmp_path / "data").rglob("*.item")) == []


# -- waiting for room ------------------------------------------------------------------------------


def stand(line: Sized, number: int) -> bool:
    return len(line) == number


def start(work: Any, *args: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "make_room",
    [
        lambda q: q.get(),
        lambda q: q.reserve().confirm(),
        lambda q: q.flush(),
        lambda q: q.get_many(1),
    ],
    ids=["get", "reserve", "flush", "get_many"],
)
def test_room_is_waited_for(tmp_path: Path, make_room: Any) -> None:
    with darnerpy.Queue(tmp_path, max_items=1, engine="memory") as q:
        q.put(b"a")
        thread = start(q.put, b"b")
        place = q._desk.place
        wait_until(lambda: place.line)
        make_room(q)
        thread.join(20)
        assert q.get(timeout=20) == b"b"


def test_time_alone_makes_room(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, max_items=1, engine="memory") as q:
        q.put(b"a", ttl=0.05)
        q.put(b"b")
        assert q.get() == b"b"


def test_who_holds_an_item_makes_room(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, max_items=1, engine="memory") as q:
        q.put(b"a")
        thread = start(q.put, b"b")
        wait_until(lambda: q._desk.place.line)
        with q.reserve():
            thread.join(20)
            assert len(q) == 1


def test_those_who_wait_for_room_are_served_in_turn(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, max_items=2, max_bytes=1000, engine="memory") as q:
        q.put_many([b"x", b"x"])
        line = q._desk.place.line
        threads = []
        for number, items in enumerate([[b"1"], [bytes(900)], [b"2"], [b"3", b"4"], [b"5"]]):
            threads.append(start(q.put_many, items))
            wait_until(partial(stand, line, number + 1))
        with pytest.raises(darnerpy.Full):  # nobody who comes later goes before
            q.put(b"late", block=False)
        got = [q.get(timeout=20) for _ in range(8)]
        for thread in threads:
            thread.join(20)
        assert got == [b"x", b"x", b"1", bytes(900), b"2", b"3", b"4", b"5"]
        assert not line


def test_who_gives_up_is_no_obstacle(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, max_items=2, engine="memory") as q:
        q.put_many([b"x", b"x"])
        line = q._desk.place.line
        refused: list[BaseException] = []

        def give_up() -> None:
            try:
                q.put_many([b"never", b"never"], timeout=1)
            except darnerpy.Full as error:
                refused.append(error)

        first = start(give_up)
        wait_until(lambda: len(line) == 1)
        second = start(q.put, b"small")
        wait_until(lambda: len(line) == 2)
        assert q.get() == b"x"  # room for the second, which stands behind the first
        first.join(20)
        second.join(20)
        assert len(refused) == 1
        assert q.get_many(5) == [b"x", b"small"]


def test_who_is_closed_while_it_waits_for_room_is_told(tmp_path: Path) -> None:
    q = darnerpy.Queue(tmp_path, max_items=1, engine="memory")
    q.put(b"a")
    told: list[BaseException] = []

    def put() -> None:
        try:
            q.put(b"b")
        except darnerpy.DarnerError as error:
            told.append(error)

    thread = start(put)
    wait_until(lambda: q._desk.place.line)
    q.close()
    thread.join(20)
    assert [type(each) for each in told] == [darnerpy.ClosedError]


def test_the_disk_is_left_some_room(tmp_path: Path) -> None:
    with (
        darnerpy.Queue(tmp_path, sync="never", min_free_disk="900000GiB") as q,
        pytest.raises(darnerpy.ServerError, match="out of disk") as told,
    ):
        q.put(b"x")
    assert "queue 'default'" in str(told.value)
    with darnerpy.Queue(tmp_path, sync="never", min_free_disk=None) as q:
        q.put(b"x")
        assert q.get() == b"x"


@pytest.mark.parametrize("engine", ["memory", "leveldb", "arena"])
def test_many_that_are_held_leave_memory_to_those_that_come(
    open_queue: OpenQueue, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held may take more than there is for all: still what is next is not read one by one."""
    items = 1500
    q = open_queue(engine=engine, sync="never", window_memory="32KiB")  # that is 100 of them
    for _ in range(3):
        q.put_many([bytes(100)] * (items // 3))
    journal = q._desk.directory.broker.queues[b"default"].journal
    assert journal is not None
    reads = 0
    read = type(journal).read

    def counted(self: Any, *about: Any) -> Any:
        nonlocal reads
        reads += 1
        return read(self, *about)

    monkeypatch.setattr(type(journal), "read", counted)
    held = [q.reserve() for _ in range(items)]
    assert 0 < reads < items / 10
    for item in held[:20]:
        item.abort()
    assert [q.get(block=False) for _ in range(20)] == [bytes(100)] * 20
