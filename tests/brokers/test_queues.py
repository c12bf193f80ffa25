"""Many queues in one data directory: opened when needed, closed again, found again, deleted."""

import asyncio
import os
from pathlib import Path

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.config import QueueRule, SyncPolicy
from darnerpy.errors import DataDirError, DataFormatError
from darnerpy.names import file_name
from tests.brokers.house import House, Wait, kept, until

pytestmark = pytest.mark.asyncio

NEVER = SyncPolicy(always=False)
LONG = [b"\xff" * 250, b"\xff" * 249 + b"\xfe", b"long" * 60]
ODD = [b".", b"..", b"~", b"A", b"a", b"a.b", b"%41", b"con", b"LOCK"]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_only_so_many_journals_are_open_at_once(tmp_path: Path) -> None:
    names = [b"q%d" % n for n in range(200)]
    before = open_files()
    async with House(tmp_path, sync=NEVER, max_open_journals=3) as house:
        for turn in range(2):
            for name in names:
                await house.put(name, b"%b-%d" % (name, turn))
            assert house.broker.open_journals <= 3
        await until(lambda: house.broker.idle)
        assert open_files() - before < 60
        for name in reversed(names):
            assert await house.drain(name) == [b"%b-0" % name, b"%b-1" % name]
        assert house.faults.calls["close"] > 500


async def test_all_queues_may_be_asked_at_once(tmp_path: Path) -> None:
    names = [b"q%d" % n for n in range(40)]
    async with House(tmp_path, sync=SyncPolicy(always=True), max_open_journals=3) as house:
        for turn in range(3):
            await asyncio.gather(*(house.put(name, b"%d" % turn) for name in names))
        await until(lambda: house.broker.idle)
        drained = await asyncio.gather(*(house.drain(name) for name in names))
        assert drained == [[b"0", b"1", b"2"]] * 40


async def test_the_least_recently_used_is_closed(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER, max_open_journals=2) as house:
        await house.put(b"old", b"x")
        await house.put(b"used", b"x")
        await house.put(b"old", b"x")
        await house.put(b"new", b"x")
        opened = house.faults.calls["open"]
        await house.put(b"old", b"x")
        assert house.faults.calls["open"] == opened
        await house.put(b"used", b"x")
        assert house.faults.calls["open"] == opened + 1


async def test_open_reads_and_waiters_outlive_the_journal_handle(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER, max_open_journals=1) as house:
        await house.put(b"q", b"1", b"2")
        held = await house.open(b"q")
        assert await house.take(b"q") == b"2"
        wait = Wait(blocking=True)
        house.broker.queues[b"q"].queue.own.line.join(wait)
        for n in range(5):
            await house.put(b"other%d" % n, b"x")
        await until(lambda: house.broker.queues[b"q"].journal is None)
        house.queue(b"q").abort(held)
        got = await wait.got
        assert got is not None
        assert got[0].data == b"1"
        assert got[1] is not None
        await kept(got[1])
    async with House(tmp_path) as house:
        assert await house.drain(b"q") == []


async def test_queues_with_waiters_do_not_keep_opening_each_others_journals(tmp_path: Path) -> None:
    names = [b"q%d" % n for n in range(5)]
    async with House(tmp_path, sync=NEVER, max_open_journals=1) as house:
        waits = [Wait(blocking=True) for _ in names]
        for name, wait in zip(names, waits, strict=True):
            await house.put(name, b"x")
            assert await house.take(name) == b"x"
            house.broker.queues[name].queue.own.line.join(wait)
        await house.put(b"other", b"x")
        await until(lambda: house.broker.idle)
        assert house.broker.open_journals == 1
        assert house.faults.calls["open"] == 6
        for name, wait in zip(names, waits, strict=True):
            await house.put(name, b"for " + name)
            assert (await wait.got, wait.item.data) == (wait.got.result(), b"for " + name)


async def test_an_interval_sync_is_not_forgotten_when_the_journal_is_closed(tmp_path: Path) -> None:
    sync = SyncPolicy(always=False, interval_ms=3_600_000)
    async with House(tmp_path, sync=sync, max_open_journals=1) as house:
        await house.put(b"a", b"x")
        await house.put(b"b", b"x")
        await until(lambda: house.faults.calls["sync"] == 1)


