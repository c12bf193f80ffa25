"""A queue that is paused: what its clients are told, what goes on all the same, and that it lasts."""

import asyncio
from pathlib import Path

import pytest

from darnerpy.config import QueueRule, SyncPolicy
from darnerpy.errors import (
    ClientError,
    JournalError,
    NotAllowedError,
    PausedError,
    UnknownQueueError,
)
from darnerpy.queues.batches import PAUSED_GETS, PAUSED_PUTS
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.pauses import pause, resume
from tests.brokers.conftest import every_engine
from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of
from tests.sessions.driver import drive

__all__ = ["every_engine"]

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

BOTH = PAUSED_PUTS | PAUSED_GETS
END, STORED, PAUSED = b"END\r\n", b"STORED\r\n", b"SERVER_ERROR paused\r\n"
WORK = b"work"


def put(*bodies: bytes) -> bytes:
    return b"".join(b"set work 0 0 %d\r\n%b\r\n" % (len(body), body) for body in bodies)


def hit(body: bytes, key: bytes = WORK) -> bytes:
    return b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(body), body)


async def test_paused_puts_are_refused_and_gets_go_on(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        desk = Desk(host)
        desk.say(put(b"1"))
        await desk.hears(STORED)
        assert await drive(pause(host, "me", WORK, PAUSED_PUTS)) == PAUSED_PUTS
        desk.say(put(b"2") + b"set work 0 0 1 noreply\r\n3\r\nget work\r\nget work\r\n")
        await desk.hears(PAUSED + hit(b"1") + END)
        assert await drive(resume(host, "me", WORK, BOTH)) == 0
        desk.say(put(b"4") + b"get work\r\n")
        await desk.hears(STORED + hit(b"4"))


async def test_a_large_item_is_refused_before_and_after_it_came(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        desk = Desk(host)
        desk.say(put(b"1"))
        await desk.hears(STORED)
        large = b"x" * 300_000
        desk.say(b"set work 0 0 300000\r\n" + large[:1000])
        await drive(pause(host, "me", WORK, PAUSED_PUTS))
        desk.say(large[1000:] + b"\r\n")
        await desk.hears(PAUSED)
        desk.say(put(large))
        await desk.hears(PAUSED)
        files = tmp_path / "queues" / "work" / "large"
        await until(lambda: not (files.exists() and any(files.iterdir())))


async def test_paused_gets_find_nothing(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        desk = Desk(host)
        desk.say(put(b"1", b"2") + b"get work+audit\r\n" + put(b"3"))
        await desk.hears(STORED * 2 + END + STORED)
        await drive(pause(host, "me", WORK, PAUSED_GETS))
        for ask in (
            b"get work",
            b"get work/open",
            b"get work/peek",
            b"get work/peek/offset=1",
            b"get work+audit",
            b"gets work",
            b"get work/t=1",
            b"get work other",
        ):
            desk.say(ask + b"\r\n")
            await desk.hears(END)
        desk.say(b"monitor work 0\r\n" + put(b"4"))
        await desk.hears(END + STORED)
        await drive(resume(host, "me", WORK, PAUSED_GETS))
        desk.say(b"get work\r\n" * 4 + b"get work+audit\r\n")
        values = b"".join(map(hit, (b"1", b"2", b"3", b"4")))
        await desk.hears(values + hit(b"3", b"work+audit"))


async def test_who_waits_stays_in_line_and_is_served_on_resume(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        first, second, other, named = Desk(host), Desk(host), Desk(host), Desk(host)
        other.say(put(b"0") + b"get work\r\n")
        await other.hears(STORED + hit(b"0"))
        named.say(b"get work+audit/t=60000\r\n")
        first.say(b"get work/t=60000\r\n")
        await drive(pause(host, "me", WORK, PAUSED_GETS))
        second.say(b"get work/open/t=60000\r\n")
        other.say(put(b"1", b"2"))
        await other.hears(STORED * 2)
        assert [len(each.line) for each in house.queue(WORK).consumers.values()] == [2, 1]
        await drive(resume(host, "me", WORK, PAUSED_GETS))
        await first.hears(hit(b"1", b"work/t=60000"))
        await second.hears(hit(b"2", b"work/open/t=60000"))
        await named.hears(hit(b"1", b"work+audit/t=60000"))


async def test_who_waits_while_all_is_on_disk(tmp_path: Path) -> None:
    """Nothing is read for nobody, again and again; then it is."""
    async with House(tmp_path) as house:
        await house.put(WORK, *(b"%d" % n * 100 for n in range(3000)))
        await drive(pause(host_of(house), "me", WORK, PAUSED_GETS))
    async with House(tmp_path, window_memory=1) as house:
        host = host_of(house)
        desk = Desk(host)
        await house.usable(WORK)
        desk.say(b"get work/t=60000\r\n")
        await until(lambda: bool(house.queue(WORK).own.line))
        await house.put(WORK, b"last")
        await asyncio.sleep(0.05)
        reads = house.faults.calls["read"]
        await asyncio.sleep(0.2)
        assert house.faults.calls["read"] - reads < 5
        await drive(resume(host, "me", WORK, PAUSED_GETS))
        await desk.hears(hit(b"0" * 100, b"work/t=60000"))


async def test_what_is_held_may_be_confirmed_and_returned(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        one, two = Desk(host), Desk(host)
        one.say(put(b"1", b"2") + b"get work/open\r\n")
        await one.hears(STORED * 2 + hit(b"1", b"work/open"))
        two.say(b"get work/open\r\n")
        await two.hears(hit(b"2", b"work/open"))
        await drive(pause(host, "me", WORK, BOTH))
        one.say(b"get work/close\r\n")
        two.say(b"get work/abort\r\n")
        await one.hears(END)
        await two.hears(END)
        two.say(b"get work\r\n")
        await two.hears(END)
        await drive(resume(host, "me", WORK, BOTH))
        two.say(b"get work\r\n")
        await two.hears(hit(b"2"))


async def test_what_expires_leaves_all_the_same(tmp_path: Path) -> None:
    rules = QueueRule(b"work", {"expire_to": b"late"}), QueueRule(b"late", {})
    async with House(tmp_path, queue_rules=rules) as house:
        host = host_of(house)
        desk = Desk(host)
        desk.say(put(b"1", b"2"))
        await desk.hears(STORED * 2)
        desk.say(b"set work 0 -1 1\r\nx\r\n")
        await desk.hears(STORED)
        await drive(pause(host, "me", WORK, PAUSED_GETS))
        assert house.queue(WORK).own.counters.expired == 0
        await drive(resume(host, "me", WORK, PAUSED_GETS))
        desk.say(b"get work\r\nget work\r\n")
        await desk.hears(hit(b"1") + hit(b"2"))
        await drive(pause(host, "me", WORK, PAUSED_GETS))
        await until(lambda: house.queue(WORK).own.counters.expired == 1)
        await until(lambda: b"late" in house.broker.queues and house.queue(b"late").written == 2)


async def test_a_dead_letter_waits_until_its_queue_takes_items_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darnerpy.queues.delivery.RETRY_MS", 20)
    rules = (QueueRule(b"work", {"max_attempts": 1, "dead_letter": b"failed"}),)
    async with House(tmp_path, queue_rules=rules) as house:
        host = host_of(house)
        await house.put(b"failed", b"first")
        await drive(pause(host, "me", b"failed", PAUSED_PUTS))
        await house.put(WORK, b"poison")
        house.queue(WORK).abort(await house.open(WORK))
        await asyncio.sleep(0.1)
        assert house.queue(WORK).count(house.queue(WORK).own) == 1
        await drive(resume(host, "me", b"failed", PAUSED_PUTS))
        await until(lambda: house.queue(WORK).own.counters.dead == 1)
        assert await house.drain(b"failed") == [b"first", b"poison"]


@pytest.mark.parametrize("always", [True, False])
async def test_it_outlives_a_restart_and_idleness(tmp_path: Path, always: bool) -> None:
    sync = SyncPolicy(always=always)
    async with House(tmp_path, sync=sync) as house:
        await house.put(WORK, b"1")
        await drive(pause(host_of(house), "me", WORK, PAUSED_PUTS))
        assert house.faults.syncs[-1] == always, "a power cut does not take it back"
    async with House(tmp_path, sync=sync) as house:
        assert (await house.usable(WORK)).queue.paused == PAUSED_PUTS
        with pytest.raises(PausedError):
            await house.put(WORK, b"2")
        assert await house.take(WORK) == b"1"
        await drive(pause(host_of(house), "me", WORK, PAUSED_GETS))
        await drive(resume(host_of(house), "me", WORK, PAUSED_PUTS))
    async with House(tmp_path) as house:
        assert (await house.usable(WORK)).queue.paused == PAUSED_GETS
        await house.delete(WORK)
        await house.put(WORK, b"3")
        assert await house.take(WORK) == b"3"


@pytest.mark.parametrize("landed", [False, True])
async def test_a_pause_that_cannot_be_written_is_none(tmp_path: Path, landed: bool) -> None:
    """Unless it is on disk all the same."""
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(WORK, b"1")
        (house.faults.half_broken if landed else house.faults.broken).add("write")
        with pytest.raises(JournalError):
            await drive(pause(host, "me", WORK, BOTH))
        house.faults.broken.clear()
        house.faults.half_broken.clear()
        await until(lambda: house.broker.queues[WORK].ready)
        assert house.queue(WORK).paused == (BOTH if landed else 0)
        await drive(resume(host, "me", WORK, BOTH))
        assert await house.take(WORK) == b"1"
    async with House(tmp_path) as house:
        assert (await house.usable(WORK)).queue.paused == 0


async def test_an_empty_queue_that_is_paused_is_not_too_old(tmp_path: Path) -> None:
    rules = (QueueRule(b"work", {"max_queue_age": 30}),)
    async with House(tmp_path, queue_rules=rules) as house:
        host = host_of(house)
        await house.put(WORK, b"1")
        await drive(pause(host, "me", WORK, PAUSED_PUTS))
        assert await house.take(WORK) == b"1"
        await asyncio.sleep(0.2)
        assert WORK in house.broker.queues
        await drive(resume(host, "me", WORK, PAUSED_PUTS))
        await until(lambda: WORK not in house.broker.queues)


async def test_who_may_and_what_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with House(tmp_path, aliases={b"all": ((b"work", b""), (b"work", b"a"))}) as house:
        host = host_of(house)
        told: list[str] = []
        host.acts.watchers.append(lambda act: told.append(f"{act.act} {act.more} by {act.who}"))
        with pytest.raises(UnknownQueueError, match="no queue work"):
            await drive(pause(host, "me", WORK, BOTH))
        with pytest.raises(ClientError, match=r"all is an alias.* work, work\+a"):
            await drive(pause(host, "me", b"all", BOTH))
        await house.put(WORK, b"1")
        host.guard.set(Status.READONLY)
        with pytest.raises(NotAllowedError):
            await drive(pause(host, "me", WORK, BOTH))
        host.guard.set(Status.UP)
        assert told == []
        await drive(pause(host, "me", WORK, PAUSED_GETS))
        await drive(pause(host, "me", WORK, PAUSED_PUTS))
        await drive(resume(host, "me", WORK, BOTH))
        assert told == [
            "pause {'what': 'gets'} by me",
            "pause {'what': 'puts'} by me",
            "resume {'what': 'puts and gets'} by me",
        ]
