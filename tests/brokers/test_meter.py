"""What a meter says of a broker: an observation a turn, and none where there is no meter."""

import asyncio
from pathlib import Path

import pytest

from darnerpy.brokers.local import LocalBroker
from darnerpy.brokers.meter import Histogram, Meter
from darnerpy.brokers.samples import sample_of
from darnerpy.config import SyncPolicy
from tests.brokers.house import House, kept, until

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

ALWAYS = SyncPolicy(always=True)
NEVER = SyncPolicy(always=False)


class ClockHand:
    """A clock that only tests move."""

    now = 1_000_000

    def now_ms(self) -> int:
        return self.now

    monotonic_ms = now_ms


def metered(broker: LocalBroker, clock: ClockHand) -> Meter:
    meter = Meter(broker, clock)
    meter.start()
    return meter


async def test_a_histogram_counts_up_to_and_including_its_bounds() -> None:
    histogram = Histogram((10, 100))
    for microseconds in (0, 10, 11, 100, 101):
        histogram.add(microseconds)
    histogram.add(50, 7)
    assert histogram.counts == [2, 2 + 7, 1]
    assert histogram.sum == 0 + 10 + 11 + 100 + 101 + 7 * 50


async def test_one_observation_a_turn_however_many_queues_and_commands(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"a", b"first")
        await house.put(b"b", b"first")
        meter = metered(house.broker, ClockHand())
        await asyncio.gather(*(house.put(name, b"x") for name in (b"a", b"b") for _ in range(20)))
        assert sum(meter.command.counts) == 1
        assert sum(meter.commit.counts) == 1
        assert 0 < meter.commit.sum <= meter.command.sum
        await house.put(b"a", b"x")
        assert sum(meter.command.counts) == 2


async def test_of_many_turns_some_are_measured_and_stand_for_all(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"first")
        meter = metered(house.broker, ClockHand())
        for _ in range(800):
            await house.put(b"q", b"x")
        assert sum(meter.command.counts) == 800
        meter.pace()
        for _ in range(800):
            await house.put(b"q", b"x")
        assert sum(meter.command.counts) == 1600
        meter.pace()
        meter.pace()
        await house.put(b"q", b"x")
        assert sum(meter.command.counts) == 1601


async def test_a_command_lasts_until_its_sync_is_done(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", b"first")
        meter = metered(house.broker, ClockHand())
        house.faults.gate.clear()
        before = house.faults.calls["write"]
        put = asyncio.ensure_future(house.put(b"q", b"second"))
        await until(lambda: house.faults.calls["write"] == before + 1)
        await asyncio.sleep(0.02)
        assert sum(meter.command.counts) == 0
        house.faults.gate.set()
        await put
        assert sum(meter.command.counts) == 1
        assert sum(meter.commit.counts) == 1
        assert meter.command.sum >= meter.commit.sum >= 20_000


async def test_one_item_stands_for_all_that_a_turn_confirms(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        clock = ClockHand()
        await house.put(b"q", *(b"%d" % n for n in range(5)))
        queue = house.queue(b"q")
        created = queue.own.window[0].created
        clock.now = created + 7_000
        meter = metered(house.broker, clock)
        for _ in range(5):
            assert queue.take(queue.own) is not None
        batch = queue.batch
        assert batch is not None
        await kept(batch)
        assert sum(meter.queue_time.counts) == 5
        assert meter.queue_time.sum == 5 * 7_000_000
        assert meter.queue_time.counts[meter.queue_time.bounds.index(10_000_000)] == 5


async def test_what_gathers_behind_a_write_is_not_counted_twice(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", *(b"%d" % n for n in range(9)))
        queue, meter = house.queue(b"q"), metered(house.broker, ClockHand())
        house.faults.gate.clear()
        first = asyncio.ensure_future(house.put(b"q", b"behind it"))
        for turn in range(3):
            await asyncio.sleep(0)
            for _ in range(3):
                assert queue.take(queue.own) is not None
            if turn < 2:
                house.broker.end_turn()
        batch = queue.batch
        house.faults.gate.set()
        await first
        if batch is not None:
            await kept(batch)
        assert sum(meter.queue_time.counts) <= 9


async def test_a_sample_has_what_happened_and_no_total_of_it_falls(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", *(b"%d" % n for n in range(6)))
        queue = house.queue(b"q")
        own, now = queue.own, queue.own.window[0].created + 3
        assert await house.take(b"q") == b"0"
        held = await house.open(b"q")
        other = await house.open(b"q")
        sample = sample_of(queue, own, now)
        assert (sample.age, sample.items, sample.bytes, sample.open_reads) == (3, 3, 3, 2)
        assert (sample.puts, sample.gets, sample.confirmed, sample.returned) == (6, 3, 1, 0)
        await house.close(b"q", held)
        batch = queue.abort(other)
        assert batch is not None
        await kept(batch)
        sample = sample_of(queue, own, now)
        assert (sample.puts, sample.gets, sample.confirmed, sample.returned) == (6, 3, 2, 1)
        await kept(queue.flush())
        sample = sample_of(queue, own, now)
        assert (sample.items, sample.age, sample.flushed) == (0, 0, 4)
        assert (sample.puts, sample.gets, sample.confirmed, sample.returned) == (6, 3, 2, 1)