async def test_nothing_is_opened_for_queues_nobody_asks_for(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        for n in range(10):
            await house.put(b"q%d" % n, b"x")
    async with House(tmp_path) as house:
        assert await house.take(b"q7") == b"x"
        assert house.faults.calls["open"] == 1
        assert len(list(house.broker.existing())) == 10


async def test_loading_learns_every_counter(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        for n in range(20):
            await house.put(b"q%d" % n, *(b"x" for _ in range(n + 1)))
    async with House(tmp_path, max_open_journals=4) as house:
        house.broker.load()
        assert house.broker.loading
        await until(lambda: not house.broker.loading)
        counts = {s.name: s.queue.count(s.queue.own) for s in house.broker.existing()}
        assert counts == {b"q%d" % n: n + 1 for n in range(20)}


async def test_names_are_found_again_whatever_they_are(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        for name in LONG + ODD:
            await house.put(name, b"in " + name)
    assert {path.name for path in (tmp_path / "queues").iterdir()} == {
        file_name(name) for name in LONG + ODD
    }
    async with House(tmp_path) as house:
        assert {stored.name for stored in house.broker.existing()} == {*LONG, *ODD}
        for name in LONG + ODD:
            assert await house.drain(name) == [b"in " + name]


async def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "queues" / "Not Ours").mkdir(parents=True)
    (tmp_path / "queues" / "file").write_text("")
    (tmp_path / "queues" / "a~without-a-journal").mkdir()
    async with House(tmp_path) as house:
        assert list(house.broker.existing()) == []
    assert len(list((tmp_path / "queues").iterdir())) == 3


async def test_a_queue_in_memory_leaves_nothing_behind(tmp_path: Path) -> None:
    rules = (QueueRule(b"tmp-*", {"engine": "memory"}),)
    async with House(tmp_path, sync=NEVER, queue_rules=rules) as house:
        await house.put(b"tmp-1", b"a", b"b")
        await house.put_large(b"tmp-1", b"L" * 300_000)
        assert await house.drain(b"tmp-1") == [b"a", b"b", b"L" * 300_000]
        await house.put_large(b"tmp-1", b"L" * 300_000)
    async with House(tmp_path) as house:
        assert list(house.broker.existing()) == []
        assert list((tmp_path / ".scratch").iterdir()) == []


async def test_the_bound_on_open_journals_spares_queues_in_memory(tmp_path: Path) -> None:
    rules = (QueueRule(b"tmp-*", {"engine": "memory"}),)
    async with House(tmp_path, sync=NEVER, queue_rules=rules, max_open_journals=2) as house:
        for n in range(10):
            await house.put(b"tmp-%d" % n, b"x")
        await until(lambda: house.broker.idle)
        for n in range(10):
            assert await house.drain(b"tmp-%d" % n) == [b"x"]


async def test_a_data_directory_serves_one_at_a_time(tmp_path: Path) -> None:
    async with House(tmp_path):
        with pytest.raises(DataDirError, match=f"in use by another darnerpy.*{os.getpid()}"):
            DataDir(tmp_path)
    DataDir(tmp_path).close()


@pytest.mark.parametrize("other", ["notes.txt", "src/", ".trash/", ".scratch/"])
async def test_a_directory_of_somebody_else_is_refused_and_left_alone(
    tmp_path: Path, other: str
) -> None:
    file = tmp_path / other / "inside" if other.endswith("/") else tmp_path / other
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(DataFormatError, match=f"it holds '{other.rstrip('/')}' and nothing of"):
        DataDir(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize("there", [".hidden", "lost+found", "LOCK", "FORMAT.new", "queues"])
async def test_a_fresh_file_system_is_taken(tmp_path: Path, there: str) -> None:
    (tmp_path / there).touch() if there[0].isupper() else (tmp_path / there).mkdir()
    DataDir(tmp_path).close()
    (tmp_path / "notes.txt").write_text("put there later")
    async with House(tmp_path) as house:
        await house.put(b"work", b"x")


async def test_a_later_layout_is_refused(tmp_path: Path) -> None:
    DataDir(tmp_path).close()
    (tmp_path / "FORMAT").write_text("3\n")
    for _ in range(2):  # the first leaves no lock behind
        with pytest.raises(DataFormatError, match="format 3 is of a newer darnerpy"):
            DataDir(tmp_path)
