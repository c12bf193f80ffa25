"""A queue whose journal is damaged: the good part is served, the rest kept and reported."""

import asyncio
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import SyncPolicy
from darnerpy.errors import JournalError
from darnerpy.journals.contract import Damage, Piece
from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.records import block_key
from darnerpy.queues.positions import Span
from tests.brokers.house import PATIENCE, House, until

pytestmark = pytest.mark.asyncio

ALWAYS = SyncPolicy(always=True)
NEVER = SyncPolicy(always=False)


async def fill(directory: Path, count: int) -> None:
    async with House(directory, sync=NEVER) as house:
        for n in range(1, count + 1):
            await house.put(b"q", b"%d" % n)


def change(directory: Path, changes: dict[int, bytes | None]) -> None:
    """Replace or remove records, as damage or a power cut would."""
    # All in one go: after a few openings LevelDB compacts, and closing cuts that off.
    with plyvel.DB(os.fspath(directory / "queues" / "q" / "leveldb")) as database:
        for item_id, value in changes.items():
            key = block_key(item_id)
            assert database.get(key) is not None
            if value is None:
                database.delete(key)
            else:
                database.put(key, value)


def reports(caplog: pytest.LogCaptureFixture) -> list[tuple[object, object]]:
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    return [(record.queue, record.ids) for record in errors]  # type: ignore[attr-defined]


async def test_what_lies_behind_a_gap_is_kept_and_not_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(tmp_path, 9)
    change(tmp_path, {5: None})
    for life in range(2):
        async with House(tmp_path, sync=NEVER) as house:
            left = await house.drain(b"q")
            assert left == ([] if life else [b"1", b"2", b"3", b"4"])
            await house.put(b"q", b"goes on")
            assert await house.drain(b"q") == [b"goes on"]
            stored = house.broker.queues[b"q"]
            assert stored.harm == (1, 4)
            [(first, stop, *_)] = stored.queue.kept
            assert (first, stop) == (6, 10)
            stored.queue.want_full_mark()
    assert (b"q", "items 5 to 5") in reports(caplog)
    change(tmp_path, {6: b"", 9: b""})  # so they are still there


