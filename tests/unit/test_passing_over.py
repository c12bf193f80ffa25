"""Waiters that cannot be reached are passed over, keep their places, and stand in nobody's way."""

from collections.abc import Callable

import pytest

from darnerpy.queues.queue import Queue
from darnerpy.queues.upkeep import upkeep
from darnerpy.queues.windows import Windows
from tests.unit.clients import AMPLE, Client, hold, put, take, take_all
from tests.unit.keeper import Disk, Keeper, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def queue(clock: ManualClock) -> Queue:
    return Keeper(Disk(), clock, Windows(AMPLE)).queue


def wait_for(queue: Queue, *clients: Client) -> None:
    for client in clients:
        queue.own.line.join(client)
    queue.serve(queue.own)


def later(queue: Queue, clock: ManualClock, ms: int = 1000) -> None:
    clock.now += ms
    upkeep(queue, clock.monotonic_ms())


def test_the_item_goes_to_the_next_who_can_be_reached(queue: Queue) -> None:
    lost, live = Client(in_reach=False), Client()
    wait_for(queue, lost, live)
    put(queue, b"a")
    assert (lost.got, live.got) == ([], [b"a"])
    assert queue.own.line.snapshot() == [lost]
    assert not lost.errors, "it is told nothing and waits on"


@pytest.mark.parametrize(("opens", "peeks"), [(False, False), (True, False), (False, True)])
def test_whatever_it_waits_for(queue: Queue, opens: bool, peeks: bool) -> None:
    lost, live = Client(in_reach=False, open=opens, peek=peeks), Client()
    wait_for(queue, lost, live)
    put(queue, b"a")
    assert (lost.got, live.got) == ([], [b"a"])


def test_with_nobody_else_in_line_a_newcomer_gets_the_item_at_once(queue: Queue) -> None:
    lost = Client(in_reach=False)
    wait_for(queue, lost)
    put(queue, b"a", b"b", b"c")
    assert lost.got == []
    assert take(queue) == b"a"
    hold(queue)
    newcomer = Client()
    wait_for(queue, newcomer)
    assert newcomer.got == [b"c"]
    assert queue.own.line.snapshot() == [lost]


def test_who_can_be_reached_again_has_its_old_place(queue: Queue, clock: ManualClock) -> None:
    first, second, third, fourth = (Client(in_reach=number % 2 == 1) for number in range(4))
    wait_for(queue, first, second, third, fourth)
    put(queue, b"a", b"b")
    assert (second.got, fourth.got) == ([b"a"], [b"b"])
    fifth = Client()
    wait_for(queue, fifth)
    assert queue.own.line.snapshot() == [first, third, fifth]
    first.in_reach = third.in_reach = True
    later(queue, clock)
    put(queue, b"c", b"d", b"e")
    assert (first.got, third.got, fifth.got) == ([b"c"], [b"d"], [b"e"])


def test_it_gets_what_waits_for_it_once_it_can_be_reached(queue: Queue, clock: ManualClock) -> None:
    alarms: list[int] = []
    queue.on_alarm = alarms.append
    lost = Client(in_reach=False)
    wait_for(queue, lost)
    put(queue, b"a")
    assert clock.now < min(alarms) <= clock.now + 1000
    alarms.clear()
    later(queue, clock)
    assert lost.got == []
    assert alarms, "it is asked again and again"
    lost.in_reach = True
    later(queue, clock)
    assert lost.got == [b"a"]
    alarms.clear()
    later(queue, clock)
    assert not alarms


@pytest.mark.parametrize("jump", [-900_000, 900_000])
def test_the_clock_may_be_set_meanwhile(queue: Queue, clock: ManualClock, jump: int) -> None:
    lost = Client(in_reach=False)
    wait_for(queue, lost)
    put(queue, b"a")
    lost.in_reach = True
    clock.set(jump)
    later(queue, clock, 0)
    later(queue, clock)
    assert lost.got == [b"a"]


def leave(queue: Queue, client: Client) -> None:
    queue.own.line.leave(client)


def die(queue: Queue, client: Client) -> None:
    client.present, client.in_reach = False, True


@pytest.mark.parametrize("go", [leave, die])
def test_who_dies_or_leaves_takes_nothing_with_it(
    queue: Queue, clock: ManualClock, go: Callable[[Queue, Client], None]
) -> None:
    lost = Client(in_reach=False)
    wait_for(queue, lost)
    put(queue, b"a")
    go(queue, lost)
    later(queue, clock)
    assert not queue.own.line
    assert (lost.got, take_all(queue)) == ([], [b"a"])


def test_who_has_waited_long_enough_is_told_when_nothing_is_left(queue: Queue) -> None:
    lost, other = Client(in_reach=False), Client(in_reach=False)
    wait_for(queue, lost, other)
    put(queue, b"a")
    queue.own.line.stop_blocking(lost)
    queue.serve(queue.own)
    assert lost.errors == [], "there is an item, so it is not told that there is none"
    assert take(queue) == b"a"
    queue.serve(queue.own)
    assert (lost.errors, other.errors) == ([None], [])
    assert queue.own.line.snapshot() == [other]
    assert queue.own.line.nonblocking == 0


def test_behind_very_many_someone_is_reached_step_by_step(queue: Queue, clock: ManualClock) -> None:
    lost, live = [Client(in_reach=False) for _ in range(1000)], Client()
    wait_for(queue, *lost, live)
    alarms: list[int] = []
    queue.on_alarm = alarms.append
    put(queue, b"a")
    steps = 0
    while 0 in alarms:
        alarms.clear()
        later(queue, clock, 1)
        steps += 1
    assert steps > 1
    assert live.got == [b"a"]
    assert queue.own.line.snapshot() == lost


def test_when_the_queue_goes_all_are_told(queue: Queue) -> None:
    lost, live = Client(in_reach=False), Client(in_reach=False)
    wait_for(queue, lost, live)
    put(queue, b"a")
    queue.dissolve(None)
    assert (lost.errors, live.errors) == ([None], [None])
