"""The table of open reads: which is the oldest, and what counts as held."""

import pytest

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
