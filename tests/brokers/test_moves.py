"""Items that go from one queue to another: nothing is lost on the way, whatever fails."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from darnerpy.brokers.stored import StoredQueue
from darnerpy.clock import SystemClock
from darnerpy.config import QueueRule
from darnerpy.errors import JournalError
from darnerpy.queues.batches import Batch
from darnerpy.queues.items import DEAD, EXPIRED, Item
from darnerpy.queues.queue import Queue
from tests.brokers.house import PATIENCE, Faults, House, kept, until

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]


def rules(**tables: dict[str, Any]) -> dict[str, Any]:
    """Settings of queues, by name."""
    return {"queue_rules": tuple(QueueRule(n.encode(), t) for n, t in tables.items())}


DEAD_LETTERS = rules(work={"max_attempts": 2, "dead_letter": b"failed"})
EXPIRES = rules(work={"expire_to": b"late"})


def reading(stored: StoredQueue) -> list[Item]:
    return list(stored.queue.own.window)


async def fail_twice(house: House) -> None:
    for _ in range(2):
        held = await house.open(b"work")
        house.queue(b"work").abort(held)


async def test_the_last_attempt_leads_to_the_dead_letters(tmp_path: Path) -> None:
    async with House(tmp_path, **DEAD_LETTERS) as house:
        await house.put(b"work", b"poison", b"good")
        await fail_twice(house)
        failed = await house.usable(b"failed")
        await until(lambda: bool(failed.queue.received))
        assert [item.data for item in reading(failed)] == [b"poison"]
        origin = reading(failed)[0].origin
        assert origin is not None
        assert (origin.queue, origin.consumer, origin.id, origin.why) == (b"work", b"", 1, DEAD)
        assert await house.drain(b"work") == [b"good"]
        await until(lambda: house.broker.queues[b"work"].queue.own.counters.dead == 1)


async def test_attempts_survive_a_restart(tmp_path: Path) -> None:
    async with House(tmp_path, **DEAD_LETTERS) as house:
        await house.put(b"work", b"poison")
        held = await house.open(b"work")
        house.queue(b"work").abort(held)
    async with House(tmp_path, **DEAD_LETTERS) as house:
        held = await house.open(b"work")
        house.queue(b"work").abort(held)
        assert await house.take(b"work") is None
        failed = await house.usable(b"failed")
        await until(lambda: bool(failed.queue.received))
        assert await house.drain(b"failed") == [b"poison"]


@pytest.mark.parametrize("size", [10, 300_000])
async def test_what_expires_is_moved(tmp_path: Path, size: int) -> None:
    data = b"x" * size
    async with House(tmp_path, **EXPIRES) as house:
        work = await house.usable(b"work")
        late = await house.usable(b"late")
        if size > 1000:
            upload = work.begin_upload()
            upload.write([data])
            upload.finish(True)
            work.end_upload()
            await kept(work.queue.put(None, size, 5, 1, large=upload.number))
        else:
            await kept(work.queue.put(data, size, 5, 1))
        await until(lambda: late.queue.received == {EXPIRED: 1})
        await until(lambda: work.queue.own.counters.expired == 1)
        (item,) = reading(late)
        assert (item.flags, item.expiry) == (5, 0)
    async with House(tmp_path, **EXPIRES) as house:
        assert await house.drain(b"work") == []
        assert await house.drain(b"late") == [data]


async def test_a_large_item_leaves_nothing_where_it_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darnerpy.queues.delivery.RETRY_MS", 10)
    settings = rules(work={"expire_to": b"late", "max_age": 1}, late={"max_items": 1})
    async with House(tmp_path, **settings) as house:
        await house.put(b"late", b"in the way")
        await house.put_large(b"work", b"x" * 300_000)
        await asyncio.sleep(1.3)
        assert len(list((tmp_path / "queues" / "late").rglob("*.part"))) <= 1
        assert await house.take(b"late") == b"in the way"
        await until(lambda: house.broker.queues[b"work"].queue.own.counters.expired == 1)
        assert await house.drain(b"late") == [b"x" * 300_000]


async def test_a_full_target_takes_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darnerpy.queues.delivery.RETRY_MS", 30)
    settings = rules(work={"expire_to": b"late"}, late={"max_items": 1})
    async with House(tmp_path, **settings) as house:
        await house.put(b"late", b"in the way")
        work = await house.usable(b"work")
        await kept(work.queue.put(b"tardy", 5, 0, 1))
        await asyncio.sleep(0.1)
        assert work.queue.count(work.queue.own) == 1
        assert await house.take(b"work") is None
        assert await house.take(b"late") == b"in the way"
        await until(lambda: work.queue.own.counters.expired == 1)
        assert await house.drain(b"late") == [b"tardy"]
        assert work.queue.count(work.queue.own) == 0


@pytest.mark.parametrize("landed", [False, True])
async def test_a_target_that_fails_takes_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    monkeypatch.setattr("darnerpy.queues.delivery.RETRY_MS", 30)
    faults = Faults()
    async with House(tmp_path, faults, **EXPIRES) as house:
        work = await house.usable(b"work")
        late = await house.usable(b"late")
        await kept(work.queue.put(b"tardy", 5, 0, SystemClock().now_ms() + 100))
        (faults.half_broken if landed else faults.broken).add("write")
        await until(lambda: late.error is not None)
        assert work.queue.count(work.queue.own) == 1
        faults.half_broken.clear()
        faults.broken.clear()
        await until(lambda: work.queue.own.counters.expired == 1)
        await house.usable(b"late")
    async with House(tmp_path, **EXPIRES) as house:
        assert await house.drain(b"work") == []
        assert set(await house.drain(b"late")) == {b"tardy"}


async def test_a_repeated_move_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies when the target has the item and the source does not know yet."""
    async with House(tmp_path, **EXPIRES) as house:
        work = await house.usable(b"work")
        monkeypatch.setattr(Queue, "left", lambda queue, departure, arrived: None)
        await kept(work.queue.put(b"tardy", 5, 0, 1))
        late = await house.usable(b"late")
        await until(lambda: late.queue.written == 2)
    monkeypatch.undo()
    async with House(tmp_path, **EXPIRES) as house:
        work = await house.usable(b"work")
        await until(lambda: work.queue.own.counters.expired == 1)
        assert work.queue.count(work.queue.own) == 0
        assert await house.drain(b"late") == [b"tardy"]


