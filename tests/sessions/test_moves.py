"""Moving items from queue to queue: nothing is lost on the way, nothing comes twice, and order is kept."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from darnerpy.brokers import mover
from darnerpy.config import QueueRule
from darnerpy.errors import (
    ClientError,
    JournalError,
    NotAllowedError,
    OutOfDiskError,
    PausedError,
    UnknownConsumerError,
    UnknownQueueError,
)
from darnerpy.queues.batches import PAUSED_GETS, PAUSED_PUTS
from darnerpy.queues.items import DEAD, MOVED, Item, Origin
from darnerpy.queues.queue import Queue
from darnerpy.sessions.guard import Status
from darnerpy.sessions.requests.moves import Moved, move, redrive
from darnerpy.sessions.requests.pauses import pause
from tests.brokers.conftest import every_engine
from tests.brokers.house import House, kept, until
from tests.sessions.desk import Desk, host_of
from tests.sessions.driver import drive

__all__ = ["every_engine"]

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("every_engine")]

WORK, OTHER, FAILED = b"work", b"other", b"failed"
MANY = 2000


def numbers(first: int, stop: int, length: int = 60) -> list[bytes]:
    return [b"%d" % number * length for number in range(first, stop)]


def rules(**tables: dict[str, object]) -> tuple[QueueRule, ...]:
    return tuple(QueueRule(name.encode(), values) for name, values in tables.items())


def waiting(house: House, name: bytes, consumer: bytes = b"") -> int:
    queue = house.queue(name)
    return queue.count(queue.consumers[consumer])


async def fail(house: House, times: int = 1, name: bytes = WORK) -> None:
    for _ in range(times):
        house.queue(name).abort(await house.open(name))


async def items_of(house: House, name: bytes) -> list[Item]:
    stored = await house.usable(name)
    journal = stored.journal
    assert journal is not None
    return journal.read(1, stored.queue.written, 1 << 30).items


async def test_the_first_ones_go_in_order(tmp_path: Path) -> None:
    async with House(tmp_path, window_memory=100_000) as house:
        await house.put(WORK, *numbers(0, MANY))
        await house.put_large(WORK, b"L" * 300_000)
        await house.put(WORK, b"between")
        await house.put_large(WORK, b"M" * 300_000)
        await house.put(WORK, b"last")
    async with House(tmp_path, window_memory=100_000) as house:
        host = host_of(house)
        assert await drive(move(host, "me", WORK, b"", OTHER, 1500)) == Moved(1500, 504, 0)
        assert await drive(move(host, "me", WORK, b"", OTHER)) == Moved(504, 0, 0)
        assert await drive(move(host, "me", WORK, b"", OTHER)) == Moved(0, 0, 0)
        assert house.queue(WORK).own.counters.moved == MANY + 4
        assert house.queue(OTHER).received == {MOVED: MANY + 4}
    async with House(tmp_path) as house:
        assert await house.drain(WORK) == []
        large = [b"L" * 300_000, b"between", b"M" * 300_000, b"last"]
        assert await house.drain(OTHER) == numbers(0, MANY) + large
        await house.put(WORK, b"new")
        assert await house.take(WORK) == b"new"


async def test_what_is_kept_and_what_is_new(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        queue = (await house.usable(WORK)).queue
        now = house.broker._store.clock.now_ms()
        expiry, due = now + 9_000_000, now + 3_600_000
        await kept(queue.put(b"1", 1, 7, expiry, due=due))
        await kept(queue.put(b"2", 1, 8, 0))
        await asyncio.sleep(0.01)
        await fail(house)
        assert await drive(move(host_of(house), "me", WORK, b"", OTHER)) == Moved(2, 0, 0)
        before = {item.id: item for item in await items_of(house, WORK)}
        first, second = await items_of(house, OTHER)
        assert (first.flags, first.expiry, first.due) == (7, expiry, due)
        assert (second.flags, second.expiry, second.due) == (8, 0, 0)
        for item in first, second:
            assert item.created == before[item.id].created
            assert item.origin == Origin(WORK, b"", item.id, MOVED, item.created)
        assert house.queue(OTHER).own.returns == {}
        assert await house.drain(OTHER) == [b"2"]
        assert len(house.queue(OTHER).delays) == 1
        assert len(house.queue(WORK).delays) == 0


async def test_what_is_held_stays(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, 5))
        held = await house.open(WORK)
        assert await drive(move(host_of(house), "me", WORK, b"", OTHER, 2)) == Moved(2, 2, 0)
        house.queue(WORK).abort(held)
        assert await house.drain(OTHER) == numbers(1, 3)
        assert await house.drain(WORK) == numbers(0, 1) + numbers(3, 5)


async def test_of_one_consumer_and_of_a_paused_queue(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        queue = (await house.usable(WORK)).queue
        audit = queue.consumer(b"audit")
        await house.put(WORK, *numbers(0, 5))
        host = host_of(house)
        await drive(pause(host, "me", WORK, PAUSED_GETS))
        assert await drive(move(host, "me", WORK, b"audit", OTHER, 3)) == Moved(3, 2, 0)
        assert (queue.count(queue.own), queue.count(audit)) == (5, 2)
        assert await house.drain(OTHER) == numbers(0, 3)


async def test_it_stops_at_a_full_queue(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=rules(other={"max_items": 100})) as house:
        await house.put(WORK, *numbers(0, 500))
        host = host_of(house)
        full = "other is full: 100 items of 11400 bytes wait, max_items = 100"
        assert await drive(move(host, "me", WORK, b"", OTHER)) == Moved(100, 400, 0, full)
        own = house.queue(WORK).own
        assert (own.unavailable, own.counters.moved) == (0, 100)
        assert await drive(move(host, "me", WORK, b"", OTHER)) == Moved(0, 400, 0, full)
        assert await house.drain(OTHER) == numbers(0, 100)
        assert await house.drain(WORK) == numbers(100, 500)


async def test_a_large_item_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=rules(other={"max_items": 1})) as house:
        await house.put(OTHER, b"in the way")
        await house.put_large(WORK, b"L" * 300_000)
        await house.put(WORK, b"behind")
        full = "other is full: 1 items of 10 bytes wait, max_items = 1"
        assert await drive(move(host_of(house), "me", WORK, b"", OTHER)) == Moved(0, 2, 0, full)
        files = tmp_path / "queues" / "other" / "large"
        await until(lambda: not (files.exists() and any(files.iterdir())))
        assert await house.drain(WORK) == [b"L" * 300_000, b"behind"]


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_large_item_waits_until_the_other_has_written_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    link, loop = mover._link, asyncio.get_running_loop()

    async with House(tmp_path) as house:
        await house.put_large(WORK, b"L" * 300_000)
        await house.put(WORK, b"behind")
        other = await house.usable(OTHER)

        def linked(*given: Any) -> None:
            link(*given)
            loop.call_soon_threadsafe(hold_back)

        def hold_back() -> None:
            other.queue.put(b"before", 6, 0, 0)
            other.hold_back()
            if deleted:
                other.delete()

        monkeypatch.setattr(mover, "_link", linked)
        moved = await drive(move(host_of(house), "me", WORK, b"", OTHER))
        if deleted:
            assert moved == Moved(0, 2, 0, "queue other was deleted meanwhile")
            assert await house.drain(WORK) == [b"L" * 300_000, b"behind"]
        else:
            assert moved == Moved(2, 0, 0)
            assert await house.drain(OTHER) == [b"before", b"L" * 300_000, b"behind"]


async def test_what_is_too_large_or_too_old_for_the_other_stays(tmp_path: Path) -> None:
    table: dict[str, object] = {"max_item_bytes": 100, "max_age": 60_000}
    async with House(tmp_path, queue_rules=rules(other=table)) as house:
        queue = (await house.usable(WORK)).queue
        await house.put(WORK, b"1", b"x" * 101)
        commit = queue.put(b"old", 3, 0, 0)
        queue.unwritten[-1].items[-1].created -= 61_000
        await kept(commit)
        await house.put(WORK, b"2")
        unfit = "item of 101 bytes is too large for other, at most 100 are allowed"
        host = host_of(house)
        assert await drive(move(host, "me", WORK, b"", OTHER, 2)) == Moved(2, 2, 0)
        assert await drive(move(host, "me", WORK, b"", OTHER)) == Moved(0, 2, 0, unfit)
        assert await house.drain(OTHER) == [b"1", b"2"]
        assert await house.drain(WORK) == [b"x" * 101, b"old"]


async def test_who_waits_there_is_served(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        desk = Desk(host)
        desk.say(b"get other/t=60000\r\n")
        await house.put(WORK, b"1", b"2")
        assert await drive(move(host, "me", WORK, b"", OTHER)) == Moved(2, 0, 0)
        await desk.hears(b"VALUE other/t=60000 0 1\r\n1\r\nEND\r\n")
        assert await house.drain(OTHER) == [b"2"]


@pytest.mark.parametrize("landed", [False, True])
async def test_the_other_fails(tmp_path: Path, landed: bool) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, b"1", b"2")
        await house.put(OTHER, b"0")
        host = host_of(house)
        (house.faults.half_broken if landed else house.faults.broken).add("write")
        with pytest.raises(JournalError):
            await drive(move(host, "me", WORK, b"", OTHER))
        house.faults.broken.clear()
        house.faults.half_broken.clear()
        for name in WORK, OTHER:
            await until(lambda name=name: house.broker.queues[name].ready)  # type: ignore[misc]
        assert waiting(house, WORK) == 2
        await drive(move(host, "me", WORK, b"", OTHER))
    async with House(tmp_path) as house:
        assert await house.drain(WORK) == []
        there = await house.drain(OTHER)
        assert there[0] == b"0"
        assert set(there[1:]) == {b"1", b"2"}
        assert landed or len(there) == 3


async def test_the_source_fails_meanwhile(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(OTHER, b"0")
        await house.put(WORK, *numbers(0, 5))
        host = host_of(house)
        house.faults.gate.clear()
        moving = asyncio.ensure_future(drive(move(host, "me", WORK, b"", OTHER)))
        await until(lambda: house.queue(OTHER).next_id > 2)
        house.broker.queues[WORK]._handle.fail(JournalError("the source fails"))
        house.faults.gate.set()
        with pytest.raises(JournalError, match="the source fails"):
            await moving
        await until(lambda: house.broker.queues[WORK].ready)
        assert waiting(house, WORK) == 5
        result = await drive(move(host, "me", WORK, b"", OTHER))
        assert result == Moved(5, 0, 0), "what is there already is not put once more"
        assert await house.drain(OTHER) == [b"0", *numbers(0, 5)]


async def test_a_queue_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, 500))
        host = host_of(house)
        moving = asyncio.ensure_future(drive(move(host, "me", WORK, b"", OTHER)))
        await until(lambda: OTHER in house.broker.queues and house.queue(OTHER).next_id > 2)
        await house.delete(WORK)
        with pytest.raises(UnknownQueueError, match="work was deleted meanwhile"):
            await moving
        assert (await house.drain(OTHER))[:1] == numbers(0, 1)


async def test_a_move_that_is_broken_off(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, MANY))
        moving = asyncio.ensure_future(drive(move(host_of(house), "me", WORK, b"", OTHER)))
        await until(lambda: OTHER in house.broker.queues and house.queue(OTHER).next_id > 100)
        moving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await moving
        await until(lambda: not house.queue(WORK).own.leaving)
        gone = MANY - waiting(house, WORK)
        assert 0 < gone < MANY
        assert await house.drain(OTHER) == numbers(0, gone)
        assert await house.drain(WORK) == numbers(gone, MANY)


async def test_the_disk_is_full_meanwhile(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, MANY))
        moving = asyncio.ensure_future(drive(move(host_of(house), "me", WORK, b"", OTHER)))
        await until(lambda: OTHER in house.broker.queues and house.queue(OTHER).next_id > 100)
        house.broker.space.watch(1 << 60)
        house.broker.space.look(1 << 60)
        moved, left, _, stopped = await moving
        assert (moved + left, house.queue(WORK).own.unavailable) == (MANY, 0)
        assert 0 < moved < MANY
        assert stopped.startswith("out of disk: ")
        house.broker.space.watch(None)
        assert await house.drain(OTHER) == numbers(0, moved)
        assert await house.drain(WORK) == numbers(moved, MANY)


async def test_a_repeat_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies when the other has them and this one does not know yet."""
    async with House(tmp_path) as house:
        await house.put(WORK, *numbers(0, 50))
        await house.put_large(WORK, b"L" * 300_000)
        monkeypatch.setattr(Queue, "left", lambda queue, departure, arrived: None)
        moving = asyncio.ensure_future(drive(move(host_of(house), "me", WORK, b"", OTHER)))
        await until(lambda: OTHER in house.broker.queues and house.queue(OTHER).written == 51)
        moving.cancel()
    monkeypatch.undo()
    async with House(tmp_path) as house:
        await house.usable(WORK)
        assert waiting(house, WORK) == 51
        assert await drive(move(host_of(house), "me", WORK, b"", OTHER)) == Moved(51, 0, 0)
        assert await house.drain(OTHER) == [*numbers(0, 50), b"L" * 300_000]


