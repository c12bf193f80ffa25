"""zero_copy: a view of what is stored, for as long as it is the reader's and no longer."""

import array
import time
from pathlib import Path

import pytest

import darnerpy
from darnerpy.journals.living import MAPS
from tests.library.fronts import OpenQueue

SIZES = [0, 1, 5000, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_view_is_the_data_and_cannot_be_written(q: darnerpy.Queue, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    q.put_many([data, data])
    looked = q.peek(zero_copy=True)
    assert looked is not None
    with q.reserve(zero_copy=True) as item:
        for view in (looked.data, item.data):
            assert isinstance(view, memoryview)
            assert view.readonly
            assert (len(view), view == data) == (size, True)
    assert q.get() == data


@pytest.mark.parametrize("size", [5000, 1_000_000])
def test_it_is_released_when_the_item_is_confirmed_or_returned(
    q: darnerpy.Queue, size: int
) -> None:
    q.put_many([bytes(size), bytes(size)])
    item = q.reserve(zero_copy=True)
    view = item.data
    item.abort()
    with pytest.raises(ValueError, match="released"):
        view[0]
    with q.reserve(zero_copy=True) as item:
        view = item.data
        assert view[0] == 0
    with pytest.raises(ValueError, match="released"):
        view[0]
    item = q.reserve(zero_copy=True)
    view = item.data
    item.confirm()
    with pytest.raises(ValueError, match="released"):
        bytes(view)


@pytest.mark.parametrize("size", [5000, 1_000_000])
def test_who_still_uses_it_keeps_it(q: darnerpy.Queue, size: int) -> None:
    q.put(b"\1" * size)
    with q.reserve(zero_copy=True) as item:
        assert isinstance(item.data, memoryview)
        in_use = memoryview(item.data)[10:20]
        whole = array.array("B", item.data)
    assert bytes(in_use) == b"\1" * 10
    assert len(whole) == size
    q.flush()
    assert bytes(in_use) == b"\1" * 10


@pytest.mark.parametrize(
    "confirm",
    [
        lambda q: q.get(),
        lambda q: q.get_many(1),
        lambda q: q.reserve().confirm(),
        lambda q: q.flush(),
    ],
    ids=["get", "get_many", "confirm", "flush"],
)
def test_a_view_that_was_only_looked_at_goes_with_its_item(
    q: darnerpy.Queue, confirm: object
) -> None:
    assert callable(confirm)
    q.put_many([b"first", b"second"])
    first, second = q.peek(zero_copy=True), q.peek(1, zero_copy=True)
    assert first is not None
    assert second is not None
    assert bytes(first.data) == b"first"
    confirm(q)
    with pytest.raises(ValueError, match="released"):
        bytes(first.data)
    if len(q):
        assert bytes(second.data) == b"second"


def test_it_ends_with_the_queue(open_queue: OpenQueue) -> None:
    q = open_queue()
    q.put_many([b"held", b"looked at"])
    held = q.reserve(zero_copy=True)
    looked = q.peek(zero_copy=True)
    assert looked is not None
    q.close()
    with pytest.raises(ValueError, match="released"):
        bytes(looked.data)
    held.abort()
    with pytest.raises(ValueError, match="released"):
        bytes(held.data)


def test_time_takes_it_away(open_queue: OpenQueue) -> None:
    q = open_queue()
    q.put(b"x", ttl=1)
    looked = q.peek(zero_copy=True)
    assert looked is not None
    time.sleep(1.01)
    with pytest.raises(darnerpy.Empty):
        q.get(block=False)
    with pytest.raises(ValueError, match="released"):
        bytes(looked.data)


def test_more_than_a_thousand_are_copies(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, engine="memory", sync="never") as q:
        q.put_many([b"%d" % n for n in range(1003)])
        looked = [q.peek(n, zero_copy=True) for n in range(1003)]
        kinds = [type(item.data) for item in looked if item is not None]
        assert kinds == [memoryview] * 1000 + [bytes] * 3
        q.flush()


def test_all_queues_together_map_only_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MAPS, "most", 8)

    def maps() -> int:
        return Path("/proc/self/maps").read_text().count(".item")

    data = b"large" * 100_000
    with darnerpy.open(tmp_path / "jobs") as queues:
        for number in range(12):
            queue = queues[f"{'arena' if number % 2 else 'leveldb'}-{number}"]
            queue.put(data)
        held = [queue.reserve(zero_copy=True) for queue in queues.values()]
        assert [item.data for item in held] == [data] * 12
        assert maps() == 8
        for item in held:
            item.confirm()
        assert maps() == 0
        queue.put(data)
        with queue.reserve(zero_copy=True) as item:
            assert (item.data, maps()) == (data, 1)