async def test_drop_counts_what_it_drops(tmp_path: Path) -> None:
    settings = rules(work={"max_attempts": 2, "dead_letter": b"drop"})
    async with House(tmp_path, **settings) as house:
        await house.put(b"work", b"poison")
        await fail_twice(house)
        work = house.broker.queues[b"work"]
        assert await house.take(b"work") is None
        assert work.queue.own.counters.dropped == 1
        assert list(house.broker.queues) == [b"work"]


async def test_an_empty_queue_goes_when_it_is_old(tmp_path: Path) -> None:
    settings = rules(**{"*": {"max_queue_age": 50}})
    async with House(tmp_path, **settings) as house:
        await house.put(b"work", b"1")
        await asyncio.sleep(0.2)
        assert b"work" in house.broker.queues
        assert await house.take(b"work") == b"1"
        await until(lambda: b"work" not in house.broker.queues)
        assert house.broker.retired == 1


@pytest.mark.parametrize("data", [b"poison", b"P" * 300_000], ids=["small", "large"])
@pytest.mark.parametrize("arrives", [True, False])
async def test_a_source_that_fails_while_the_target_writes_moves_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, arrives: bool
) -> None:
    monkeypatch.setattr("darnerpy.queues.delivery.RETRY_MS", 30)
    settings = rules(work={"max_attempts": 1, "dead_letter": b"failed"})
    async with House(tmp_path, **settings) as house:
        await house.put(b"failed", b"first")
        if len(data) > 100_000:
            await house.put_large(b"work", data)
        else:
            await house.put(b"work", data)
        work, failed = await house.usable(b"work"), await house.usable(b"failed")
        journal: Any = failed.journal
        gate, write = threading.Event(), journal.write

        def slowly(batch: Batch, sync: bool) -> None:
            assert gate.wait(PATIENCE)
            if not arrives:
                raise JournalError("it does not arrive")
            write(batch, sync)

        journal.write = slowly
        house.queue(b"work").abort(await house.open(b"work"))
        await until(lambda: failed.queue.next_id > 2)
        work._handle.fail(JournalError("the source fails"))
        await until(lambda: work.ready and bool(work.queue.own.leaving))
        gate.set()
        await until(lambda: failed.ready and work.queue.own.counters.dead == 1)
        assert await house.drain(b"work") == []
        assert await house.drain(b"failed") == [b"first", data]