# -- back to where they came from


DEAD_LETTERS = rules(work={"max_attempts": 1, "dead_letter": FAILED})


async def test_dead_letters_go_back(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=DEAD_LETTERS) as house:
        await house.put(WORK, *numbers(0, 3))
        await house.put_large(WORK, b"L" * 300_000)
        await fail(house, 4)
        await house.usable(FAILED)
        await until(lambda: house.queue(FAILED).received == {DEAD: 4})
        await house.put(FAILED, b"a stranger")
        host = host_of(house)
        assert await drive(redrive(host, "me", FAILED, 1)) == Moved(1, 4, 0)
        assert await drive(redrive(host, "me", FAILED)) == Moved(3, 1, 1)
        assert await house.drain(FAILED) == [b"a stranger"]
        assert house.queue(WORK).own.returns == {}
        await fail(house)
        await until(lambda: house.queue(FAILED).received == {DEAD: 5})
        assert await house.drain(WORK) == [*numbers(1, 3), b"L" * 300_000]


async def test_they_go_to_the_consumer_that_had_them(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=DEAD_LETTERS) as house:
        queue = (await house.usable(WORK)).queue
        audit, gone = queue.consumer(b"audit"), queue.consumer(b"gone")
        await house.put(WORK, b"1", b"2")
        for consumer in audit, gone:
            held = queue.open(consumer)
            assert held is not None
            queue.abort(held)
        await house.usable(FAILED)
        await until(lambda: house.queue(FAILED).received == {DEAD: 2})
        await kept(queue.drop(gone))
        host = host_of(house)
        assert await drive(redrive(host, "me", FAILED)) == Moved(1, 1, 1)
        assert (queue.count(queue.own), queue.count(audit)) == (2, 2)
        taken = [item.data for item in (queue.take(audit), queue.take(audit)) if item]
        assert taken == [b"2", b"1"]
        assert await drive(redrive(host, "me", FAILED, to=OTHER)) == Moved(1, 0, 0)
        assert await house.drain(OTHER) == [b"1"]


