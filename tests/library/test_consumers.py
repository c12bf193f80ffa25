"""Named consumers: a place of their own, from where they begin to where they are dropped."""

from pathlib import Path

import pytest

import darnerpy
from tests.library.fronts import OpenQueue


def items(first: int, stop: int) -> list[bytes]:
    return [b"%d" % n for n in range(first, stop)]


def test_a_consumer_sees_what_is_put_from_then_on(q: darnerpy.Queue) -> None:
    q.put(b"before")
    audit = q.consumer("audit")
    assert (len(audit), audit.empty(), audit.peek()) == (0, True, None)
    q.put_many([b"a", b"b"])
    assert (len(audit), audit.bytes, len(q)) == (2, 2, 3)
    assert audit.get_many(9) == [b"a", b"b"]
    assert q.get_many(9) == [b"before", b"a", b"b"]
    assert q.consumers() == ["audit"]


def test_each_has_its_own_place(q: darnerpy.Queue) -> None:
    one, two = q.consumer("one"), q.consumer("two")
    q.put_many(items(0, 10))
    assert one.get_many(3) == items(0, 3)
    with two.reserve() as item:
        assert item.data == b"0"
    with pytest.raises(ZeroDivisionError), q.reserve():
        raise ZeroDivisionError
    assert (len(one), len(two), len(q)) == (7, 9, 10)
    assert q.consumer("one").get() == b"3"
    assert [item.data for item, _ in zip(two, range(3), strict=False)] == items(1, 4)


def test_it_begins_at_the_head(q: darnerpy.Queue) -> None:
    q.put_many(items(0, 5))
    assert q.get() == b"0"
    with q.reserve():  # what is held is not confirmed
        late = q.consumer("late", start="head")
    assert late.get_many(9) == items(1, 5)


def test_the_head_is_the_oldest_that_anybody_has_yet_to_confirm(q: darnerpy.Queue) -> None:
    slow = q.consumer("slow")
    q.put_many(items(0, 6))
    assert q.get_many(6) == items(0, 6)
    slow.get()
    third = [slow.reserve() for _ in range(2)][1]
    third.confirm()  # everybody has confirmed 0 and 2
    late = q.consumer("late", start="head")
    assert late.get_many(9) == [b"1", b"3", b"4", b"5"]
    assert q.consumer("last", start="tail").empty()


def test_it_begins_where_another_is(q: darnerpy.Queue) -> None:
    one = q.consumer("one")
    q.put_many(items(0, 6))
    one.get_many(2)
    held = one.reserve()
    by_name = q.consumer("by-name", copy_from="one")
    by_object = q.consumer("by-object", copy_from=one)
    as_queue = q.consumer("as-queue", copy_from=q)
    assert by_name.get_many(9) == items(2, 6)  # what is held the copy gets, too
    assert by_object.get_many(9) == items(2, 6)
    assert as_queue.get_many(9) == items(0, 6)
    held.confirm()


def test_where_it_begins_counts_only_when_it_is_new(q: darnerpy.Queue) -> None:
    q.put_many(items(0, 3))
    known = q.consumer("known", start="head")
    assert known.get() == b"0"
    assert q.consumer("known", start="tail").get() == b"1"
    assert q.consumer("known", copy_from="nobody").get() == b"2"


def test_where_it_cannot_begin_is_told(q: darnerpy.Queue, open_queue: OpenQueue) -> None:
    other = open_queue("other")
    theirs = other.consumer("theirs")
    with pytest.raises(ValueError, match="cannot both"):
        q.consumer("new", start="head", copy_from="x")
    with pytest.raises(ValueError, match="'head' or 'tail'"):
        q.consumer("new", start="middle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no consumer 'nobody'"):
        q.consumer("new", copy_from="nobody")
    with pytest.raises(ValueError, match="of another queue"):
        q.consumer("new", copy_from=theirs)
    with pytest.raises(ValueError, match="of another queue"):
        q.consumer("new", copy_from=other)
    with pytest.raises(TypeError):
        q.consumer("new", copy_from=5)  # type: ignore[arg-type]
    assert q.consumers() == []


def test_a_dropped_consumer_is_closed(q: darnerpy.Queue) -> None:
    audit = q.consumer("audit")
    again = q.consumer("audit")
    q.put_many([b"a", b"b"])
    held = audit.reserve()
    audit.drop()
    assert audit.closed
    for reader in (audit, again):
        with pytest.raises(darnerpy.ClosedError, match="audit"):
            reader.get(block=False)
    with pytest.raises(darnerpy.NotHeldError):
        held.confirm()
    assert (len(q), q.consumers()) == (2, [])
    assert q.consumer("audit").empty()


def test_flushing_a_consumer_leaves_the_others(q: darnerpy.Queue) -> None:
    audit = q.consumer("audit")
    q.put_many([b"a", b"b"])
    audit.flush()
    assert (len(audit), len(q)) == (0, 2)
    q.put(b"c")
    q.flush()
    assert (len(audit), len(q)) == (0, 0)


def test_consumers_of_the_settings_are_there_from_the_start(open_queue: OpenQueue) -> None:
    q = open_queue(consumers=["log", "index"], fanout_only=True)
    q.put(b"x")
    assert q.consumers() == ["index", "log"]
    assert (len(q), q.consumer("log").get(), q.consumer("index").get()) == (0, b"x", b"x")


def test_places_outlive_the_process(open_on_disk: OpenQueue) -> None:
    q = open_on_disk()
    readers = [q.consumer(f"reader-{n}") for n in range(200)]
    q.put_many(items(0, 10))
    for number, reader in enumerate(readers):
        reader.get_many(number % 10 + 1)
    q.close()
    with pytest.raises(darnerpy.ClosedError):
        readers[0].get()
    q = open_on_disk()
    assert len(q.consumers()) == 200
    for number in range(0, 200, 7):
        assert len(q.consumer(f"reader-{number}")) == 9 - number % 10


def test_it_is_closed_with_its_queue(tmp_path: Path) -> None:
    with darnerpy.Queue(tmp_path, engine="memory") as q:
        audit = q.consumer("audit")
        assert "'default+audit'" in repr(audit)
        assert audit.name == "default+audit"
    assert audit.closed
    with pytest.raises(darnerpy.ClosedError):
        len(audit)


def test_a_consumer_keeps_its_queue_open(tmp_path: Path) -> None:
    audit = darnerpy.Queue(tmp_path, engine="memory").consumer("audit")
    assert audit.empty()
    assert not audit.closed
    audit._queue.close()  # type: ignore[attr-defined]
