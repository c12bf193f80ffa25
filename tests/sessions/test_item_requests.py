"""Items that requests put, take and look at: all of it or nothing, also for who breaks off."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import QueueRule, SyncPolicy
from darnerpy.errors import (
    ItemTooLargeError,
    JournalError,
    OutOfDiskError,
    QueueFullError,
    ServerError,
    UnknownQueueError,
)
from darnerpy.sessions.contract import Host
from darnerpy.sessions.requests import looks, puts, takes
from darnerpy.sessions.requests.given import Given
from darnerpy.sessions.requests.puts import New, Traits
from tests.brokers.house import House, until
from tests.sessions.desk import Desk, host_of
from tests.sessions.driver import Client, drive

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

NEVER = SyncPolicy(always=False)


class Body:
    """A body of which pieces come when the test says so."""

    inline = 256 * 1024

    def __init__(self, *pieces: bytes, size: int | None = None, whole: bool = True) -> None:
        self.size = size
        self._pieces = list(pieces)
        self._whole = whole
        self._then: Callable[[], None] | None = None

    @property
    def ended(self) -> bool:
        return self._whole and not self._pieces

    @property
    def awaited(self) -> bool:
        return self._then is not None

    def take(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def more(self, then: Callable[[], None]) -> None:
        if self._pieces or self._whole:
            then()
        else:
            self._then = then

    def come(self, piece: bytes, whole: bool = False) -> None:
        self._whole = whole
        self._pieces += [piece] if piece else []
        then, self._then = self._then, None
        if then is not None:
            then()


def put(host: Host, name: bytes, body: Body, **traits: int) -> Any:
    return drive(puts.put(host, name, body, Traits(**traits)))


def take(host: Host, name: bytes, most: int = 1, client: Client | None = None) -> Any:
    return drive(takes.take(host, client or Client(), name, b"", most))


def said(given: list[Given]) -> list[bytes | None]:
    for each in given:
        if each.handle is not None:
            os.close(each.handle)
    return [each.item.data for each in given]


def files(house: House) -> list[Path]:
    # Directories may go while they are looked at, which `walk` does not mind.
    found = os.walk(house.directory)
    return [Path(at, name) for at, _, names in found if Path(at).name == "large" for name in names]


# --- taking


async def test_who_breaks_off_while_it_is_committed_gives_all_back(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"q", b"1", b"2", b"3")
        await house.put_large(b"q", bytes(300_000))
        house.faults.gate.clear()
        taking = asyncio.create_task(take(host, b"q", 4))
        queue = house.queue(b"q")
        queue.put(b"5", 1, 0, 0)  # in the same turn: it is synced, in a thread
        await until(lambda: queue.count(queue.own) == 1 and not queue.own.open)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        house.faults.gate.set()
        again = await take(host, b"q", 9)
        assert [each.attempts for each in again] == [0] * 5
        assert said(again) == [b"1", b"2", b"3", None, b"5"]


async def test_who_is_gone_when_it_is_committed_has_taken_nothing(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        host, client = host_of(house), Client()
        await house.put(b"q", b"1", b"2")
        client.gone = True
        assert await take(host, b"q", 2, client) == []
        assert said(await take(host, b"q", 2)) == [b"1", b"2"]
        assert host.counters.hits == 2


async def test_a_commit_that_fails_has_taken_nothing(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"q", b"1")
        house.faults.broken.add("write")
        with pytest.raises(JournalError):
            await take(host, b"q")
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"q"].ready)
        assert said(await take(host, b"q")) == [b"1"]


async def test_not_more_bytes_than_can_be_answered(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        host = host_of(house)
        for _ in range(10):
            await house.put_large(b"q", bytes(1_000_000))
        assert len(said(await take(host, b"q", 1000))) == 5
        seen = await drive(looks.look(host, b"q", b"", 1, 1000))
        assert (len(said(seen.given)), seen.next_id) == (4, 11)


# --- putting


async def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    rule = QueueRule(b"q", {"max_items": 2, "max_item_bytes": 1_000_000, "max_bytes": 1_500_000})
    async with House(tmp_path, sync=NEVER, queue_rules=(rule,)) as house:
        host = host_of(house)
        host.settings = replace(host.settings, queue_rules=house.broker._store.settings.queue_rules)
        for body in (
            Body(size=1_000_001, whole=False),  # before any of it has come
            Body(b"x" * 900_000, b"x" * 100_001),  # when it was too much
        ):
            with pytest.raises(ItemTooLargeError, match="1000000 are allowed"):
                await put(host, b"q", body)
            await until(lambda: b"q" not in house.broker.queues)
        with pytest.raises(ItemTooLargeError, match="3 items are more than max_items = 2 of q"):
            await drive(puts.put_many(host, b"q", [New(b"x", Traits())] * 3))
        assert await put(host, b"q", Body(b"1")) == 1
        with pytest.raises(QueueFullError):
            await drive(puts.put_many(host, b"q", [New(bytes(600_000), Traits())] * 2))
        assert await put(host, b"q", Body(b"2")) == 2
        with pytest.raises(QueueFullError):
            await put(host, b"q", Body(size=1, whole=False))
        assert said(await take(host, b"q", 9)) == [b"1", b"2"]
        await until(lambda: not files(house))


@pytest.mark.parametrize("sent", [b"", b"x" * 10, b"x" * 300_000])
async def test_half_a_body_is_no_item(tmp_path: Path, sent: bytes) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        host = host_of(house)
        body = Body(whole=False)
        putting = asyncio.create_task(put(host, b"q", body))
        await until(lambda: body.awaited)
        body.come(sent)
        await until(lambda: body.awaited)
        if len(sent) > body.inline:
            await until(lambda: bool(files(house)))
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        await until(lambda: house.broker.idle and b"q" not in house.broker.queues)
        assert not files(house)


@pytest.mark.parametrize("size", [10, 300_000])
async def test_the_queue_is_deleted_while_the_body_comes(tmp_path: Path, size: int) -> None:
    """A small one is put into the queue that is made anew; of a large one the file has gone."""
    async with House(tmp_path, sync=NEVER) as house:
        host = host_of(house)
        await house.put(b"q", b"before")
        body = Body(bytes(size), whole=False)
        putting = asyncio.create_task(put(host, b"q", body))
        await until(lambda: body.awaited)
        await house.delete(b"q")
        body.come(b"x", whole=True)
        if size < body.inline:
            assert await putting == 1
        else:
            with pytest.raises(ServerError, match="deleted"):
                await putting
            with pytest.raises(UnknownQueueError):
                await take(host, b"q")


async def test_a_large_item_is_the_first_of_its_queue(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        data = os.urandom(700_000)
        assert await put(host, b"q", Body(data[:300_000], data[300_000:]), flags=7) == 1
        await until(lambda: house.broker.idle)
        (given,) = await take(host, b"q")
        assert given.handle is not None
        assert os.pread(given.handle, 1_000_000, 0) == data
        os.close(given.handle)
        assert given.item.flags == 7


async def test_all_of_an_alias_or_none(tmp_path: Path) -> None:
    rule = QueueRule(b"b", {"max_items": 2})
    aliases = {b"both": ((b"a", b""), (b"b", b""))}
    settings: dict[str, Any] = {"queue_rules": (rule,), "aliases": aliases}
    async with House(tmp_path, sync=NEVER, **settings) as house:
        host = host_of(house)
        items = [New(b"1", Traits()), New(bytes(300_000), Traits(flags=3))]
        assert await drive(puts.put_many(host, b"both", items)) == [1, 2]
        for body in (Body(b"3"), Body(bytes(400_000))):
            with pytest.raises(QueueFullError):
                await put(host, b"both", body)
        with pytest.raises(QueueFullError):
            await drive(puts.put_many(host, b"both", items))
        for name in (b"a", b"b"):
            assert said(await take(host, name, 9)) == [b"1", None]
        assert len(files(house)) <= 2
        assert host.broker.alias_puts[b"both"] == (2, 300_001)


async def test_all_of_an_alias_of_a_queue_and_its_own_consumer_or_none(tmp_path: Path) -> None:
    """The consumer is given each item twice, and has room for ten."""
    aliases = {b"both": ((b"q", b""), (b"q", b"slow"))}
    rule = QueueRule(b"q+slow", {"max_lag_items": 10})
    async with House(tmp_path, sync=NEVER, queue_rules=(rule,), aliases=aliases) as house:
        host = host_of(house)
        with pytest.raises(QueueFullError):
            await drive(puts.put_many(host, b"both", [New(b"x", Traits())] * 6))
        four = [New(b"%d" % number, Traits()) for number in range(4)]
        assert await drive(puts.put_many(host, b"both", four)) == [1, 3, 5, 7]
        await house.put(b"q", b"another")
        desk = Desk(host)
        for size in (b"1", b"300000"):
            with pytest.raises(QueueFullError):
                await put(host, b"both", Body(bytes(int(size))))
            desk.say(b"set both 0 0 %b\r\n%b\r\n" % (size, bytes(int(size))))
            await desk.hears(b"NOT_STORED\r\n")
        assert said(await take(host, b"q", 99)) == [b"0", b"1", b"2", b"3", b"another"]
        slow = await drive(takes.take(host, Client(), b"q", b"slow", 99))
        assert [given.item.id for given in slow] == list(range(1, 10))


async def test_of_several_that_cannot_be_written_none_is_there(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"q", b"first")
        house.faults.broken.add("write")
        with pytest.raises(JournalError):
            await drive(puts.put_many(host, b"q", [New(b"x", Traits())] * 5))
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"q"].ready)
        assert said(await take(host, b"q", 9)) == [b"first"]


async def test_out_of_disk_is_said_before_full(tmp_path: Path) -> None:
    rule = QueueRule(b"q", {"max_items": 1})
    async with House(tmp_path, sync=NEVER, queue_rules=(rule,)) as house:
        host = host_of(house)
        await house.put(b"q", b"1")
        house.broker.space.look(1 << 60)
        with pytest.raises(OutOfDiskError):
            await put(host, b"q", Body(b"2"))
        house.broker.space.look(None)
        with pytest.raises(QueueFullError):
            await put(host, b"q", Body(b"2"))
