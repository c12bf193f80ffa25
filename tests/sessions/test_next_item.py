"""A request that waits for the next item: what it is handed, and that hands that are gone hold nothing."""

import asyncio
import os
from pathlib import Path

import pytest

from darnerpy.config import QueueRule
from darnerpy.errors import (
    JournalError,
    NotAllowedError,
    PausedError,
    UnknownConsumerError,
    UnknownQueueError,
)
from darnerpy.queues.batches import PAUSED_GETS
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.leases import lease
from darnerpy.sessions.requests.waiting import Handed, next_item, readable
from darnerpy.sessions.steps import Steps
from tests.brokers.house import House, until
from tests.sessions.desk import host_of
from tests.sessions.driver import Client, drive

pytestmark = pytest.mark.asyncio


def ask(
    host: Host, client: Client, wait_ms: int = 0, consumer: bytes = b""
) -> Steps[Handed | None]:
    stored, place = yield from readable(host, b"work", consumer, wait_ms > 0)
    return (yield from next_item(host, client, stored, place, wait_ms))


async def waiting(house: House, number: int = 1) -> None:
    await until(
        lambda: b"work" in house.broker.queues and len(house.queue(b"work").own.line) == number
    )


async def test_an_item_that_is_there_is_held(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"work", b"one")
        handed = await drive(ask(host_of(house), Client()))
        assert handed is not None
        assert (handed.held.item.data, handed.handle) == (b"one", None)
        assert await drive(ask(host_of(house), Client())) is None
        await house.close(b"work", handed.held)
    async with House(tmp_path) as house:
        assert await house.drain(b"work") == []


async def test_what_is_on_disk_is_read_without_a_wait(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"work", b"one")
        await house.put_large(b"work", b"L" * 300_000)
    async with House(tmp_path) as house:
        host = host_of(house)
        first = await drive(ask(host, Client()))
        second = await drive(ask(host, Client()))
        assert first is not None
        assert second is not None
        assert second.handle is not None
        assert os.pread(second.handle, 300_000, 0) == b"L" * 300_000
        first.give_back()
        second.give_back()
        assert len(await house.drain(b"work")) == 2


async def test_who_waits_is_given_what_is_put(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        asked = asyncio.ensure_future(drive(ask(host_of(house), Client(), 60_000)))
        await waiting(house)
        await house.put(b"work", b"one")
        handed = await asked
        assert handed is not None
        assert handed.held.item.data == b"one"


async def test_a_wait_ends_and_leaves_no_queue_behind(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        assert await drive(ask(host, Client(), 1)) is None
        assert b"work" not in house.broker.queues
        with pytest.raises(UnknownQueueError):
            await drive(ask(host, Client()))
        with pytest.raises(UnknownConsumerError, match="no consumer audit of queue work"):
            await drive(ask(host, Client(), 60_000, b"audit"))
        assert b"work" not in house.broker.queues


async def test_a_queue_that_nobody_may_read_is_not_made(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        steps = lease(host, Client(), b"work", b"", 1000, 60_000)
        assert next(steps) is not None  # for the key of leases
        steps.close()
        assert b"work" not in house.broker.queues
        host.guard.set(Status.QUIESCENT)
        with pytest.raises(NotAllowedError):
            await drive(ask(host, Client(), 60_000))
        assert b"work" not in house.broker.queues


async def test_a_queue_that_others_wait_for_stays_when_a_wait_ends(tmp_path: Path) -> None:
    rules = (QueueRule(b"work", {"consumers": (b"audit",)}),)
    async with House(tmp_path, queue_rules=rules) as house:
        host = host_of(house)
        asked = asyncio.ensure_future(drive(ask(host, Client(), 60_000, b"audit")))
        await until(lambda: b"work" in house.broker.queues)
        await until(lambda: len(house.queue(b"work").consumers[b"audit"].line) == 1)
        assert await drive(ask(host, Client(), 1)) is None
        await house.put(b"work", b"one")
        handed = await asked
        assert handed is not None
        assert handed.held.item.data == b"one"


async def test_a_request_that_is_closed_takes_nothing(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        asked = asyncio.ensure_future(drive(ask(host, Client(), 60_000)))
        await waiting(house)
        asked.cancel()
        await asyncio.wait([asked])
        await house.put(b"work", b"one")
        # Here it is closed after the item was handed over, and before anybody took notice.
        for _ in range(2):
            steps = ask(host, Client(), 60_000)
            held = [await house.open(b"work")]
            until_over = next(steps)
            assert until_over is not None
            calls: list[int] = []
            until_over(lambda calls=calls: calls.append(1))  # type: ignore[misc]
            house.queue(b"work").abort(held[0], counted=False)
            assert calls == [1]
            assert len(house.queue(b"work").own.open) == 1
            steps.close()
            assert not house.queue(b"work").own.open
        assert not house.queue(b"work").own.returns
        assert await house.drain(b"work") == [b"one"]


@pytest.mark.parametrize("what", ["failed", "deleted", "dropped"])
async def test_what_was_handed_over_may_be_gone_before_anybody_takes_notice(
    tmp_path: Path, what: str
) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        stored = house.broker.queues[b"work"]
        stored.queue.consumer(b"audit")
        await house.put(b"work", b"two")
        steps = ask(host, Client(), 60_000, b"audit" if what == "dropped" else b"")
        held = [await house.open(b"work"), await house.open(b"work")]
        assert what == "dropped" or next(steps) is not None
        if what == "dropped":
            opened = stored.queue.open(stored.queue.consumers[b"audit"])
            assert opened is not None
            assert next(steps) is not None
            stored.queue.abort(opened, counted=False)
            stored.queue.drop(stored.queue.consumers[b"audit"])
        else:
            stored.queue.abort(held[0], counted=False)
        if what == "failed":
            stored._handle.fail(JournalError("the disk is on fire"))
            with pytest.raises(JournalError, match="on fire"):
                await drive(steps)
            await until(lambda: stored.ready)
            assert list(stored.queue.own.open) == [held[1].item.id]
        else:
            if what == "deleted":
                house.broker.delete(b"work")
            assert await drive(steps) is None


async def test_a_client_that_is_gone_is_passed_by(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host, gone = host_of(house), Client()
        first = asyncio.ensure_future(drive(ask(host, gone, 60_000)))
        second = asyncio.ensure_future(drive(ask(host, Client(), 60_000)))
        await waiting(house, 2)
        gone.gone = True
        await house.put(b"work", b"one")
        assert await first is None
        handed = await second
        assert handed is not None
        assert handed.held.item.data == b"one"


async def test_what_forbids_reading_forbids_it(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"work", b"one")
        host = host_of(house)
        house.queue(b"work").paused = PAUSED_GETS
        with pytest.raises(PausedError, match="work"):
            await drive(ask(host, Client(), 60_000))
        house.queue(b"work").paused = 0
        held = await house.open(b"work")
        asked = asyncio.ensure_future(drive(ask(host, Client(), 60_000)))
        await waiting(house)
        host.guard.set(Status.QUIESCENT)
        house.queue(b"work").abort(held)
        with pytest.raises(NotAllowedError):
            await asked
        with pytest.raises(NotAllowedError):
            await drive(ask(host, Client()))


async def test_a_large_item_whose_file_is_gone_stays(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put_large(b"work", b"L" * 300_000)
        stored = house.broker.queues[b"work"]
        for file in (stored.directory / "large").iterdir():
            file.unlink()
        with pytest.raises(JournalError):
            await drive(ask(host_of(house), Client()))
        assert not stored.queue.own.open
