"""The table of open reads: which is the oldest, and what counts as held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.config import QueueSettings
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows
from darnerpy.sessions.held import Held
from tests.unit.keeper import ManualClock


@pytest.fixture
def queue() -> Queue:
    def settings(consumer: bytes) -> QueueSettings:
        return QueueSettings()

    queue = Queue(b"work", ManualClock(), Windows(1 << 20), lambda: None, settings)
    for number in range(1, 6):
        queue.put(b"%d" % number, 1, 0, 0)
    return queue


def hold(held: Held, queue: Queue, number: int) -> list[OpenRead]:
    opened = [queue.open(queue.own) for _ in range(number)]
    for each in opened:
        assert each is not None
        held.add(queue, queue.own, each)
    return [each for each in opened if each is not None]


def open_ids(queue: Queue) -> list[int]:
    return sorted(queue.own.open)


def test_the_oldest_first(queue: Queue) -> None:
    held = Held()
    hold(held, queue, 4)
    assert held.close(queue.own) is not None
    held.abort(queue.own)
    assert open_ids(queue) == [3, 4]
    assert held.close(queue.own, 4) is not None
    assert open_ids(queue) == [3]
    assert held.close(queue.own, 4) is None
    held.abort(queue.own, 3)
    assert open_ids(queue) == []
    assert not held.any


def test_what_came_back_and_was_opened_again_is_the_newest(queue: Queue) -> None:
    held = Held()
    first, _ = hold(held, queue, 2)
    queue.abort(first)  # its time was up
    hold(held, queue, 1)
    assert open_ids(queue) == [1, 2]
    held.close(queue.own)
    assert open_ids(queue) == [1]


def test_what_is_gone_does_not_count(queue: Queue) -> None:
    held = Held()
    first, second, _ = hold(held, queue, 3)
    assert held.are(queue.own, 3)
    queue.abort(first)
    assert (held.are(queue.own, 2), held.are(queue.own, 3)) == (True, False)
    assert (held.has(queue.own, 1), held.has(queue.own, 2)) == (False, True)
    held.close(queue.own)
    assert open_ids(queue) == [3]
    assert second.gone
    queue.drop(queue.consumer(b"other"))
    queue.dissolve(None)
    assert not held.any
    assert held.close(queue.own) is None


def test_so_many_of_them(queue: Queue) -> None:
    held = Held()
    hold(held, queue, 5)
    assert held.close_oldest(queue.own, 2) is not None
    assert open_ids(queue) == [3, 4, 5]
    assert held.close_oldest(queue.own) is not None
    assert open_ids(queue) == []
    assert held.close_oldest(queue.own) is None


def test_all_go_back(queue: Queue) -> None:
    held = Held()
    hold(held, queue, 3)
    held.return_all(counted=True)
    assert not held.any
    taken = [queue.take(queue.own) for _ in range(5)]
    assert [item.id for item in taken if item is not None] == [1, 2, 3, 4, 5]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "close", "by id", "abort", "lose"]),
        st.booleans(),
        st.integers(0, 4),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_is_a_list_for_each_consumer_without_those_that_are_gone(
    steps: list[tuple[str, bool, int]],
) -> None:
    of = Queue(b"work", ManualClock(), Windows(1 << 20), lambda: None)
    held, consumers = Held(), [of.own, of.consumer(b"named")]
    lists: list[list[OpenRead]] = [[], []]
    for number in range(20):
        of.put(b"%d" % number, 2, 0, 0)
    for what, which, place in steps:
        consumer, mine = consumers[which], lists[which]
        if what == "open":
            read = of.open(consumer)
            if read is not None:
                held.add(of, consumer, read)
                mine.append(read)
        elif what == "close" and mine:
            assert held.close(consumer) is not None
            assert mine.pop(0).gone
        elif what == "by id" and place < len(mine):
            gone = mine.pop(place)
            assert held.close(consumer, gone.item.id) is not None
            assert gone.gone
            assert held.close(consumer, gone.item.id) is None
        elif what == "abort" and place < len(mine):
            gone = mine.pop(place)
            assert held.abort(consumer, gone.item.id) is not None
            assert gone.gone
        elif what == "lose" and place < len(mine):
            assert of.abort(mine.pop(place)) is not None  # so that it may be opened again
        for each, listed in zip(consumers, lists, strict=True):
            ids = [read.item.id for read in listed]
            assert held.ids(each) == ids
            assert [held.are(each, count) for count in range(1, 6)] == [
                len(ids) >= count for count in range(1, 6)
            ]
            assert all(held.has(each, item_id) == (item_id in ids) for item_id in range(60))
        assert held.any == any(lists)
    held.return_all(counted=False)
    assert not held.any
    assert not any(consumer.open for consumer in consumers)
