"""One commit a turn: what is written when, by which thread, with or without a sync."""

import asyncio
import os
from pathlib import Path

import pytest

from darnerpy.config import SyncPolicy
from tests.brokers.house import House, kept, until


class ClockHand:
    """A clock that only tests move."""

    now = 1_000_000

    def now_ms(self) -> int:
        return self.now

    monotonic_ms = now_ms


pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

ALWAYS = SyncPolicy(always=True)
NEVER = SyncPolicy(always=False)


async def test_what_many_ask_in_one_turn_is_one_write(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", b"first")
        before = house.faults.calls["write"]
        await asyncio.gather(*(house.put(b"q", b"%d" % n) for n in range(100)))
        assert house.faults.calls["write"] == before + 1


async def test_the_next_batch_gathers_while_one_is_synced(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", b"first")
        house.faults.gate.clear()
        before = house.faults.calls["write"]
        puts = []
        for n in range(50):
            puts.append(asyncio.ensure_future(house.put(b"q", b"%d" % n)))
            await asyncio.sleep(0)
        await until(lambda: house.faults.calls["write"] == before + 1)
        assert not any(put.done() for put in puts)
        house.faults.gate.set()
        await asyncio.gather(*puts)
        assert house.faults.calls["write"] == before + 2
        assert await house.drain(b"q") == [b"first", *(b"%d" % n for n in range(50))]


async def test_an_item_has_the_time_of_its_own_turn_also_while_another_is_synced(
    tmp_path: Path,
) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        clock = ClockHand()
        house.broker._store.clock = clock
        await house.put(b"q", b"first")
        house.faults.gate.clear()
        puts = []
        for n in range(1, 5):
            clock.now += 1000
            puts += [asyncio.ensure_future(house.put(b"q", b"%d" % n)) for _ in range(2)]
            await asyncio.sleep(0)  # the puts
            await asyncio.sleep(0)  # the end of their turn
        house.faults.gate.set()
        await asyncio.gather(*puts)
        assert house.faults.calls["write"] == 3
        read = await house.usable(b"q")
        assert read.journal is not None
        items = read.journal.read(1, 10, 1 << 20).items
        assert [item.created - 1_000_000 for item in items] == [
            0, 1000, 1000, 2000, 2000, 3000, 3000, 4000, 4000,
        ]  # fmt: skip


async def test_an_item_is_held_since_its_own_turn(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        clock = ClockHand()
        house.broker._store.clock = clock
        await house.put(b"q", b"1", b"2", b"3")
        queue = house.queue(b"q")
        house.faults.gate.clear()
        put = asyncio.ensure_future(house.put(b"q", b"4"))
        await until(lambda: house.faults.calls["write"] == 2)
        since = []
        for _ in range(3):
            queue.consumer(b"new%d" % clock.now)  # so that there is a batch
            held = queue.open(queue.own)
            assert held is not None
            since.append(held.since - clock.now)
            house.broker.end_turn()
            clock.now += 500
        house.faults.gate.set()
        await put
        assert since == [0, 0, 0]


async def test_queues_are_written_beside_each_other(tmp_path: Path) -> None:
    names = [b"a", b"b", b"c"]
    async with House(tmp_path, sync=ALWAYS) as house:
        for name in names:
            await house.put(name, b"first")
        house.faults.gate.clear()
        before = house.faults.calls["write"]
        puts = [asyncio.ensure_future(house.put(name, b"x")) for name in names]
        await until(lambda: house.faults.calls["write"] == before + 3)
        house.faults.gate.set()
        await asyncio.gather(*puts)


async def test_always_syncs_what_is_put_and_only_writes_what_is_confirmed(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", b"x", b"y")
        assert house.faults.syncs == [True]
        await house.take(b"q")
        assert house.faults.syncs == [True, False]


@pytest.mark.parametrize("sync", [NEVER, SyncPolicy(always=False, interval_ms=3_600_000)])
async def test_otherwise_only_an_item_that_asks_for_it_is_synced(
    tmp_path: Path, sync: SyncPolicy
) -> None:
    async with House(tmp_path, sync=sync) as house:
        await house.put(b"q", b"x")
        await house.put(b"q", b"y", sync=True)
        await house.put(b"q", b"z")
        assert house.faults.syncs == [False, True, False]
        assert house.faults.calls["sync"] == 0


async def test_an_interval_syncs_once_for_all_that_was_written(tmp_path: Path) -> None:
    async with House(tmp_path, sync=SyncPolicy(always=False, interval_ms=100)) as house:
        for n in range(5):
            await house.put(b"q", b"%d" % n)
        assert house.faults.calls["sync"] == 0
        await until(lambda: house.faults.calls["sync"] == 1)
        await house.put(b"q", b"again")
        await until(lambda: house.faults.calls["sync"] == 2)


async def test_never_syncs_nothing_but_at_the_end(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"x")
        await house.take(b"q")
        assert house.faults.calls["sync"] == 0
    assert house.faults.calls["sync"] == 1
    assert not any(house.faults.syncs)


async def test_small_unsynced_batches_are_written_on_the_loop(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"x" * 1000)
        await house.take(b"q")
        assert house.faults.threads == ["MainThread"] * 2


@pytest.mark.parametrize("how", ["synced", "big", "many", "large"])
async def test_what_may_block_is_written_in_a_thread(tmp_path: Path, how: str) -> None:
    async with House(tmp_path, sync=ALWAYS if how == "synced" else NEVER) as house:
        if how == "synced":
            await house.put(b"q", b"x")
        elif how == "big":
            await house.put(b"q", b"x" * 65_537)
        elif how == "large":
            await house.put_large(b"q", b"x" * 300_000)
        else:  # LevelDB's buffer is filled by many small ones as well
            for _ in range(60):
                await house.put(b"q", b"x" * 20_000)
        assert any(name.startswith("commit") for name in house.faults.threads)


async def test_nothing_is_written_on_the_loop_while_there_is_trimming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(House, "engine", "leveldb")  # which makes writers wait meanwhile
    async with House(tmp_path, sync=NEVER) as house:
        for _ in range(10):
            await house.put(b"big", os.urandom(1 << 20))
        await house.put(b"small", b"x")
        assert house.faults.threads.pop() == "MainThread"
        await house.drain(b"big")
        store = house.broker._store
        await until(lambda: store.background.busy)
        commit = house.broker.queues[b"small"].queue.put(b"y", 1, 0, 0)
        house.broker.end_turn()
        assert not commit.ended
        await kept(commit)
        assert house.faults.threads[-1].startswith("commit")
