"""When a journal fails: replies fail, what was acknowledged stays, later it works again."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import SyncPolicy
from darnerpy.errors import JournalError
from darnerpy.queues.batches import Batch
from tests.brokers.house import House, Wait, kept, until

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

ALWAYS = SyncPolicy(always=True)
NEVER = SyncPolicy(always=False)
BOTH = pytest.mark.parametrize("sync", [ALWAYS, NEVER], ids=["always", "never"])


async def mended(house: House, name: bytes = b"q") -> None:
    """Nothing is broken any more: wait until the queue has noticed."""
    house.faults.broken.clear()
    house.faults.half_broken.clear()
    await until(lambda: house.broker.queues[name].ready)


@BOTH
@pytest.mark.parametrize("how", ["broken", "half_broken"])
async def test_a_failed_put_is_refused_and_the_acknowledged_stay(
    tmp_path: Path, sync: SyncPolicy, how: str
) -> None:
    async with House(tmp_path, sync=sync) as house:
        await house.put(b"q", b"1", b"2")
        getattr(house.faults, how).add("write")
        with pytest.raises(JournalError, match="write is"):
            await house.put(b"q", b"refused")
        await mended(house)
        await house.put(b"q", b"3")
        left = await house.drain(b"q")
        assert [data for data in left if data != b"refused"] == [b"1", b"2", b"3"]
        assert how == "half_broken" or b"refused" not in left


@BOTH
@pytest.mark.parametrize("how", ["broken", "half_broken"])
async def test_a_failed_take_is_taken_back(tmp_path: Path, sync: SyncPolicy, how: str) -> None:
    async with House(tmp_path, sync=sync) as house:
        await house.put(b"q", b"1", b"2", b"3")
        assert await house.take(b"q") == b"1"
        getattr(house.faults, how).add("write")
        with pytest.raises(JournalError):
            await house.take(b"q")
        await mended(house)
        assert await house.drain(b"q") == [b"2", b"3"]
    async with House(tmp_path) as house:
        assert await house.drain(b"q") == []


@pytest.mark.parametrize("how", ["broken", "half_broken"])
async def test_open_reads_survive_and_can_be_closed_or_aborted(tmp_path: Path, how: str) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1", b"2", b"3", b"4")
        first, second, third = [await house.open(b"q") for _ in range(3)]
        getattr(house.faults, how).add("write")
        with pytest.raises(JournalError):
            await house.close(b"q", second)
        await mended(house)
        await house.close(b"q", first)
        house.queue(b"q").abort(third)
        assert await house.drain(b"q") == [b"2", b"3", b"4"]


async def test_an_open_read_whose_answer_was_not_sent_is_gone(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", b"1")
        house.faults.gate.clear()
        house.faults.broken.add("write")
        put = asyncio.ensure_future(house.put(b"q", b"2"))
        await asyncio.sleep(0)
        queue = house.broker.queues[b"q"].queue
        answered = queue.open(queue.own)
        pending = queue.open(queue.own)
        assert answered is not None
        assert pending is not None
        house.faults.gate.set()
        with pytest.raises(JournalError):
            await put
        assert (answered.gone, pending.gone) == (False, True)
        await mended(house)
        await house.close(b"q", answered)
        assert await house.drain(b"q") == []


async def test_all_that_depends_on_a_failed_batch_fails(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put(b"q", b"1")
        house.faults.gate.clear()
        house.faults.broken.add("write")
        first = asyncio.ensure_future(house.put(b"q", b"2"))
        await asyncio.sleep(0.001)
        later = [asyncio.ensure_future(house.put(b"q", b"3")) for _ in range(3)]
        await asyncio.sleep(0.001)
        house.faults.gate.set()
        results = await asyncio.gather(first, *later, return_exceptions=True)
        assert all(isinstance(result, JournalError) for result in results)
        await mended(house)
        assert await house.drain(b"q") == [b"1"]


async def test_a_flush_that_failed_has_not_been(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1", b"2", b"3")
        held = await house.open(b"q")
        house.faults.broken.add("write")
        commit = house.broker.queues[b"q"].queue.flush()
        await until(lambda: commit.ended)
        assert commit.error is not None
        await mended(house)
        house.queue(b"q").abort(held)
        assert await house.drain(b"q") == [b"1", b"2", b"3"]


async def test_waiters_are_told(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1")
        await house.take(b"q")
        house.faults.broken.add("write")
        queue = house.broker.queues[b"q"].queue
        waits = [Wait(blocking=True) for _ in range(3)]
        for wait in waits[1:]:
            queue.own.line.join(wait)
        with pytest.raises(JournalError):
            await house.put(b"q", b"x")
        await until(lambda: waits[2].got.done())
        with pytest.raises(JournalError):
            waits[2].got.result()


async def test_it_is_opened_again_and_again_with_pauses(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1")
        house.faults.broken |= {"write", "open"}
        with pytest.raises(JournalError):
            await house.put(b"q", b"2")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        opened = house.faults.calls["open"]
        with pytest.raises(JournalError):
            await house.put(b"q", b"refused meanwhile")
        await until(lambda: house.faults.calls["open"] == opened + 3)
        assert 0.6 < loop.time() - begin < 2  # 0.1 + 0.2 + 0.4
        await mended(house)
        await house.put(b"q", b"3")
        assert await house.drain(b"q") == [b"1", b"3"]


@pytest.mark.parametrize("call", ["open", "recover", "read", "size"])
async def test_a_queue_that_cannot_be_opened_or_read_is_refused_and_comes_back(
    tmp_path: Path, call: str
) -> None:
    async with House(tmp_path) as house:
        await house.put(b"q", b"1", b"2", b"3")
    async with House(tmp_path) as house:
        house.faults.broken.add(call)
        with pytest.raises(JournalError):
            await house.take(b"q")
        await mended(house)
        assert await house.drain(b"q") == [b"1", b"2", b"3"]


@pytest.mark.parametrize("call", ["sync", "close", "trim", "compact", "size"])
async def test_what_fails_in_the_background_loses_nothing(tmp_path: Path, call: str) -> None:
    sync = SyncPolicy(always=False, interval_ms=1)
    async with House(tmp_path, sync=sync) as house:
        await house.put(b"q", *(b"x" * 1000 for _ in range(12_000)))
        await house.put(b"q", b"last")
        house.faults.broken.add(call)
        stored = house.broker.queues[b"q"]
        for _ in range(12_000):
            item = None
            while item is None and stored.error is None:
                item = stored.queue.take(stored.queue.own)
                if item is None:
                    stored.load(stored.queue.own)
                    await asyncio.sleep(0.0005)
            if stored.error is not None:
                break
        await asyncio.sleep(0.05)  # what is owed has begun
        await until(lambda: stored.idle or stored.error is not None)
        house.faults.broken.clear()
        await until(lambda: stored.ready)
        assert (await house.drain(b"q"))[-1] == b"last"


async def test_the_log_tells_queue_and_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1")
        house.faults.broken.add("write")
        with caplog.at_level(logging.INFO, "darnerpy"), pytest.raises(JournalError):
            await house.put(b"q", b"2")
        await mended(house)
    failed, works = caplog.records[0], caplog.records[-1]
    assert (failed.getMessage(), failed.queue) == ("journal failed: write is broken", b"q")  # type: ignore[attr-defined]
    assert works.getMessage() == "journal works again"


async def test_a_sync_that_was_owed_and_fails_as_the_journal_is_closed(tmp_path: Path) -> None:
    async with House(tmp_path, sync=SyncPolicy(always=False, interval_ms=3_600_000)) as house:
        await house.put(b"q", b"1")
        stored = house.broker.queues[b"q"]
        house.faults.broken.add("sync")
        stored._handle.shut()  # as for another one
        await until(lambda: stored.idle)
        assert stored.error is not None
        await mended(house)
        await house.put(b"q", b"2")
        assert await house.drain(b"q") == [b"1", b"2"]


async def test_whatever_goes_wrong_with_one_queue_the_others_of_the_turn_are_written(
    tmp_path: Path,
) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for name in (b"q", b"other"):
            await house.put(name, b"1")
        journal: Any = house.broker.queues[b"q"].journal

        def fail(batch: Batch, sync: bool) -> None:
            raise ValueError("nobody thought of this")

        journal.write = fail
        broken, whole = (house.queue(name).put(b"2", 1, 0, 0) for name in (b"q", b"other"))
        with pytest.raises(JournalError, match="nobody thought"):
            await kept(broken)
        await kept(whole)
        await mended(house)
        await house.put(b"q", b"3")
        assert await house.drain(b"q") == [b"1", b"3"]


@pytest.mark.parametrize("how", ["broken", "half_broken"])
async def test_files_of_large_items_that_were_refused_do_not_stay(tmp_path: Path, how: str) -> None:
    large = tmp_path / "queues/q/large"
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put_large(b"q", b"a" * 300_000)
        stored = house.broker.queues[b"q"]
        upload = stored.begin_upload()  # goes on whatever happens meanwhile
        upload.write([b"b" * 100_000])
        for _ in range(3):
            getattr(house.faults, how).add("write")
            refused = stored.begin_upload()
            refused.write([b"refused" * 50_000])
            refused.finish(True)
            stored.end_upload()
            commit = stored.queue.put(None, 350_000, 0, 0, large=refused.number)
            del refused  # nobody has it in hand any more
            with pytest.raises(JournalError, match="write is"):
                await kept(commit)
            await mended(house)
        recorded = stored.queue.next_id - 1
        assert len(list(large.glob("*.item"))) == recorded
        assert list(large.glob("*.part")) == [upload.path]
        upload.write([b"b" * 200_000])
        upload.finish(True)
        stored.end_upload()
        await kept(stored.queue.put(None, 300_000, 0, 0, large=upload.number))
        left = await house.drain(b"q")
        assert (left[0], left[-1]) == (b"a" * 300_000, b"b" * 300_000)