async def test_those_that_stay_are_passed_over(tmp_path: Path) -> None:
    """However many they are; and one queue that is full keeps no others from going."""
    tables = rules(
        work={"max_attempts": 1, "dead_letter": FAILED, "max_items": 1},
        mail={"max_attempts": 1, "dead_letter": FAILED},
    )
    async with House(tmp_path, queue_rules=tables, window_memory=100_000) as house:
        mine = numbers(0, MANY)
        await house.put(FAILED, *mine)
        for name in WORK, b"mail", WORK, b"mail":
            await house.put(name, name)
            await fail(house, name=name)
            await until(lambda name=name: waiting(house, name) == 0)  # type: ignore[misc]
        await house.put(FAILED, b"last")
    async with House(tmp_path, queue_rules=tables, window_memory=100_000) as house:
        result = await drive(redrive(host_of(house), "me", FAILED))
        full = "work is full: 1 items of 4 bytes wait, max_items = 1"
        assert result == Moved(3, MANY + 2, MANY + 1, full)
        assert await house.drain(b"mail") == [b"mail"] * 2
        assert await house.drain(WORK) == [WORK]
        assert await house.drain(FAILED) == [*mine, WORK, b"last"]


async def test_to_a_queue_that_is_paused(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=DEAD_LETTERS) as house:
        await house.put(WORK, b"1")
        await fail(house)
        await until(lambda: FAILED in house.broker.queues and house.queue(FAILED).written == 2)
        host = host_of(house)
        await drive(pause(host, "me", WORK, PAUSED_PUTS))
        paused = Moved(0, 1, 0, "puts of work are paused")
        assert await drive(redrive(host, "me", FAILED)) == paused


