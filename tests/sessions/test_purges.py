"""Throwing away what waits: exactly what was meant goes, wherever it stands, and stays gone."""

from pathlib import Path

import pytest

from darnerpy.config import QueueRule, SyncPolicy
from darnerpy.errors import (
    ClientError,
    NotAllowedError,
    UnknownConsumerError,
    UnknownQueueError,
)
from darnerpy.queues.batches import PAUSED_GETS
from darnerpy.queues.events import DISCARD, FLUSH, Events
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.pauses import pause
from darnerpy.sessions.requests.purges import purge
from tests.brokers.conftest import every_engine
from tests.brokers.house import House, kept, until
from tests.sessions.desk import host_of
from tests.sessions.driver import drive

__all__ = ["every_engine"]

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

WORK = b"work"
MANY = 3000


def numbers(first: int, stop: int, length: int = 60) -> list[bytes]:
    return [b"%d" % number * length for number in range(first, stop)]


@pytest.mark.parametrize("reopened", [False, True])
async def test_the_first_ones_go(tmp_path: Path, reopened: bool) -> None:
    async with House(tmp_path, window_memory=100_000) as house:
        await house.put(WORK, *numbers(0, MANY))
        if not reopened:
            assert await drive(purge(host_of(house), "me", WORK, first=2500)) == 2500
    async with House(tmp_path, window_memory=100_000) as house:
        if reopened:
            assert await drive(purge(host_of(house), "me", WORK, first=2500)) == 2500
        own = (await house.usable(WORK)).queue.own
        assert own.counters.purged == (2500 if reopened else 0)
        await house.put(WORK, b"later")
        assert await house.drain(WORK) == [*numbers(2500, MANY), b"later"]
        assert await drive(purge(host_of(house), "me", WORK, first=5)) == 0


async def test_what_is_held_stays_and_all_else_goes_in_order(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, 6), *numbers(6, 9, 100_000), *numbers(9, 12))
        await house.put_large(WORK, b"L" * 300_000)
        await house.put(WORK, b"last")
        queue = house.queue(WORK)
        held = [await house.open(WORK) for _ in range(4)]
        queue.abort(held[3], counted=False)
        queue.abort(held[1])
        assert await drive(purge(host_of(house), "me", WORK, first=11)) == 11
        assert queue.count(queue.own) == 1
        queue.abort(held[0])
        await house.close(WORK, held[2])
        assert await house.drain(WORK) == [*numbers(0, 1), b"last"]
        files = tmp_path / "queues" / "work" / "large"
        assert queue.own.counters.purged == 11
        assert files.exists()
    async with House(tmp_path) as house:
        assert await house.drain(WORK) == []


