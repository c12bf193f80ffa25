"""Leases as requests ask for them, over real journals: given, confirmed, aborted, extended, and their ids."""

import asyncio
import os
import shutil
import stat
from pathlib import Path

import pytest

from darnerpy.cli.main import main
from darnerpy.errors import (
    ClientError,
    JournalError,
    LeaseEndedError,
    PausedError,
    ServerError,
    UnknownConsumerError,
    UnknownLeaseError,
    UnknownQueueError,
)
from darnerpy.queues.batches import PAUSED_GETS
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.given import Given
from darnerpy.sessions.requests.leases import abort, confirm, extend, lease
from tests.brokers.house import House, kept, until
from tests.sessions.desk import host_of
from tests.sessions.driver import Client, drive

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

HOUR = 3_600_000
FORMATS = ["jsonl", "binary"]


async def given(host: Host, consumer: bytes = b"", ttl: int = HOUR, wait: int = 0) -> Given:
    found = await drive(lease(host, Client(), b"work", consumer, ttl, wait))
    assert found is not None
    return found


async def test_a_lease_is_confirmed_once(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one", b"two")
        first = await given(host)
        assert (first.item.data, first.attempts, first.handle) == (b"one", 0, None)
        assert 0 <= first.age < 60_000
        assert house.queue(b"work").count(house.queue(b"work").own) == 1
        await drive(confirm(host, first.lease))
        for again in (confirm(host, first.lease), abort(host, first.lease)):
            with pytest.raises(LeaseEndedError, match="item 1 of queue work"):
                await drive(again)
        assert await house.drain(b"work") == [b"two"]
        assert await drive(lease(host, Client(), b"work", b"", HOUR)) is None


async def test_an_abort_is_an_attempt(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        first = await given(host)
        await drive(abort(host, first.lease))
        second = await given(host)
        assert (second.item.id, second.attempts) == (1, 1)
        assert second.lease != first.lease
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, first.lease))
        await drive(confirm(host, second.lease))


async def test_it_lapses_when_it_is_due(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        first = await given(host, ttl=100)
        second = await given(host, wait=60_000)  # nobody but the clock sees to it
        assert (second.item.id, second.attempts) == (1, 1)
        with pytest.raises(LeaseEndedError):
            await drive(extend(host, first.lease, HOUR))


async def test_it_is_extended(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        first = await given(host, ttl=60_000)
        before = host.clock.now_ms()
        deadline = await drive(extend(host, first.lease, HOUR))
        assert before + HOUR <= deadline <= host.clock.now_ms() + HOUR
        await drive(extend(host, first.lease, 100))
        await until(lambda: not house.queue(b"work").own.open)
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, first.lease))


async def test_it_outlives_the_broker_and_waits_for_the_journal(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"work", b"one", b"two", b"three")
        host = host_of(house)
        leases = [await given(host) for _ in range(2)]
        await drive(extend(host, leases[0].lease, 2 * HOUR))
    async with House(tmp_path) as house:
        host = host_of(house)
        assert not house.broker.queues[b"work"].ready
        await drive(confirm(host, leases[1].lease))
        assert await house.drain(b"work") == [b"three"]
        await drive(abort(host, leases[0].lease))
        again = await given(host)
        assert (again.item.data, again.attempts) == (b"one", 1)
        await drive(confirm(host, again.lease))
    async with House(tmp_path) as house:
        assert await house.drain(b"work") == []


async def test_one_that_lapsed_meanwhile_is_back_at_once(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"work", b"one")
        first = await given(host_of(house), ttl=100)
    await asyncio.sleep(0.1)
    async with House(tmp_path) as house:
        host = host_of(house)
        second = await given(host)
        assert (second.item.data, second.attempts) == (b"one", 1)
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, first.lease))


async def test_of_a_large_item_the_file_is_handed_over(tmp_path: Path) -> None:
    data = b"L" * 300_000
    async with House(tmp_path) as house:
        await house.put_large(b"work", data)
        first = await given(host_of(house))
        assert first.handle is not None
        assert os.pread(first.handle, len(data), 0) == data
        os.close(first.handle)
    async with House(tmp_path) as house:
        host = host_of(house)
        await drive(abort(host, first.lease))
        assert await house.drain(b"work") == [data]


