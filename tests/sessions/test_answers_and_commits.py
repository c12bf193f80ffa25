"""Nothing is said before it is true: answers wait for their commits, and tell when these fail."""

import asyncio
from pathlib import Path

import pytest

from darnerpy.config import SyncPolicy
from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of

pytestmark = pytest.mark.asyncio

ALWAYS = SyncPolicy(always=True)
STORED, END = b"STORED\r\n", b"END\r\n"


def hit(data: bytes, key: bytes = b"work") -> bytes:
    return b"VALUE %b 0 %d\r\n%b\r\nEND\r\n" % (key, len(data), data)


def put(*items: bytes) -> bytes:
    return b"".join(b"set work 0 0 %d\r\n%b\r\n" % (len(item), item) for item in items)


async def blocked(house: House) -> None:
    """A write has begun. One that need not be synced would hold up the loop: let it be another."""
    before = house.faults.calls["write"]
    await until(lambda: house.faults.calls["write"] > before)


async def test_a_group_is_counted_when_it_is_safe(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        text = Desk(host_of(house), text=True)
        house.faults.gate.clear()
        text.say(b"put work:\n1\n2\n")
        await blocked(house)
        text.say(b"3\n\nversion\n")
        assert text.told == b""
        house.faults.gate.set()
        await text.hears(b"+3\n:1.0.0\n")


async def test_a_report_waits_for_what_was_answered_before_it(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        desk, other = Desk(host_of(house)), Desk(host_of(house))
        house.faults.gate.clear()
        desk.say(put(b"1", b"2") + b"stats work\r\nversion\r\n")
        await blocked(house)
        assert desk.told == b""
        other.say(b"stats none\r\n")
        await other.hears(END)
        house.faults.gate.set()
        await until(lambda: desk.told.endswith(b"VERSION 1.0.0\r\n"))
        assert desk.told.startswith(STORED * 2 + b"STAT queue_work_")
        assert b"STAT queue_work_total_items 2\r\n" in desk.told


async def test_a_report_after_what_cannot_be_written(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        desk = Desk(host_of(house))
        house.faults.broken.add("write")
        desk.say(put(b"1") + b"dump_stats work\r\n")
        await until(lambda: desk.told.endswith(END))
        assert desk.told.startswith(b"SERVER_ERROR write is broken\r\n")
        house.faults.broken.clear()


async def test_a_group_that_cannot_be_written(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        text = Desk(host_of(house), text=True)
        text.say(b"put work:\n0\n\n")
        await text.hears(b"+1\n")
        house.faults.broken.add("write")
        text.say(b"put work:\n1\n")
        await until(lambda: house.broker.queues[b"work"].error is not None)
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"work"].ready)
        # The end comes when all works again: what was lost is not forgotten.
        text.say(b"2\n\nget work\n")
        await text.hears(b"-write is broken\n:0\n")


async def test_confirm_is_said_when_it_is_written(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        host = host_of(house, max_open_reads=9)
        client, other = Desk(host), Desk(host)
        client.say(put(b"1", b"2", b"3") + b"monitor work 0\r\n")
        await client.hears(STORED * 3 + hit(b"1") + hit(b"2") + hit(b"3") + END)
        house.faults.gate.clear()
        other.say(put(b"4"))
        await blocked(house)
        client.say(b"confirm work 2\r\n")
        await asyncio.sleep(0.01)
        assert client.told == b""
        house.faults.gate.set()
        await client.hears(END)
        house.faults.broken.add("write")
        client.say(b"confirm work 1\r\nget other\r\n")
        await client.hears(b"SERVER_ERROR write is broken\r\n" + END)


async def test_what_is_monitored_must_be_stored_first(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        host = host_of(house, max_open_reads=9)
        client, reader = Desk(host), Desk(host)
        client.say(put(b"0") + b"get work\r\n")
        await client.hears(STORED + hit(b"0"))
        reader.say(b"monitor work 60 2\r\nversion\r\n")
        house.faults.gate.clear()
        client.say(put(b"1"))
        await blocked(house)
        assert reader.told == b""
        house.faults.gate.set()
        await reader.hears(hit(b"1"))
        client.say(put(b"2"))
        await reader.hears(hit(b"2") + END + b"VERSION 1.0.0\r\n")


@pytest.mark.parametrize("items", [1, 40])
async def test_a_monitor_ends_when_an_item_is_lost(tmp_path: Path, items: int) -> None:
    """What was refused is not given; what was given stays with whoever has it."""
    async with House(tmp_path, sync=ALWAYS) as house:
        host = host_of(house, max_open_reads=99)
        client, reader = Desk(host), Desk(host)
        client.say(put(b"kept"))
        await client.hears(STORED)
        reader.say(b"monitor work 60\r\nversion\r\n")
        await reader.hears(hit(b"kept"))
        house.faults.broken.add("write")
        client.say(put(*[b"lost"] * items))
        refused = b"SERVER_ERROR write is broken\r\n"
        await client.hears(refused * items)
        await reader.hears(refused + b"VERSION 1.0.0\r\n")
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"work"].ready)
        reader.say(b"confirm work 2\r\nconfirm work 1\r\n")
        await reader.hears(b"ERROR\r\n" + END)


async def test_what_text_closes_must_be_written_before_it_goes_on(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        host = host_of(house)
        text, other = Desk(host, text=True), Desk(host)
        text.say(b"put work:\n1\n2\n3\n\nget work\n")
        await text.hears(b"+3\n:1\n")
        house.faults.gate.clear()
        other.say(put(b"4"))
        await blocked(house)
        text.say(b"get work\n")
        await asyncio.sleep(0.01)
        assert text.told == b""
        house.faults.gate.set()
        await text.hears(b":2\n")
        house.faults.broken.add("write")
        text.say(b"monitor work 0\nversion\n")
        await text.hears(b"-write is broken\n:1.0.0\n")
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"work"].ready)
        text.say(b"get work\n")
        await text.hears(b":2\n")


async def test_a_monitor_ends_when_what_it_closed_is_not_written(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        text = Desk(host_of(house), text=True)
        text.say(b"put work:\n1\n\nget work\n")
        await text.hears(b"+1\n:1\n")
        house.faults.broken.add("write")
        text.say(b"monitor work 0\nversion\n")
        await text.hears(b"-write is broken\n:1.0.0\n")


async def test_a_monitor_does_not_go_on_after_a_failure(tmp_path: Path) -> None:
    """Also if it was held up until all worked again."""
    async with House(tmp_path, sync=ALWAYS) as house:
        host = host_of(house, max_open_reads=9)
        client, reader = Desk(host), Desk(host)
        client.say(put(b"1") + b"get work\r\n")
        await client.hears(STORED + hit(b"1"))
        reader.say(b"monitor work 60\r\nversion\r\n")
        reader.session.stall(True)
        house.faults.broken.add("write")
        client.say(put(b"lost"))
        refused = b"SERVER_ERROR write is broken\r\n"
        await client.hears(refused)
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"work"].ready)
        client.say(put(b"2"))
        await client.hears(STORED)
        reader.session.stall(False)
        await reader.hears(refused + b"VERSION 1.0.0\r\n")


async def test_a_monitor_makes_no_more_than_can_be_sent(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        host = host_of(house, max_open_reads=999)
        client, reader = Desk(host), Desk(host)
        items = [b"%d" % number * 10_000 for number in range(1000, 1100)]
        house.faults.gate.clear()
        client.say(put(*items))
        reader.say(b"monitor work 60 100\r\n")
        await blocked(house)
        for _ in range(100):
            await asyncio.sleep(0)
        opened = len(house.broker.queues[b"work"].queue.own.open)
        assert 0 < opened * 40_000 < host.output_limit + 50_000
        house.faults.gate.set()
        await client.hears(STORED * 100)
        await reader.hears(b"".join(map(hit, items)) + END)
