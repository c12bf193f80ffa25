"""Putting and getting: what comes out is what went in, in order, and who asks for what cannot be is told."""

import array
import time
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from tests.library.fronts import OpenQueue


def test_items_come_out_in_order(q: darnerpy.Queue) -> None:
    assert (q.empty(), len(q), q.qsize(), q.bytes) == (True, 0, 0, 0)
    assert [q.put(b"one"), q.put(b"two"), q.put(b"three")] == [1, 2, 3]
    assert (q.empty(), len(q), q.qsize(), q.bytes) == (False, 3, 3, 11)
    assert [q.get(), q.get()] == [b"one", b"two"]
    assert (len(q), q.bytes) == (1, 5)
    assert q.get_nowait() == b"three"
    assert q.empty()


def test_an_empty_queue_says_so_and_no_more(q: darnerpy.Queue) -> None:
    for _ in range(2):
        with pytest.raises(darnerpy.Empty):
            q.get(block=False)
        with pytest.raises(darnerpy.Empty):
            q.get_nowait()
        with pytest.raises(darnerpy.Empty):
            q.reserve(block=False)
        with pytest.raises(darnerpy.Empty):
            q.get_many(5, block=False)
        assert q.peek() is None
    q.put(b"x")
    assert q.get() == b"x"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 262_144, 262_145, 3_000_000])
def test_items_of_every_size(q: darnerpy.Queue, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    q.put(b"before")
    q.put(data)
    q.put(b"after")
    assert (len(q), q.bytes) == (3, size + 11)
    found = q.peek(1)
    assert found is not None
    assert found.data == data
    assert [q.get(), q.get(), q.get()] == [b"before", data, b"after"]


@pytest.mark.parametrize(
    "data",
    [memoryview(b"abcd"), memoryview(b"aXbXcXdX")[::2], array.array("B", b"abcd"), b"abcd"],
    ids=["memoryview", "strided", "array", "bytearray"],
)
def test_what_can_be_made_bytes_is_put(q: darnerpy.Queue, data: Any) -> None:
    data = bytearray(data) if isinstance(data, bytes) else data
    q.put(data)
    q.put_many([data, data])
    if isinstance(data, bytearray):
        data[:] = b"----"  # what was put is what it was then
    assert q.get_many(9) == [b"abcd"] * 3


@pytest.mark.parametrize("data", ["text", 5, None, ["list"]])
def test_what_is_no_bytes_is_refused(q: darnerpy.Queue, data: Any) -> None:
    with pytest.raises(TypeError, match="an item is bytes, not"):
        q.put(data)
    with pytest.raises(TypeError, match="an item is bytes, not"):
        q.put_many([b"fine", data])
    with pytest.raises(TypeError, match="several items are expected, not NoneType"):
        q.put_many(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"ttl is more than 0 seconds, at most 9007199254740, not"):
        q.put(b"x", ttl=1e30)
    with pytest.raises(TypeError, match="several items"):
        q.put_many(b"these are bytes")  # type: ignore[arg-type]
    assert len(q) == 0


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda q: q.put(b"x", flags=-1), ValueError),
        (lambda q: q.put(b"x", flags=2**32), ValueError),
        (lambda q: q.put(b"x", flags="1"), TypeError),
        (lambda q: q.put(b"x", ttl=0), ValueError),
        (lambda q: q.put(b"x", ttl=-1), ValueError),
        (lambda q: q.put(b"x", ttl=float("nan")), ValueError),
        (lambda q: q.put(b"x", ttl="soon"), ValueError),
        (lambda q: q.put(b"x", ttl=True), TypeError),
        (lambda q: q.put(b"x", ttl=b"1s"), TypeError),
        (lambda q: q.put(b"x", timeout=-1), ValueError),
        (lambda q: q.get(timeout=-0.001), ValueError),
        (lambda q: q.get(timeout="1"), TypeError),
        (lambda q: q.reserve(timeout=-1), ValueError),
        (lambda q: q.get_many(0), ValueError),
        (lambda q: q.get_many(-1), ValueError),
        (lambda q: q.get_many(1.5), TypeError),
        (lambda q: q.peek(-1), ValueError),
        (lambda q: q.peek("1"), TypeError),
        (lambda q: q.consumer(""), ValueError),
        (lambda q: q.consumer("a b"), ValueError),
        (lambda q: q.consumer(b"a"), TypeError),
        (lambda q: q.put_many([b"x"] * 10_001), ValueError),
        (lambda q: q.put_many([b"x" * 200_000] * 22), ValueError),
    ],
)
def test_wrong_arguments_are_told_as_python_does(
    q: darnerpy.Queue, call: Any, error: type[Exception]
) -> None:
    q.put(b"still here")
    with pytest.raises(error):
        call(q)
    assert len(q) == 1


def test_looking_for_an_item_does_not_take_those_before_it(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, engine="memory") as q:
        q.put_many([b"a", b"b"])
        with pytest.raises(TypeError, match="not a container"):
            assert b"b" in q  # type: ignore[operator]
        assert len(q) == 2