async def test_a_closed_journal_is_opened_for_what_is_due(tmp_path: Path) -> None:
    async with House(tmp_path, max_open_journals=1) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        first = await given(host, ttl=400)
        for name in (b"a", b"b", b"c"):
            await house.put(name, b"other")
        stored = house.broker.queues[b"work"]
        await until(lambda: not stored.queue.own.open and stored.idle)
        assert stored.queue.own.returns[1].attempts == 1
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, first.lease))


async def test_consumers_have_their_own(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        stored = await house.usable(b"work")
        audit = stored.queue.consumer(b"audit")
        await house.put(b"work", b"one")
        own, theirs = await given(host), await given(host, b"audit")
        assert own.item.id == theirs.item.id == 1
        await drive(confirm(host, own.lease))
        await kept(stored.queue.drop(audit))
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, theirs.lease))
        with pytest.raises(UnknownConsumerError):
            await given(host, b"audit")


async def test_a_queue_that_is_deleted_ends_them_also_if_it_is_made_anew(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        first = await given(host)
        await house.delete(b"work")
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, first.lease))
        with pytest.raises(UnknownQueueError):
            await given(host)
        await house.put(b"work", b"another")
        second = await given(host)
        assert second.item.id == first.item.id
        with pytest.raises(LeaseEndedError):
            await drive(confirm(host, first.lease))
        await drive(confirm(host, second.lease))


async def test_only_our_ids_are_known(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        with pytest.raises(UnknownLeaseError):  # there is no key yet
            await drive(confirm(host, "A" * 60))
        assert not (tmp_path / "LEASE_KEY").exists()
        first = await given(host)
        text = first.lease
        wrong = [
            "",
            "A" * 60,
            text[:-1],
            text + "A",
            text + "=",
            text[::-1],
            "é" + text[1:],
            "+" + text,
        ]
        wrong += [" " + text, text + "\n", "A" * 10_000]
        wrong += [text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :] for at in range(len(text))]
        for each in wrong:
            with pytest.raises(UnknownLeaseError):
                await drive(confirm(host, each))
        await drive(confirm(host, text))


async def test_the_key_is_ours_alone_and_lasts(tmp_path: Path) -> None:
    key = tmp_path / "LEASE_KEY"
    async with House(tmp_path) as house:
        await house.put(b"work", b"one", b"two")
        host = host_of(house)
        first, _ = await asyncio.gather(given(host), given(host))
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    whole = key.read_bytes()
    for damage in (
        b"",
        whole[:-1],
        whole[:10],
        b"0" + whole[1:] if whole[:1] != b"0" else b"1",
        b"\xff",
    ):
        key.write_bytes(damage)
        async with House(tmp_path) as house:
            with pytest.raises(ServerError, match=r"LEASE_KEY is damaged: 32 bytes"):
                await drive(confirm(host_of(house), first.lease))
    key.unlink()
    async with House(tmp_path) as house:
        await house.put(b"work", b"three")
        host = host_of(house)
        with pytest.raises(UnknownLeaseError):
            await drive(confirm(host, first.lease))
        await given(host)
        with pytest.raises(UnknownLeaseError):
            await drive(confirm(host, first.lease))
    key.write_bytes(whole)
    async with House(tmp_path) as house:
        await drive(confirm(host_of(house), first.lease))


async def test_a_backup_has_them_and_their_key(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"work", b"one", b"two")
        first = await given(host_of(house))
        done: asyncio.Future[ServerError | None] = asyncio.get_running_loop().create_future()
        house.broker.back_up(None, "kept", done.set_result)
        assert await done is None
    copy = tmp_path / "backups/kept"
    assert stat.S_IMODE((copy / "LEASE_KEY").stat().st_mode) == 0o600
    async with House(copy) as house:
        await drive(confirm(host_of(house), first.lease))
        assert await house.drain(b"work") == [b"two"]