async def test_to_a_queue_that_is_no_more(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=DEAD_LETTERS) as house:
        await house.put(WORK, b"1")
        await fail(house)
        await until(lambda: FAILED in house.broker.queues and house.queue(FAILED).written == 2)
        await house.delete(WORK)
        assert await drive(redrive(host_of(house), "me", FAILED)) == Moved(1, 0, 0)
        assert await house.drain(WORK) == [b"1"]


async def test_nothing_is_taken_out_of_a_queue_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    async with House(tmp_path, queue_rules=DEAD_LETTERS) as house:
        await house.put(WORK, b"1")
        await fail(house)
        await until(lambda: FAILED in house.broker.queues and house.queue(FAILED).written == 2)
        steps = redrive(host_of(house), "me", FAILED)
        read, work = asyncio.Event(), await house.usable(WORK)
        wait = next(steps)
        assert wait is not None
        wait(read.set)
        await read.wait()
        work.queue.put(b"2", 1, 0, 0)
        work.hold_back()  # as if it were much
        assert next(steps) is not None
        await house.delete(FAILED)
        await until(lambda: work.ready)
        with pytest.raises(UnknownQueueError, match="deleted meanwhile"):
            await drive(steps)
        assert await house.drain(WORK) == [b"2"]


# -- what is refused


