"""Which engine a queue has: the disk decides, and settings hold for queues that are new."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from darnerpy.config import QueueRule
from darnerpy.errors import JournalError
from darnerpy.journals import engines
from darnerpy.journals.engines import DISK_ENGINES, engine_in
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.units import SyncPolicy
from tests.brokers.house import House, Wait, until
from tests.journals.kept import Kept
from tests.journals.plain import PlainEngine

pytestmark = pytest.mark.asyncio

NEVER = SyncPolicy(always=False)


@pytest.fixture(autouse=True)
def another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.DISK_ENGINES, "plain", PlainEngine())


def using(engine: str, glob: bytes = b"*") -> tuple[QueueRule, ...]:
    return (QueueRule(glob, {"engine": engine}),)


def kept_by(directory: Path, queue: str) -> str:
    engine = engine_in(directory / "queues" / queue, DISK_ENGINES.values())
    return engine.name if engine else ""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    caplog.clear()
    return found


async def test_what_is_on_disk_is_served_whatever_settings_say(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(tmp_path) as house:
        await house.put(b"old", b"1", b"2")
    new = using("plain", b"new-by-plain") + using("memory", b"new-by-memory")
    for wanted in ("plain", "memory"):
        caplog.clear()
        async with House(tmp_path, queue_rules=using(wanted, b"old") + new) as house:
            house.broker.load()
            [told] = warnings(caplog)
            assert told.startswith(f"1 queue in leveldb, where settings say {wanted}: ")
            command = f"darnerpy convert old --engine plain --data {tmp_path} changes that"
            assert (command in told) == (wanted == "plain")
            await house.put(b"old", b"3")
            assert await house.take(b"old") is not None
            await house.put(b"new-by-" + wanted.encode(), b"n")
    assert kept_by(tmp_path, "old") == "leveldb"
    assert kept_by(tmp_path, "new-by-plain") == "plain"
    assert kept_by(tmp_path, "new-by-memory") == ""
    async with House(tmp_path) as house:
        assert await house.drain(b"old") == [b"3", b"3"]
        assert await house.drain(b"new-by-plain") == [b"n"]


async def test_the_warning_names_a_few_of_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with House(tmp_path) as house:
        for n in range(7):
            await house.put(b"q-%d" % n, b"x")
    async with House(tmp_path, queue_rules=using("plain")) as house:
        house.broker.load()
        [told] = warnings(caplog)
        assert "7 queues in leveldb" in told
        assert "convert q-0 q-1 q-2 q-3 q-4 … --engine plain" in told


async def test_a_reload_is_for_new_queues(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with House(tmp_path, sync=NEVER, queue_rules=using("memory", b"tmp")) as house:
        await house.put(b"old", b"1")
        await house.put(b"tmp", b"t")
        waiting = house.broker.create(b"waited-for")
        wait = Wait()
        waiting.queue.own.line.join(wait)
        settings = house.broker._store.settings
        house.broker.configure(replace(settings, queue_rules=using("plain")))
        house.broker.warn_of_mismatches()
        old, kept_in_memory = warnings(caplog)
        assert "with the server stopped, darnerpy convert old --engine plain" in old
        assert "what is in memory stays there until a restart" in kept_in_memory
        await house.put(b"old", b"2")
        await house.put(b"new", b"n")
        await house.put(b"waited-for", b"w")
        await until(wait.got.done)
        assert [house.broker.queues[name].engine for name in (b"old", b"tmp", b"new")] == [
            "leveldb",
            "memory",
            "plain",
        ]
        assert kept_by(tmp_path, "waited-for") == "plain"
        assert await house.drain(b"tmp") == [b"t"]
        await house.delete(b"old")
        await house.put(b"old", b"again")
        assert kept_by(tmp_path, "old") == "plain"


async def test_a_journal_that_appears_later_is_opened_by_its_own_engine(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=using("plain")) as house:
        kept = Kept(tmp_path / "queues/late", LevelDbEngine(), name=b"late")
        kept.put(b"from before")
        kept.close()
        with pytest.raises(JournalError, match="holds items that were not known of"):
            await house.put(b"late", b"refused")
        await until(lambda: house.broker.queues[b"late"].error is None)
        assert await house.drain(b"late") == [b"from before"]
        assert house.broker.queues[b"late"].engine == "leveldb"
    assert kept_by(tmp_path, "late") == "leveldb"


async def test_two_journals_in_one_place_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for engine in (LevelDbEngine(), PlainEngine()):
        kept = Kept(tmp_path / "queues/work", engine)
        kept.put(b"by " + engine.name.encode())
        kept.close()
    async with House(tmp_path) as house:
        assert list(house.broker.existing()) == []
        assert "has journals of leveldb and plain" in caplog.text
        with pytest.raises(JournalError, match="has journals of leveldb and plain"):
            await house.put(b"work", b"x")
        house.broker.queues[b"work"].delete()


async def test_journals_that_can_rest_are_opened_once(tmp_path: Path) -> None:
    async with House(
        tmp_path, sync=NEVER, queue_rules=using("plain"), max_open_journals=1
    ) as house:
        journals = house.broker._store.journals
        journals._awake.most = 3
        for n in range(20):
            await house.put(b"q-%d" % n, b"a", b"b")
        for n in range(20):
            assert await house.take(b"q-%d" % n) == b"a"
        await until(lambda: house.broker.idle)
        stored = [house.broker.queues[b"q-%d" % n] for n in range(20)]
        assert house.faults.calls["open"] == 20
        assert house.faults.calls["rest"] >= 34
        assert len(journals) == sum(each.journal is not None for each in stored) == 3
        assert all(each.disk_bytes for each in stored)
        journals._look()
        journals._look()
        assert len(journals) == 0
        assert await house.drain(b"q-0") == [b"b"]
        assert len(journals) == 1
    async with House(tmp_path, sync=NEVER) as house:
        assert [await house.drain(b"q-%d" % n) for n in range(3)] == [[], [b"b"], [b"b"]]


async def test_a_journal_that_cannot_rest_has_failed(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER, queue_rules=using("plain")) as house:
        await house.put(b"q", b"a")
        house.faults.broken.add("rest")
        stored = house.broker.queues[b"q"]
        stored._handle.rest()
        assert "rest is broken" in str(stored.error)
        house.faults.broken.clear()
        await until(lambda: stored.error is None)
        assert await house.drain(b"q") == [b"a"]
