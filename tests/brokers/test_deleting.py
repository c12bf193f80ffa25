"""Deleting a queue: what it held is gone for good, whatever was under way."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from darnerpy.config import SyncPolicy
from darnerpy.errors import JournalError, ServerError
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.leveldb.engine import LevelDbEngine
from tests.brokers.house import PATIENCE, House, Wait, kept, until

pytestmark = pytest.mark.asyncio

NEVER = SyncPolicy(always=False)


def directories(house: House) -> list[str]:
    return sorted(path.name for path in (house.directory / "queues").iterdir())


async def test_a_deleted_queue_is_gone_from_memory_and_disk(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"q", b"1")
        await house.put_large(b"q", b"L" * 300_000)
        await house.delete(b"q")
        assert house.broker.delete(b"q") is None
        assert directories(house) == []
        await until(lambda: not any((tmp_path / ".trash").iterdir()))
        await house.put(b"q", b"new")
        assert await house.drain(b"q") == [b"new"]


async def test_waiters_get_nothing_and_open_reads_end_quietly(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"q", b"1")
        held = await house.open(b"q")
        wait = Wait(blocking=True)
        queue = house.queue(b"q")
        queue.own.line.join(wait)
        await house.delete(b"q")
        assert await wait.got is None
        assert held.gone
        assert queue.close(held) is None
        queue.abort(held)
        await house.put(b"q", b"new")
        assert await house.drain(b"q") == [b"new"]


async def test_deleting_while_a_write_is_under_way(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(b"q", b"1")
        house.faults.gate.clear()
        puts = [asyncio.ensure_future(house.put(b"q", b"2")) for _ in range(3)]
        await asyncio.sleep(0.001)
        deleting = asyncio.ensure_future(house.delete(b"q"))
        await asyncio.sleep(0.001)
        assert not deleting.done()
        house.faults.gate.set()
        await asyncio.gather(deleting, *puts)
        assert directories(house) == []


async def test_deleting_while_the_journal_is_opened_for_a_read(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1", b"2")
    async with House(tmp_path, sync=NEVER) as house:
        stored = house.broker.queues[b"q"]
        opened: list[None] = []
        stored.when_ready(lambda: opened.append(None))
        await house.delete(b"q")
        assert directories(house) == []
        await until(lambda: bool(opened))


async def test_deleting_a_queue_whose_journal_is_closed(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER, max_open_journals=1) as house:
        await house.put(b"q", b"1")
        await house.put(b"other", b"x")
        await until(lambda: house.broker.idle)
        await house.delete(b"q")
        assert directories(house) == ["other"]


async def test_deleting_while_it_is_trimmed(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for _ in range(4):
            await house.put(b"q", *(b"x" * 1000 for _ in range(3000)))
        await house.drain(b"q")
        await until(lambda: house.faults.calls["trim"] > 0)
        await house.delete(b"q")
        assert directories(house) == []


async def test_deleting_while_an_item_is_uploaded(tmp_path: Path) -> None:
    """Neither does the upload bring the queue back, nor does it disturb the next one."""
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1")
        old = house.broker.queues[b"q"]
        begun, late = old.begin_upload(), old.begin_upload()
        begun.write([b"half"])
        await house.delete(b"q")

        with pytest.raises(JournalError):
            late.write([b"a first chunk that comes after the end"])
        assert directories(house) == []
        await house.put_large(b"q", b"new" * 100_000)
        begun.write([b"and half"])
        begun.discard()
        late.discard()
        old.end_upload()
        old.end_upload()
        await house.put_large(b"q", b"newer" * 100_000)
        assert await house.drain(b"q") == [b"new" * 100_000, b"newer" * 100_000]


async def test_a_deletion_that_fails_leaves_the_queue(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1", b"2")
        trash = tmp_path / ".trash"
        trash.rmdir()
        with pytest.raises(JournalError, match="cannot delete q"):
            await house.delete(b"q")
        trash.mkdir()
        await until(lambda: house.broker.queues[b"q"].ready)
        assert await house.drain(b"q") == [b"1", b"2"]
        await house.delete(b"q")
        assert directories(house) == []


async def test_a_queue_is_not_forgotten_while_an_item_is_on_its_way_to_it(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        stored = await house.ready(b"q")
        commit = stored.queue.put(b"1", 1, 0, 0)
        house.broker.forget(stored)  # a waiter who was there first has left in the same turn
        await kept(commit)
        assert await house.take(b"q") == b"1"

        other = await house.ready(b"other")
        other.begin_upload()
        house.broker.forget(other)
        assert house.broker.create(b"other") is other
        other.end_upload()


async def test_an_upload_given_up_leaves_no_queue(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        stored = await house.ready(b"q")
        upload = stored.begin_upload()
        upload.write([b"half"])
        upload.discard()
        stored.end_upload()
        await until(lambda: b"q" not in house.broker.queues)
        assert directories(house) == []
        assert (house.broker.created, house.broker.deleted) == (0, 0)


async def test_a_half_upload_is_not_a_queue_after_a_crash(tmp_path: Path) -> None:
    directory = tmp_path / "queues" / "q"
    LevelDbEngine().open(directory, b"q", LargeFiles(directory / "large")).close()
    (directory / "large").mkdir()
    (directory / "large" / "1.part").write_bytes(b"half")
    async with House(tmp_path, sync=NEVER) as house:
        house.broker.load()
        await until(lambda: not house.broker.loading)
        assert list(house.broker.existing()) == []
        await until(lambda: b"q" not in house.broker.queues)
        assert directories(house) == []


async def test_a_queue_that_could_not_be_opened_and_is_gone_stays_gone(tmp_path: Path) -> None:
    """It was to be opened again soon when it was forgotten."""
    async with House(tmp_path, sync=NEVER) as house:
        house.faults.broken.add("open")
        stored = house.broker.create(b"q")
        stored.begin_upload()
        await until(lambda: stored.error is not None)
        stored._handle.fail(JournalError("once more"))
        stored.end_upload()
        await until(lambda: b"q" not in house.broker.queues)
        house.faults.broken.clear()
        stored._handle.open()
        await asyncio.sleep(0.3)  # longer than the first pauses
        assert (directories(house), house.broker.open_journals) == ([], 0)
        await house.put(b"q", b"new")
        assert await house.drain(b"q") == [b"new"]


@pytest.mark.usefixtures("every_engine")
async def test_one_that_was_forgotten_takes_nothing_of_the_next_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was to be looked at once more, in a thread, which took its time."""
    async with House(tmp_path) as house:
        discard = house.data.discard

        def discard_late(directory: Path) -> Path | None:
            time.sleep(0.05)
            return discard(directory)

        monkeypatch.setattr(house.data, "discard", discard_late)
        first = house.broker.create(b"q")
        first.expect_upload()
        first.end_upload()
        house.broker.forget(first)
        await house.put(b"q", b"hello")
        await asyncio.sleep(0.2)
        await house.put(b"q", b"more")
    async with House(tmp_path) as house:
        assert await house.drain(b"q") == [b"hello", b"more"]