async def test_what_is_refused(tmp_path: Path) -> None:
    async with House(tmp_path, aliases={b"all": ((WORK, b""),)}) as house:
        host = host_of(house)
        with pytest.raises(UnknownQueueError):
            await drive(move(host, "me", WORK, b"", OTHER))
        await house.put(WORK, b"1")
        with pytest.raises(UnknownConsumerError):
            await drive(move(host, "me", WORK, b"audit", OTHER))
        with pytest.raises(ClientError, match="to: expected another queue than work itself"):
            await drive(move(host, "me", WORK, b"", WORK))
        with pytest.raises(ClientError, match="all is an alias"):
            await drive(move(host, "me", WORK, b"", b"all"))
        with pytest.raises(ClientError, match="n: expected a whole number"):
            await drive(redrive(host, "me", WORK, 0))
        await house.put(OTHER, b"2")
        await drive(pause(host, "me", OTHER, PAUSED_PUTS))
        with pytest.raises(PausedError):
            await drive(move(host, "me", WORK, b"", OTHER))
        for refused in (Status.READONLY, Status.QUIESCENT):
            host.guard.set(refused)
            with pytest.raises(NotAllowedError):
                await drive(redrive(host, "me", WORK))
        host.guard.set(Status.UP)
        house.broker.space.watch(1 << 60)
        house.broker.space.look(1 << 60)
        host.guard._decide()
        with pytest.raises(OutOfDiskError):
            await drive(move(host, "me", WORK, b"", b"third"))
        assert b"third" not in house.broker.queues
        assert os.listdir(tmp_path / "queues") is not None
        house.broker.space.watch(None)
        assert await house.drain(WORK) == [b"1"]
