"""What a backlog may cost: memory within its bound, and disk that comes back when it is drained."""

import os
from pathlib import Path

import pytest

from darnerpy.config import SyncPolicy
from tests.brokers.house import House, until

pytestmark = pytest.mark.asyncio

MIB = 1 << 20
NEVER = SyncPolicy(always=False)


def disk_use(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


async def rested(house: House) -> None:
    """Nothing is trimmed or compacted any more, nor will be."""
    trimmers = [stored._trimmer for stored in house.broker.queues.values()]
    await until(
        lambda: (
            house.broker.idle
            and not house.broker._store.background.busy
            and not any(trimmer._watching for trimmer in trimmers)
        )
    )


async def test_the_disk_is_given_back_when_a_backlog_is_drained(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        block = os.urandom(MIB)
        for _ in range(100):
            await house.put(b"q", *(block[n : n + 8192] for n in range(0, MIB, 8192)))
        assert disk_use(tmp_path) > 95 * MIB
        assert len(await house.drain(b"q")) == 12_800
        await rested(house)
        assert disk_use(tmp_path) < 8 * MIB
        stored = house.broker.queues[b"q"]
        assert 0 < stored.compactions <= stored.trims


async def test_a_backlog_of_small_commits_is_given_back_too(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for n in range(30_000):
            house.broker.create(b"q").queue.put(b"%d" % n, 5, 0, 0)
            house.broker.end_turn()
        queue = house.broker.queues[b"q"]
        taken = 0
        while taken < 30_000:
            item = queue.queue.take(queue.queue.own)
            if item is None:
                assert await house.take(b"q") == b"%d" % taken
            taken += 1
            house.broker.end_turn()
        await rested(house)
        assert disk_use(tmp_path) < 8 * MIB


async def test_a_queue_that_is_used_as_it_is_filled_stays_small(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        block = os.urandom(100_000)
        await house.put(b"q", b"first")
        for _ in range(1500):
            await house.put(b"q", block)
            await house.take(b"q")
        await rested(house)
        assert disk_use(tmp_path) < 48 * MIB  # of 150 that went through


async def test_large_items_are_given_back(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for n in range(10):
            await house.put_large(b"q", bytes([n]) * 2 * MIB)
        assert disk_use(tmp_path) > 20 * MIB
        assert await house.drain(b"q") == [bytes([n]) * 2 * MIB for n in range(10)]
        await rested(house)
        assert disk_use(tmp_path) < MIB


async def test_flushing_gives_the_disk_back(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for _ in range(20):
            await house.put(b"q", os.urandom(MIB))
        house.broker.queues[b"q"].queue.flush()
        await rested(house)
        await until(lambda: disk_use(tmp_path) < 2 * MIB)


async def test_a_backlog_found_at_start_is_trimmed_as_it_is_drained(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for _ in range(20):
            await house.put(b"q", os.urandom(MIB))
    async with House(tmp_path, sync=NEVER) as house:
        assert len(await house.drain(b"q")) == 20
        await rested(house)
        assert disk_use(tmp_path) < 2 * MIB


@pytest.mark.parametrize("size", [0, 100, 10_000])
async def test_the_window_is_bounded_and_order_is_kept(tmp_path: Path, size: int) -> None:
    limit = MIB // 4
    count = 4 * limit // (size + 200)
    async with House(tmp_path, sync=NEVER, window_memory=limit) as house:
        expected = {name: [b"%d" % n + b"x" * size for n in range(count)] for name in (b"a", b"b")}
        for start in range(0, count, 100):
            for name, items in expected.items():
                await house.put(name, *items[start : start + 100])
                assert house.broker.windows.used <= 2 * limit
        highest = 0
        for n in range(count):
            for name, items in expected.items():
                assert await house.take(name) == items[n]
                highest = max(highest, house.broker.windows.used)
        assert highest <= 2 * limit
        assert house.broker.windows.used == 0


async def test_held_and_returned_items_count_too(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER, window_memory=MIB) as house:
        items = [b"%d" % n + b"x" * 50_000 for n in range(100)]
        for data in items:
            await house.put(b"q", data)
        held = [await house.open(b"q") for _ in range(100)]
        for read in reversed(held):
            house.queue(b"q").abort(read)
        await house.put(b"q", b"last")  # a turn ends: the windows are settled
        assert house.broker.windows.used <= 2 * MIB
        assert await house.drain(b"q") == [*items, b"last"]
