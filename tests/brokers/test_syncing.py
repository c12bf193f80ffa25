"""What is forced to disk when: by queue, by time, by operations, and after a change of the policy."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import QueueRule, Settings, SyncPolicy
from darnerpy.errors import JournalError
from tests.brokers.house import House, kept, until

pytestmark = pytest.mark.asyncio

ALWAYS = SyncPolicy(always=True)
NEVER = SyncPolicy(always=False)
HOUR = SyncPolicy(always=False, interval_ms=3_600_000)
SOON = SyncPolicy(always=False, interval_ms=100)


def rule(glob: bytes, **values: Any) -> QueueRule:
    return QueueRule(glob, values)


def reload(house: House, **values: Any) -> None:
    house.broker.configure(Settings(queue_rules=(rule(b"*", **values),)))


async def test_each_queue_has_its_own_policy(tmp_path: Path) -> None:
    rules = rule(b"sure", sync=ALWAYS), rule(b"late", sync=SOON), rule(b"some", sync_ops=2)
    async with House(tmp_path, sync=NEVER, queue_rules=rules) as house:
        for name in (b"other", b"late", b"some"):
            await house.put(name, b"x")
        assert not any(house.faults.syncs)
        await house.put(b"sure", b"x")
        assert house.faults.syncs.pop() is True
        await until(lambda: house.faults.calls["sync"] == 1)
        await house.put(b"some", b"x")
        assert house.faults.calls["sync"] == 2
        assert not any(house.faults.syncs)


async def test_operations_are_counted_and_synced_before_the_answer(tmp_path: Path) -> None:
    async with House(tmp_path, sync_ops=5) as house:
        calls = house.faults.calls
        for n in range(3):
            await house.put(b"q", b"%d" % n)
        await house.take(b"q")
        held = await house.open(b"q")  # opening is no operation
        assert calls["sync"] == 0
        await house.close(b"q", held)
        assert calls["sync"] == 1
        await house.put(b"q", b"1", b"2", b"3", b"4")
        assert calls["sync"] == 1
        await house.put(b"q", b"5", b"6", b"7")  # one batch over the bound is one sync
        assert calls["sync"] == 2
        await house.put(b"q", b"8", b"9", b"10", b"11")
        assert calls["sync"] == 2


async def test_an_answer_waits_for_the_sync_that_is_due(tmp_path: Path) -> None:
    async with House(tmp_path, sync_ops=2) as house:
        await house.put(b"q", b"1")
        house.faults.broken.add("sync")
        with pytest.raises(JournalError, match="sync is broken"):
            await house.put(b"q", b"2")
        house.faults.broken.clear()


async def test_one_operation_is_synced_at_once(tmp_path: Path) -> None:
    async with House(tmp_path, sync_ops=1) as house:
        await house.put(b"q", b"x")
        await house.take(b"q")
        assert house.faults.calls["sync"] == 2


async def test_what_is_synced_for_another_reason_begins_the_count_anew(tmp_path: Path) -> None:
    async with House(tmp_path, sync_ops=3) as house:
        await house.put(b"q", b"1")
        await house.put(b"q", b"2", sync=True)
        await house.put(b"q", b"3")
        await house.put(b"q", b"4")
        assert (house.faults.syncs, house.faults.calls["sync"]) == ([False, True, False, False], 0)
        await house.put(b"q", b"5")
        assert house.faults.calls["sync"] == 1


async def test_time_and_operations_together(tmp_path: Path) -> None:
    async with House(tmp_path, sync=SOON, sync_ops=3) as house:
        await house.put(b"q", b"1", b"2")
        await until(lambda: house.faults.calls["sync"] == 1)  # and nothing is called
    async with House(tmp_path / "2", sync=HOUR, sync_ops=3) as house:
        await house.put(b"q", b"1", b"2")
        await house.put(b"q", b"3")
        assert house.faults.calls["sync"] == 1
        # Nothing is owed any more, so no timer is left.
        assert house.broker.queues[b"q"]._handle.syncing.settle() is False


async def test_what_is_owed_for_operations_is_paid_when_the_journal_is_closed(
    tmp_path: Path,
) -> None:
    async with House(tmp_path, sync_ops=100, max_open_journals=1) as house:
        await house.put(b"a", b"x")
        await house.put(b"b", b"x")
        await until(lambda: house.faults.calls["sync"] == 1)


@pytest.mark.parametrize("stricter", [{"sync": ALWAYS}, {"sync": HOUR}, {"sync_ops": 50}])
async def test_a_stricter_policy_syncs_at_once(tmp_path: Path, stricter: dict[str, Any]) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"x")
        reload(house, **stricter)
        await until(lambda: house.faults.calls["sync"] == 1)
        await until(lambda: house.broker.idle)
        reload(house, **stricter)
        await until(lambda: house.broker.idle)
        assert house.faults.calls["sync"] == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"sync": ALWAYS}, {"sync": NEVER}),
        ({"sync": ALWAYS}, {"sync_ops": 1}),
        ({"sync": HOUR}, {"sync": NEVER}),
        ({"sync": HOUR, "sync_ops": 5}, {"sync": HOUR, "sync_ops": 6}),
        ({"sync_ops": 5}, {"sync": NEVER}),
    ],
)
async def test_a_laxer_one_does_not(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    async with House(tmp_path, **before) as house:
        await house.put(b"q", b"x")
        reload(house, **after)
        await until(lambda: house.broker.idle)
        assert house.faults.calls["sync"] == 0


async def test_the_new_policy_holds_from_then_on(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"1")
        reload(house, sync=ALWAYS)
        await house.put(b"q", b"2")
        reload(house, sync_ops=2)
        await until(lambda: house.broker.idle)
        before = house.faults.calls["sync"]
        await house.put(b"q", b"3")
        await house.put(b"q", b"4")
        assert house.faults.calls["sync"] == before + 1
        reload(house, sync=NEVER)
        await house.put(b"q", b"5")
        assert house.faults.syncs == [False, True, False, False, False]


async def test_a_write_that_was_under_way_is_synced_as_well(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        await house.put(b"q", b"first")
        house.faults.gate.clear()
        put = asyncio.ensure_future(house.put(b"q", b"x" * 100_000))
        await until(lambda: house.faults.calls["write"] == 2)
        reload(house, sync=ALWAYS)
        await until(lambda: house.faults.calls["sync"] == 1)
        house.faults.gate.set()
        await put
        await until(lambda: house.faults.calls["sync"] == 2)


async def test_what_was_closed_unsynced_is_synced_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees: list[Path] = []
    for module in ("handle", "opening"):
        monkeypatch.setattr(f"darnerpy.brokers.{module}.sync_tree", trees.append)
    async with House(tmp_path, sync=NEVER, max_open_journals=1) as house:
        for name in (b"a", b"b", b"c"):
            await house.put(name, b"x")
        await until(lambda: house.broker.open_journals == 1 and house.broker.idle)
        reload(house, sync=HOUR)
        await until(lambda: len(trees) == 3)
        assert {path.name for path in trees} == {"a", "b", "c"}
        assert house.faults.calls["sync"] == 1
        reload(house, sync=ALWAYS)
        await until(lambda: len(trees) == 4)  # only of the one that is open
        assert house.faults.calls["open"] == 3


async def test_what_was_owed_before_a_failure_is_paid_after_it(tmp_path: Path) -> None:
    async with House(tmp_path, sync=HOUR) as house:
        await house.put(b"q", b"1")
        house.faults.broken.add("write")
        commit = house.queue(b"q").put(b"2", 1, 0, 0)
        with pytest.raises(Exception, match="write is broken"):
            await kept(commit)
        assert house.faults.calls["sync"] == 0
        house.faults.broken.clear()
        await until(lambda: house.faults.calls["sync"] == 1)
        assert await house.drain(b"q") == [b"1"]