async def test_what_was_confirmed_and_trimmed_while_it_was_read_is_not_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A held item may be asked for again after a failure, and be closed before the answer comes."""
    await fill(tmp_path, 3)
    async with House(tmp_path, sync=NEVER) as house:
        held = await house.open(b"q")
        stored = house.broker.queues[b"q"]
        [item] = stored.journal.read(2, 3, 1).items if stored.journal else []
        await house.close(b"q", held)
        gone = Span(1, 2, 0, 1), Damage("items are missing", 1, 2, missing=True)
        stored._loader.take_in(stored.queue.own, Piece([item], 3, [gone]), 1)
        assert await house.drain(b"q") == [b"2", b"3"]
        assert (stored.harm.lost, stored.queue.kept) == (0, [])
    assert not reports(caplog)


async def test_a_damaged_item_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(tmp_path, 9)
    change(tmp_path, {5: b"\x01 damaged, but something is there"})
    async with House(tmp_path, sync=NEVER) as house:
        assert await house.drain(b"q") == [b"%d" % n for n in (1, 2, 3, 4, 6, 7, 8, 9)]
        stored = house.broker.queues[b"q"]
        assert stored.harm.lost == 1
        assert stored.queue.count(stored.queue.own) == 0
        assert stored.queue.backlog_bytes(stored.queue.own) == 0
    assert (b"q", "items 5 to 5") in reports(caplog)


async def test_a_damaged_end_does_not_stop_the_queue(tmp_path: Path) -> None:
    await fill(tmp_path, 3)
    change(tmp_path, {3: b"\x01 damaged"})
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"4")
        assert await house.drain(b"q") == [b"1", b"2", b"4"]
    change(tmp_path, {3: b"\x01 still there"})


async def test_a_large_item_without_its_file_is_passed_over(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put_large(b"q", b"L" * 300_000)
        await house.put(b"q", b"2")
    [file] = tmp_path.rglob("*.item")
    file.unlink()
    async with House(tmp_path, sync=NEVER) as house:
        assert await house.drain(b"q") == [b"2"]
        assert house.broker.queues[b"q"].harm.lost == 1


async def test_a_queue_that_was_not_recognised_at_start_is_not_written_over(tmp_path: Path) -> None:
    name = b"\xff" * 250  # only the journal knows it
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(name, b"1", b"2")
    [current] = tmp_path.rglob("CURRENT")
    current.unlink()
    async with House(tmp_path, sync=NEVER) as house:
        with pytest.raises(JournalError, match="not known"):
            await house.put(name, b"refused")
        await until(lambda: house.broker.queues[name].ready)
        await house.put(name, b"3")
        assert await house.drain(name) == [b"1", b"2", b"3"]


async def test_a_damaged_table_is_repaired_and_the_good_part_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        items = [os.urandom(10_000) for _ in range(1000)]
        for data in items:
            await house.put(b"q", data)
    tables = sorted(tmp_path.rglob("*.ldb"))
    file = tables[len(tables) // 2]
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    async with House(tmp_path, sync=NEVER) as house:
        stored = house.broker.queues[b"q"]
        served: list[bytes | None] = []
        while stored.error is None:
            with suppress(JournalError):
                served.append(await house.take(b"q"))
        assert "checksum mismatch" in str(stored.error)
        await until(lambda: stored.ready)
        served += await house.drain(b"q")
        assert stored.harm.lost == 1
        assert len(served) == 999
        assert [data for data in items if data in served] == served
        assert stored.quarantine == "damaged/1"
        await house.put(b"q", b"goes on")
        assert await house.take(b"q") == b"goes on"
    assert any("repaired" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(("sync", "left"), [(ALWAYS, [b"1", b"9"]), (NEVER, [b"1"])])
async def test_what_lies_behind_a_gap(tmp_path: Path, sync: SyncPolicy, left: list[bytes]) -> None:
    """With everything synced it can only be damage, and costs what is damaged; else all behind it."""
    async with House(tmp_path, sync=sync) as house:
        for n in range(1, 10):
            await house.put(b"q", b"%d" % n)
    change(tmp_path, dict.fromkeys(range(2, 9)))
    async with House(tmp_path, sync=sync) as house:
        assert await house.drain(b"q") == left
        stored = house.broker.queues[b"q"]
        assert stored.harm.lost == 7
        assert sum(span.stop - span.first for span in stored.queue.kept) == 2 - len(left)


async def test_a_loss_that_cannot_be_noted_fails_the_journal(tmp_path: Path) -> None:
    async with House(tmp_path, sync=ALWAYS) as house:
        await house.put_large(b"q", b"L" * 300_000)
        await house.put(b"q", b"2")
    [file] = tmp_path.rglob("*.item")
    file.unlink()
    async with House(tmp_path, sync=ALWAYS) as house:
        house.faults.broken.add("note_lost")
        with suppress(JournalError):
            await house.take(b"q")
        stored = house.broker.queues[b"q"]
        await until(lambda: stored.error is not None)
        assert "note_lost" in str(stored.error)
        house.faults.broken.clear()
        await until(lambda: stored.ready)
        await house.put(b"q", b"3")
        assert (await house.drain(b"q"))[-1] == b"3"
        assert stored.harm.lost == 1


async def test_losses_are_noted_one_after_another(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1", b"2", b"3", b"4")
        stored = house.broker.queues[b"q"]
        journal: Any = stored.journal
        note, gate = journal.note_lost, threading.Event()
        begun: list[list[int]] = []

        def slowly(lost: list[tuple[Span, Damage]]) -> None:
            begun.append([span.first for span, _ in lost])
            assert gate.wait(PATIENCE)
            note(lost)

        journal.note_lost = slowly
        for n in (1, 2, 3):
            lost = Span(n, n + 1, n - 1, n), Damage("item is damaged", n, n + 1)
            stored._loader.take_in(stored.queue.own, Piece([], n + 1, [lost]), n)
        await until(lambda: bool(begun))
        await asyncio.sleep(0.01)
        assert begun == [[1]]
        gate.set()
        await until(lambda: stored.idle)
        assert begun == [[1], [2, 3]]
        assert await house.drain(b"q") == [b"4"]
    async with House(tmp_path, sync=NEVER) as house:
        await house.usable(b"q")
        assert house.broker.queues[b"q"].harm.lost == 3


@pytest.mark.parametrize(
    ("later", "served", "lost", "kept"),
    [
        (Span(28, 29, 270, 280), [*range(1, 5), *range(21, 28), 29, 30], 6, 11),
        (Span(18, 24, 170, 230), [*range(1, 5), *range(24, 31)], 11, 8),
    ],
)
async def test_what_was_put_after_the_start_is_not_kept_back_with_what_was_before(
    tmp_path: Path, later: Span, served: list[int], lost: int, kept: int
) -> None:
    items = [b"%10d" % n for n in range(1, 31)]
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", *items[:20])
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", *items[20:])
        stored = house.broker.queues[b"q"]
        await until(lambda: stored.idle)
        gap = Span(5, 10, 40, 90), Damage("items are missing", 5, 10, missing=True)
        bad = later, Damage("item is damaged", later.first, later.stop)
        journal = stored.journal
        assert journal is not None
        whole = [
            item
            for item in journal.read(1, 31, 1 << 20).items
            if not any(span.first <= item.id < span.stop for span, _ in (gap, bad))
        ]
        stored._loader.take_in(stored.queue.own, Piece(whole, 31, [gap, bad]), 1)
        assert await house.drain(b"q") == [items[n - 1] for n in served]
        assert stored.harm == (lost, kept)
        assert stored.queue.backlog_bytes(stored.queue.own) == 0


async def test_a_queue_not_recognised_whose_journal_cannot_be_opened_at_first_keeps_consumers(
    tmp_path: Path,
) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1", b"2")
        house.queue(b"q").consumer(b"named")
        await house.put(b"q", b"3")
        await house.take(b"q")
    directory, away = tmp_path / "queues" / "q", tmp_path / "away"
    directory.rename(away)
    async with House(tmp_path, sync=NEVER) as house:
        away.rename(directory)
        house.faults.broken.add("open")
        with pytest.raises(JournalError):
            await house.put(b"q", b"refused")
        house.faults.broken.clear()
        await until(lambda: house.broker.queues[b"q"].ready)
        await house.put(b"q", b"4")
        assert await house.drain(b"q") == [b"2", b"3", b"4"]
    async with House(tmp_path, sync=NEVER) as house:
        await house.usable(b"q")
        queue = house.queue(b"q")
        assert {name: queue.count(each) for name, each in queue.consumers.items()} == {
            b"": 0,
            b"named": 2,
        }


async def test_damage_found_when_a_journal_is_opened_again_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        items = [os.urandom(500) for _ in range(200)]
        for data in items:
            await house.put(b"q", data)
        stored = house.broker.queues[b"q"]
        recovered_to = stored._loader.recovered_to
        stored.shut()
        await until(lambda: stored.idle and stored.journal is None)
        file = max((stored.directory / "leveldb").glob("*.log"))
        damaged = bytearray(file.read_bytes())
        middle = len(damaged) // 2
        damaged[middle : middle + 700] = os.urandom(700)
        file.write_bytes(damaged)
        house.faults.full.clear()
        await house.put(b"q", b"goes on")
        assert True in house.faults.full
        assert stored._loader.recovered_to == recovered_to
        assert "LevelDB is damaged" in caplog.text
        lost = stored.harm.lost
        assert lost
        await until(lambda: stored.idle)
        left = await house.drain(b"q")
        assert left == [*(data for data in items if data in left), b"goes on"]
        assert len(left) == 201 - lost
        assert stored.harm.lost == lost
        assert stored.queue.backlog_bytes(stored.queue.own) == 0