async def test_what_is_delayed_goes_too(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        queue = (await house.usable(WORK)).queue
        due = house.broker._store.clock.now_ms() + 3_600_000
        for body in (b"1", b"2", b"3"):
            await kept(queue.put(body, 1, 0, 0, due=due if body != b"2" else 0))
        assert await drive(purge(host_of(house), "me", WORK, first=1)) == 1
        assert (queue.count(queue.own), queue.own.unavailable, len(queue.delays)) == (2, 1, 1)
        assert await house.drain(WORK) == [b"2"]
        assert await drive(purge(host_of(house), "me", WORK, first=9)) == 1
        assert len(queue.delays) == 0


async def test_the_old_ones_go_wherever_they_are(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        queue = (await house.usable(WORK)).queue
        now = house.broker._store.clock.now_ms()
        for body, age in ((b"1", 0), (b"2", 5000), (b"3", 0), (b"4", 9000), (b"5", 7000)):
            commit = queue.put(body, 1, 0, 0)
            queue.unwritten[-1].items[-1].created = now - age * 1000
        await kept(commit)
    async with House(tmp_path) as house:
        host = host_of(house)
        assert await drive(purge(host, "me", WORK, older_than_ms=6_000_000)) == 2
        assert await drive(purge(host, "me", WORK, first=1, older_than_ms=3_600_000)) == 1
        assert await drive(purge(host, "me", WORK, older_than_ms=3_600_000)) == 0
        assert await house.drain(WORK) == [b"1", b"3"]


async def test_of_one_consumer(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        queue = (await house.usable(WORK)).queue
        audit = queue.consumer(b"audit")
        await house.put(WORK, *numbers(0, 10))
        host = host_of(house)
        assert await drive(purge(host, "me", WORK, b"audit", first=4)) == 4
        assert (queue.count(queue.own), queue.count(audit)) == (10, 6)
        assert await drive(purge(host, "me", WORK, b"audit", everything=True)) == 6
        assert (queue.count(queue.own), queue.count(audit)) == (10, 0)
        await house.put(WORK, *numbers(0, 1))
        assert await drive(purge(host, "me", WORK, everything=True)) == 11
        assert (queue.count(queue.own), queue.count(audit)) == (0, 0)


async def test_of_a_paused_queue(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, 10))
        await drive(pause(host_of(house), "me", WORK, PAUSED_GETS))
        assert await drive(purge(host_of(house), "me", WORK, first=4)) == 4
        assert house.queue(WORK).count(house.queue(WORK).own) == 6


async def test_what_leaves_by_itself_is_left_to_that(tmp_path: Path) -> None:
    rules = QueueRule(WORK, {"expire_to": b"late"}), QueueRule(b"late", {})
    async with House(tmp_path, queue_rules=rules) as house:
        work = await house.usable(WORK)
        await house.put(WORK, b"1")
        await kept(work.queue.put(b"tardy", 5, 0, 1))
        await house.put(WORK, b"2")
        assert await drive(purge(host_of(house), "me", WORK, first=2)) == 2
        await until(lambda: work.queue.own.counters.expired == 1)
        assert await house.drain(b"late") == [b"tardy"]


@pytest.mark.parametrize("always", [True, False])
async def test_it_is_on_disk_before_it_is_said(tmp_path: Path, always: bool) -> None:
    async with House(tmp_path, sync=SyncPolicy(always=always)) as house:
        await house.put(WORK, b"1", b"2")
        house.faults.gate.clear()
        steps = purge(host_of(house), "me", WORK, first=1)
        house.faults.gate.set()
        assert await drive(steps) == 1
        assert house.faults.syncs[-1] == always


async def test_who_observes_is_told_of_each(tmp_path: Path) -> None:
    rules = (QueueRule(WORK, {"tap": True}),)
    async with House(tmp_path, queue_rules=rules) as house:
        await house.put(WORK, *numbers(0, 5))
        told: list[tuple[int, int]] = []

        def tell(events: list[Events]) -> None:
            for each in events:
                kinds = [each.sorts[row][0] for row in each.of]
                told.extend(zip(kinds, each.ids, strict=True))

        house.broker.observe(tell)
        await drive(purge(host_of(house), "me", WORK, first=3))
        await drive(purge(host_of(house), "me", WORK, everything=True))
        await until(lambda: len(told) == 4)
        assert told == [(DISCARD, 1), (DISCARD, 2), (DISCARD, 3), (FLUSH, 2)]


async def test_a_purge_that_is_broken_off(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, MANY))
        steps = purge(host_of(house), "me", WORK, first=MANY)
        queue = house.queue(WORK)
        while queue.own.counters.purged == 0:
            until_then = next(steps)
            if until_then is not None:
                done: list[bool] = []
                until_then(lambda done=done: done.append(True))  # type: ignore[misc]
                await until(lambda done=done: bool(done))  # type: ignore[misc]
        steps.close()
        gone = queue.own.counters.purged
        assert 0 < gone < MANY
        assert await house.drain(WORK) == numbers(gone, MANY)


async def test_what_is_asked_wrongly(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        with pytest.raises(UnknownQueueError):
            await drive(purge(host, "me", WORK, first=1))
        await house.put(WORK, b"1")
        with pytest.raises(UnknownConsumerError, match="no consumer audit of queue work"):
            await drive(purge(host, "me", WORK, b"audit", first=1))
        with pytest.raises(ClientError, match="expected first or older_than, or both, or else all"):
            await drive(purge(host, "me", WORK))
        with pytest.raises(ClientError, match="first: expected a whole number, at least 1, not 0"):
            await drive(purge(host, "me", WORK, first=0))
        host.guard.set(Status.READONLY)
        with pytest.raises(NotAllowedError):
            await drive(purge(host, "me", WORK, everything=True))
        assert await house.take(WORK) == b"1"