@pytest.mark.usefixtures("every_engine")
async def test_one_that_could_not_be_opened_and_was_forgotten_is_not_opened_again(
    tmp_path: Path,
) -> None:
    """Somebody waited there when an upload to it had been broken off, and was told of the error."""
    gate = threading.Event()
    async with House(tmp_path, sync=NEVER) as house:
        first, wait = house.broker.create(b"q"), Wait(blocking=True)
        first.queue.own.line.join(wait)
        for _ in range(8):
            house.broker.in_thread(lambda: gate.wait(PATIENCE), lambda *_: None)
        house.faults.broken.add("open")
        first.begin_upload()
        first.end_upload()
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(JournalError, match="open is broken"):
            await wait.got
        house.broker.forget(first)
        await until(lambda: b"q" not in house.broker.queues)
        house.faults.broken.clear()
        await house.put(b"q", b"new")
        opened = house.faults.calls["open"]
        await asyncio.sleep(0.3)  # longer than the first pauses
        assert house.faults.calls["open"] == opened
        assert await house.drain(b"q") == [b"new"]


@pytest.mark.usefixtures("every_engine")
async def test_one_that_is_forgotten_while_its_journal_fails_closes_it(tmp_path: Path) -> None:
    """Who waited there is told of it, and was the last to keep the queue."""

    class LastWait(Wait):
        def end(self, error: ServerError | None) -> None:
            super().end(error)
            house.broker.forget(stored)

    async with House(tmp_path, sync=NEVER) as house:
        stored = house.broker.create(b"q")
        wait = LastWait(blocking=True)
        stored.queue.own.line.join(wait)
        stored.begin_upload()
        await until(lambda: stored.journal is not None)
        stored.end_upload()
        await asyncio.sleep(0)
        stored._handle.fail(JournalError("made to fail"))
        with pytest.raises(JournalError, match="made to fail"):
            await wait.got
        await until(lambda: b"q" not in house.broker.queues)
        assert house.faults.calls["close"] == house.faults.calls["open"] == 1
        await house.put(b"q", b"new")
        assert await house.drain(b"q") == [b"new"]


async def test_one_that_was_deleted_behind_an_alias_is_not_there_again_behind_it(
    tmp_path: Path,
) -> None:
    async with House(tmp_path) as house:
        await house.put(b"q", b"1")
        hidden, settings = house.broker.queues[b"q"], house.broker._store.settings
        house.broker.configure(replace(settings, aliases={b"q": ((b"other", b""),)}))
        await kept(hidden.delete())
        house.broker.configure(replace(settings, aliases={}))
        await house.put(b"q", b"new")
        assert await house.drain(b"q") == [b"new"]
