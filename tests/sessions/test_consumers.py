"""Consumers that are made, listed and dropped, and queues that are deleted, by requests."""

from pathlib import Path

import pytest

from darnerpy.config import QueueRule
from darnerpy.errors import (
    ClientError,
    ConflictError,
    JournalError,
    NotAllowedError,
    UnknownConsumerError,
    UnknownQueueError,
)
from darnerpy.sessions.acts import Act
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.consumers import (
    consumer,
    consumers,
    drop_consumer,
    make_consumer,
)
from darnerpy.sessions.requests.deletes import delete_queue
from tests.brokers.conftest import every_engine
from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of
from tests.sessions.driver import drive

__all__ = ["every_engine"]

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

WORK = b"work"


async def waiting(host: Host) -> dict[bytes, object]:
    return {name: stats["items"] for name, stats in await drive(consumers(host, WORK))}


async def test_where_a_new_one_begins(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(WORK, b"1", b"2", b"3")
        assert await house.take(WORK) == b"1"
        assert (await drive(make_consumer(host, "me", WORK, b"tail"))).new
        assert (await drive(make_consumer(host, "me", WORK, b"head", "head"))).new
        await house.put(WORK, b"4")
        assert (await drive(make_consumer(host, "me", WORK, b"copy", copy_from=b"tail"))).new
        assert await waiting(host) == {b"copy": 1, b"head": 3, b"tail": 1}
        desk = Desk(host)
        desk.say(b"get work+head\r\n")
        await desk.hears(b"VALUE work+head 0 1\r\n2\r\nEND\r\n")
        assert (await drive(consumer(host, WORK, b"head")))["items"] == 2
    async with House(tmp_path) as house:
        await house.usable(WORK)
        assert await waiting(host_of(house)) == {b"copy": 1, b"head": 2, b"tail": 1}


async def test_one_that_is_there_already(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(WORK, b"1")
        assert (await drive(make_consumer(host, "me", WORK, b"a", "head"))).new
        assert not (await drive(make_consumer(host, "me", WORK, b"a", "head"))).new
        assert not (await drive(make_consumer(host, "me", WORK, b"a"))).new
        with pytest.raises(ConflictError, match="a of queue work already, made with start head"):
            await drive(make_consumer(host, "me", WORK, b"a", "tail"))
        assert (await drive(make_consumer(host, "me", WORK, b"b", copy_from=b"a"))).new
        assert not (await drive(make_consumer(host, "me", WORK, b"b", copy_from=b"a"))).new
        assert not (await drive(make_consumer(host, "me", WORK, b"b", "head", b"a"))).new
        with pytest.raises(ConflictError, match="made with copy_from a"):
            await drive(make_consumer(host, "me", WORK, b"b", "head"))
        desk = Desk(host)
        desk.say(b"get work+c\r\n")
        await desk.hears(b"END\r\n")
        with pytest.raises(ConflictError, match="made with start tail"):
            await drive(make_consumer(host, "me", WORK, b"c", "head"))
    async with House(tmp_path) as house:
        host = host_of(house)
        for start in "head", "tail":
            assert not (await drive(make_consumer(host, "me", WORK, b"a", start))).new


async def test_one_that_cannot_be_written_is_not_there(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(WORK, b"1")
        house.faults.broken.add("write")
        with pytest.raises(JournalError):
            await drive(make_consumer(host, "me", WORK, b"a"))
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[WORK].ready)
        assert await waiting(host) == {}


async def test_it_makes_the_queue(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        assert (await drive(make_consumer(host, "me", WORK, b"a"))).new
        await house.put(WORK, b"1")
        assert await waiting(host) == {b"a": 1}
        with pytest.raises(ClientError, match="copy_from: there is no consumer x of queue new"):
            await drive(make_consumer(host, "me", b"new", b"a", copy_from=b"x"))
        assert b"new" not in house.broker.queues


async def test_one_less(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(WORK, b"1")
        await drive(make_consumer(host, "me", WORK, b"a", "head"))
        reader, waiter = Desk(host), Desk(host)
        reader.say(b"get work+a/open\r\n")
        await reader.hears(b"VALUE work+a/open 0 1\r\n1\r\nEND\r\n")
        waiter.say(b"get work+a/t=60000\r\n")
        await drive(drop_consumer(host, "me", WORK, b"a"))
        await waiter.hears(b"END\r\n")
        reader.say(b"get work+a/close\r\n")
        await reader.hears(b"END\r\n")
        with pytest.raises(UnknownConsumerError):
            await drive(drop_consumer(host, "me", WORK, b"a"))
    async with House(tmp_path) as house:
        await house.usable(WORK)
        assert await waiting(host_of(house)) == {}


async def test_a_queue_is_deleted(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(WORK, b"1")
        waiter = Desk(host)
        waiter.say(b"get work+a/t=60000\r\n")
        await drive(delete_queue(host, "me", WORK))
        await waiter.hears(b"END\r\n")
        assert WORK not in house.broker.queues
        assert not (tmp_path / "queues" / "work").exists()
        with pytest.raises(UnknownQueueError):
            await drive(delete_queue(host, "me", WORK))


async def test_who_may_and_who_is_told(tmp_path: Path) -> None:
    rules = (QueueRule(WORK, {}),)
    async with House(tmp_path, queue_rules=rules, aliases={b"all": ((WORK, b""),)}) as house:
        host = host_of(house)
        told: list[Act] = []
        host.acts.watchers.append(told.append)
        await house.put(WORK, b"1")
        for steps in (
            consumers(host, b"all"),
            make_consumer(host, "me", b"all", b"a"),
            drop_consumer(host, "me", b"all", b"a"),
            delete_queue(host, "me", b"all"),
        ):
            with pytest.raises(ClientError, match="all is an alias"):
                await drive(steps)
        for wrong in b"", b"a+b", b"a/b", b"a b":
            with pytest.raises(ClientError):
                await drive(make_consumer(host, "me", WORK, wrong))
        with pytest.raises(ClientError, match='start: expected "tail" or "head"'):
            await drive(make_consumer(host, "me", WORK, b"a", "middle"))
        for unknown in (
            consumer(host, WORK, b"x"),
            drop_consumer(host, "me", WORK, b"x"),
        ):
            with pytest.raises(UnknownConsumerError):
                await drive(unknown)
        host.guard.set(Status.READONLY)
        for refused in (
            make_consumer(host, "me", WORK, b"a"),
            drop_consumer(host, "me", WORK, b"a"),
            delete_queue(host, "me", WORK),
        ):
            with pytest.raises(NotAllowedError):
                await drive(refused)
        assert told == []
        host.guard.set(Status.UP)
        await drive(make_consumer(host, "me", WORK, b"a"))
        await drive(make_consumer(host, "me", WORK, b"a"))
        await drive(drop_consumer(host, "me", WORK, b"a"))
        await drive(delete_queue(host, "me", WORK))
        desk = Desk(host)
        desk.say(b"set work 0 0 1\r\n1\r\nflush work\r\ndelete work\r\n")
        await desk.hears(b"STORED\r\nEND\r\nDELETED\r\n")
        assert [(act.act, act.queue, act.who, act.more) for act in told] == [
            ("make", b"work+a", "me", {"start": "tail"}),
            ("drop", b"work+a", "me", {}),
            ("delete", WORK, "me", {}),
            ("flush", WORK, "desk", {}),
            ("delete", WORK, "desk", {}),
        ]