def test_a_consumers_name_and_whose_it_is_are_told(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, "work", engine="memory") as q:
        with pytest.raises(ValueError, match=r"'c 2': a consumer's name may not .* 0x20 \(at 1\)"):
            q.consumer("c 2")
        with pytest.raises(ValueError, match="a consumer's name is empty"):
            q.consumer("")
        with pytest.raises(ValueError, match=f"{tmp_path}: queue 'work': there is no .* 'nobody'"):
            q.consumer("c", copy_from="nobody")


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_can_be_no_directory(path: str) -> None:
    with pytest.raises(ValueError, match="the path of a data directory was expected, not"):
        darnerpy.Queue(path)


def test_flags_time_and_expiry_come_with_the_item(q: darnerpy.Queue) -> None:
    before = time.time()
    q.put(b"plain")
    q.put(b"full", flags=2**32 - 1, ttl=60)
    q.put(b"words", ttl="2h")
    plain, full, words = (q.peek(n) for n in range(3))
    assert plain is not None
    assert full is not None
    assert words is not None
    assert (plain.id, plain.flags, plain.attempts, plain.expires) == (1, 0, 0, None)
    assert before - 0.001 <= plain.created <= time.time()
    assert (full.id, full.flags) == (2, 2**32 - 1)
    assert full.expires == pytest.approx(full.created + 60, abs=0.01)
    assert words.expires == pytest.approx(words.created + 7200, abs=0.01)
    assert "4 bytes" in repr(full)


def test_an_item_expires(q: darnerpy.Queue) -> None:
    q.put(b"short", ttl=0.001)
    q.put(b"long", ttl=1000)
    time.sleep(0.01)
    assert q.get() == b"long"
    assert q.stats()["expired_items"] == 1


def test_max_age_is_told_as_expiry(open_queue: OpenQueue) -> None:
    q = open_queue(max_age="1h")
    q.put(b"x")
    q.put(b"y", ttl=1)
    first, second = q.peek(), q.peek(1)
    assert first is not None
    assert second is not None
    assert first.expires == pytest.approx(first.created + 3600)
    assert second.expires == pytest.approx(second.created + 1, abs=0.01)


def test_ttl_counts_for_nothing_where_the_settings_say_so(open_queue: OpenQueue) -> None:
    q = open_queue(ignore_client_expiry=True)
    q.put(b"x", ttl=0.001)
    q.put_many([b"y"], ttl=0.001)
    time.sleep(0.01)
    assert q.get_many(3) == [b"x", b"y"]


def test_many_are_put_and_got_at_once(q: darnerpy.Queue) -> None:
    assert q.put_many([]) == range(1, 1)
    assert q.put_many(b"%d" % n for n in range(1000)) == range(1, 1001)
    assert q.put_many([b"last"], flags=7) == range(1001, 1002)
    assert q.get_many(10) == [b"%d" % n for n in range(10)]
    assert len(q.get_many(5000)) == 991
    with pytest.raises(darnerpy.Empty):
        q.get_many(1, block=False)
    large = [b"small", bytes(300_000), b"between", bytes(1_000_000)]
    assert q.put_many(large) == range(1002, 1006)
    assert q.get_many(3) == large[:3]
    assert q.get_many(3) == large[3:]


def test_peek_takes_nothing(q: darnerpy.Queue) -> None:
    q.put_many([b"a", b"b", b"c"])
    for _ in range(2):
        assert [each and each.data for each in map(q.peek, range(4))] == [b"a", b"b", b"c", None]
    with q.reserve() as item:
        assert item.data == b"a"
        found = q.peek()
        assert found is not None
        assert found.data == b"b"
    assert q.get() == b"b"


def test_flush_discards_what_waits_and_no_more(q: darnerpy.Queue) -> None:
    q.flush()
    q.put_many([b"held", b"gone", b"gone"])
    held = q.reserve()
    q.flush()
    assert (len(q), q.peek()) == (0, None)
    held.abort()
    assert q.get() == b"held"


def test_stats_have_the_servers_names(q: darnerpy.Queue) -> None:
    q.put_many([b"abc", b"de"])
    held = q.reserve()
    stats = q.stats()
    expected = {"items": 1, "bytes": 2, "total_items": 2, "open_transactions": 1, "state": "ready"}
    assert expected.items() <= stats.items()
    held.confirm()


def test_a_get_that_waited_is_no_transaction(q: darnerpy.Queue) -> None:
    q.put(bytes(300_000))
    q.get()
    assert q.stats()["transactions"] == 0


def test_a_delayed_item_waits_and_holds_up_nobody(q: darnerpy.Queue) -> None:
    q.put(b"later", delay=1)
    q.put_many([b"much later"], delay="1h")
    q.put(b"now", delay=0)
    assert (len(q), q.peek(1)) == (3, None)
    assert q.get() == b"now"
    assert q.get(timeout=20) == b"later"
    with pytest.raises(darnerpy.Empty):
        q.get(block=False)
    assert len(q) == 1
    for wrong in (-1, "soon"):
        with pytest.raises(ValueError, match="delay"):
            q.put(b"x", delay=wrong)