@pytest.mark.parametrize("form", FORMATS)
async def test_they_are_exported_converted_and_checked(tmp_path: Path, form: str) -> None:
    """What another engine or a file makes of the queue, its lease is in force there."""
    async with House(tmp_path / "data") as house:
        await house.put(b"work", b"one", b"two", b"three")
        first, second = await given(host_of(house)), await given(host_of(house))
    data, other = os.fspath(tmp_path / "data"), os.fspath(tmp_path / "other")
    engine = {"leveldb": "arena", "arena": "leveldb"}[House.engine]
    assert main(["check", data]) == 0
    assert main(["convert", "work", "--engine", engine, "--data", data]) == 0
    assert main(["check", data]) == 0
    file = os.fspath(tmp_path / "file")
    assert main(["export", "work", "--data", data, "--output", file, "--format", form]) == 0
    assert main(["import", "--from", form, file, "--data", other]) == 0
    shutil.copy(tmp_path / "data/LEASE_KEY", other)
    for place in (data, other):
        async with House(Path(place)) as house:
            host = host_of(house)
            assert await house.drain(b"work") == [b"three"]
            await drive(confirm(host, first.lease))
            await drive(abort(host, second.lease))
            assert await house.drain(b"work") == [b"two"]


async def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        for ttl in (0, -1, 99, 12 * HOUR + 1):
            with pytest.raises(ClientError, match="100ms to 12h"):
                await given(host, ttl=ttl)
        house.queue(b"work").paused = PAUSED_GETS
        with pytest.raises(PausedError):
            await given(host)
        house.queue(b"work").paused = 0
        first = await given(host)
        host.guard.set(Status.QUIESCENT)
        with pytest.raises(ServerError, match="quiescent"):
            await given(host)
        await drive(extend(host, first.lease, HOUR))
        await drive(confirm(host, first.lease))  # always allowed


async def test_a_client_that_hangs_up_has_taken_nothing(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        house.faults.gate.clear()
        for _ in range(3):
            asked = asyncio.ensure_future(given(host, wait=60_000))
            await until(lambda: bool(house.queue(b"work").own.open))
            asked.cancel()
            await asyncio.wait([asked])
            assert not house.queue(b"work").own.open
        house.faults.gate.set()
        assert not house.queue(b"work").own.returns
        assert await house.drain(b"work") == [b"one"]
    async with House(tmp_path) as house:
        stored = await house.usable(b"work")
        assert not stored.queue.own.open


async def test_nothing_is_said_before_it_is_written(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        await house.put(b"work", b"one")
        house.faults.syncs.clear()
        house.faults.gate.clear()
        asked = asyncio.ensure_future(given(host))
        await until(lambda: house.faults.syncs == [True])
        assert not asked.done()
        house.faults.gate.set()
        first = await asked
        house.faults.gate.clear()
        extended = asyncio.ensure_future(drive(extend(host, first.lease, HOUR)))
        await until(lambda: house.faults.syncs == [True, True])
        assert not extended.done()
        house.faults.gate.set()
        await extended


@pytest.mark.parametrize("how", ["broken", "half_broken"])
async def test_a_write_that_fails(tmp_path: Path, how: str) -> None:
    async with House(tmp_path) as house:
        host, broken = host_of(house), getattr(house.faults, how)
        await house.put(b"work", b"one")
        broken.add("write")
        with pytest.raises(JournalError):
            await given(host)
        broken.clear()
        await until(lambda: house.broker.queues[b"work"].ready)
        first = await given(host)
        for act in (confirm(host, first.lease), extend(host, first.lease, 2 * HOUR)):
            broken.add("write")
            with pytest.raises(JournalError):
                await drive(act)
            broken.clear()
            await until(lambda: house.broker.queues[b"work"].ready)
            assert list(house.queue(b"work").own.open) == [1]
        # Who asks again while it is not sure whether it is over is told when it is.
        broken.add("write")
        answers = await asyncio.gather(
            drive(confirm(host, first.lease)),
            drive(confirm(host, first.lease)),
            return_exceptions=True,
        )
        assert not [each for each in answers if isinstance(each, LeaseEndedError)]
        broken.clear()
        await until(lambda: house.broker.queues[b"work"].ready)
    async with House(tmp_path) as house:
        host = host_of(house)
        await drive(confirm(host, first.lease))
        assert await house.drain(b"work") == []
