"""Somebody sets the wall clock: what lasts a while in this process does not notice, what is stored does."""

from collections.abc import Callable
from typing import Any

import pytest

from darnerpy.brokers.clockwatch import ClockWatch
from darnerpy.config import QueueSettings
from darnerpy.queues.upkeep import clock_was_set
from darnerpy.queues.windows import Windows
from tests.unit.keeper import Disk, Keeper, ManualClock, SettingsBook

HOUR = 3_600_000
AMPLE = 1 << 20


def keeper_of(**settings: Any) -> Keeper:
    book = SettingsBook({b"": QueueSettings(**settings)})
    clock = ManualClock()
    clock.now += 10 * HOUR
    return Keeper(Disk(), clock, Windows(AMPLE), settings=book)


def put(keeper: Keeper, data: bytes, expiry: int = 0) -> None:
    keeper.queue.put(data, len(data), 0, expiry)
    keeper.settle()


def again(keeper: Keeper) -> Keeper:
    """After a restart."""
    keeper.commit()
    fresh = Keeper(keeper.disk, keeper.clock, Windows(AMPLE), settings=keeper.settings)
    fresh.start_read(9)
    fresh.settle()
    return fresh


def is_there(keeper: Keeper) -> bool:
    item = keeper.queue.peek(keeper.queue.own)
    keeper.settle()
    return item is not None


def set_clock(keeper: Keeper, by: int, noticed: bool) -> None:
    keeper.clock.set(by)
    if noticed:
        clock_was_set(keeper.queue)
    keeper.settle()


SETS = pytest.mark.parametrize("by", [-HOUR, HOUR])
NOTICED = pytest.mark.parametrize("noticed", [False, True])


@SETS
@NOTICED
def test_an_open_read_lasts_as_long_as_it_should(by: int, noticed: bool) -> None:
    keeper = keeper_of(open_timeout=3_000)
    put(keeper, b"1")
    assert keeper.queue.open(keeper.queue.own) is not None
    set_clock(keeper, by, noticed)
    keeper.wait(2_999)
    assert not is_there(keeper)
    set_clock(keeper, -by, noticed)
    keeper.wait(1)
    assert is_there(keeper)


@SETS
@NOTICED
def test_a_retry_waits_as_long_as_it_should(by: int, noticed: bool) -> None:
    keeper = keeper_of(retry_delay=3_000)
    put(keeper, b"1")
    set_clock(keeper, by, noticed)
    held = keeper.queue.open(keeper.queue.own)
    assert held is not None
    keeper.queue.abort(held)
    keeper.settle()
    set_clock(keeper, -by, noticed)
    keeper.wait(2_999)
    assert not is_there(keeper)
    keeper.wait(1)
    assert is_there(keeper)


def delayed_before_a_restart(**settings: Any) -> Keeper:
    keeper = keeper_of(retry_delay=3_000, **settings)
    put(keeper, b"1")
    held = keeper.queue.open(keeper.queue.own)
    assert held is not None
    keeper.queue.abort(held)
    keeper.settle()
    return again(keeper)


def test_after_a_restart_a_retry_waits_for_its_wall_time() -> None:
    keeper = delayed_before_a_restart()
    assert not is_there(keeper)
    keeper.wait(2_999)
    assert not is_there(keeper)
    keeper.wait(1)
    assert is_there(keeper)


def test_after_a_restart_a_retry_is_looked_at_again() -> None:
    keeper = delayed_before_a_restart()
    assert not is_there(keeper)
    set_clock(keeper, -HOUR, noticed=True)
    keeper.wait(3_000)
    assert not is_there(keeper)
    set_clock(keeper, HOUR, noticed=True)
    assert is_there(keeper)


@NOTICED
def test_what_expires_follows_the_wall_clock(noticed: bool) -> None:
    keeper = keeper_of()
    put(keeper, b"1", expiry=keeper.clock.now + HOUR)
    set_clock(keeper, HOUR, noticed)
    keeper.wait(1_000)
    assert keeper.queue.own.counters.expired == 1


@NOTICED
def test_what_expires_lives_longer_if_the_clock_goes_back(noticed: bool) -> None:
    keeper = keeper_of()
    put(keeper, b"1", expiry=keeper.clock.now + 5_000)
    set_clock(keeper, -HOUR, noticed)
    keeper.wait(10_000)
    assert is_there(keeper)
    keeper.wait(HOUR)
    assert not is_there(keeper)


@SETS
def test_a_consumer_is_not_idle_for_that(by: int) -> None:
    keeper = keeper_of(max_idle=60_000)
    keeper.queue.consumer(b"audit")
    put(keeper, b"1")
    keeper.wait(10_000)
    set_clock(keeper, by, noticed=True)
    keeper.wait(10_000)
    assert not keeper.queue.consumers[b"audit"].idle
    set_clock(keeper, -by, noticed=True)
    keeper.wait(60_000)
    assert keeper.queue.consumers[b"audit"].idle


class Ticks:
    """A scheduler whose timers ring when they are told to."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> "Ticks":
        self.timers.append((delay, callback))
        return self

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        raise AssertionError("it has time")

    call_soon_threadsafe = call_soon

    def cancel(self) -> None:
        self.timers.clear()

    def ring(self) -> None:
        [(delay, callback)] = self.timers
        assert delay <= 1.0
        self.timers.clear()
        callback()


def test_a_clock_that_is_set_is_noticed_either_way() -> None:
    clock, ticks, told = ManualClock(), Ticks(), list[int]()
    watch = ClockWatch(clock, ticks, lambda: told.append(clock.now))
    watch.start()
    for by, expected in [(0, 0), (50, 0), (-50, 0), (101, 1), (0, 1), (-HOUR, 2), (HOUR, 3)]:
        clock.now += 1_000
        clock.set(by)
        ticks.ring()
        assert len(told) == expected, by
    for _ in range(100):  # one that runs too fast is not set
        clock.set(90)
        ticks.ring()
    assert len(told) == 3
    watch.stop()
    assert not ticks.timers
