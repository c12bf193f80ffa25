"""Leases: items that are held whoever is connected, until a deadline, also through a restart."""

import pytest

from darnerpy.config import DROP, QueueSettings
from darnerpy.errors import ServerError
from darnerpy.queues import upkeep as upkeep_module
from darnerpy.queues.batches import Lease
from darnerpy.queues.events import ABORT
from darnerpy.queues.holding import MAX_LEASE_MS
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.positions import Span
from darnerpy.queues.queue import Queue
from darnerpy.queues.upkeep import clock_was_set
from tests.unit.clients import Client, again, drain, hold, join, keep, put, take, take_all
from tests.unit.keeper import Keeper

NONCE = 2**63 + 5


def lease(keeper: Keeper, ttl: int = 100, nonce: int = NONCE) -> Lease:
    """The next item, under a lease that is written."""
    under = keeper.queue.lease(hold(keeper.queue), ttl, nonce)
    keeper.commit()
    return under


def leased(queue: Queue, under: Lease) -> OpenRead:
    held = queue.leased(b"", under)
    assert held is not None
    return held


def filled(settings: QueueSettings | None = None, items: int = 3) -> Keeper:
    keeper = keep(settings)
    put(keeper.queue, *(b"%d" % (n + 1) for n in range(items)))
    keeper.commit()
    return keeper


def test_a_lease_is_nobody_elses_and_is_written_with_the_batch_that_takes_the_item() -> None:
    keeper = filled()
    queue = keeper.queue
    held = hold(queue)
    under = queue.lease(held, 100, NONCE)
    batch = queue.batch
    assert batch is not None
    assert held.commit is batch
    assert batch.lasting
    assert under == Lease(1, batch.number, NONCE, keeper.clock.now + 100)
    keeper.commit()
    assert take_all(queue) == [b"2", b"3"]
    assert queue.is_empty(queue.own)
    assert queue.leased(b"", under) is held
    assert queue.leased(b"", under._replace(number=0)) is None
    assert queue.leased(b"", under._replace(nonce=0)) is None
    assert queue.leased(b"audit", under) is None


def test_it_lapses_when_it_is_due_and_not_when_the_settings_say() -> None:
    keeper = filled(QueueSettings(open_timeout=10))
    queue = keeper.queue
    waiting = Client()
    under = lease(keeper, 100)
    take_all(queue)
    join(queue, waiting)
    keeper.wait(99)
    assert queue.leased(b"", under) is not None
    assert waiting.got == []
    keeper.wait(1)
    assert queue.leased(b"", under) is None
    assert waiting.got == [b"1"]
    counters = queue.own.counters
    assert (counters.timeouts, counters.aborts) == (1, 1)


def test_leases_that_are_over_before_their_time_take_no_memory_until_then() -> None:
    keeper = filled(items=5000)
    queue = keeper.queue
    first = lease(keeper, 3_600_000)
    for _ in range(4000):
        queue.confirm_leased(leased(queue, lease(keeper, 3_600_000)))
    for _ in range(4000):
        queue.extend(leased(queue, first), 3_600_000)
    assert len(queue.own.kept) < 1000
    queue.extend(leased(queue, first), 100)
    keeper.commit()
    keeper.wait(100)
    assert queue.leased(b"", first) is None


def test_a_lease_that_was_given_in_another_year_does_not_last_until_then() -> None:
    keeper = filled()
    under = lease(keeper, 1000)
    keeper.clock.set(-365 * 24 * MAX_LEASE_MS)  # while the server was down
    keeper = again(keeper)
    keeper.wait(MAX_LEASE_MS - 1)
    assert keeper.queue.leased(b"", under) is not None
    keeper.wait(1)
    assert keeper.queue.leased(b"", under) is None


def test_what_lapsed_is_in_its_place_with_an_attempt_more() -> None:
    keeper = filled()
    lease(keeper, 100)
    keeper.wait(100)
    for each in (keeper, again(keeper)):
        assert each.queue.own.returns[1].attempts == 1
        assert each.queue.own.open == {}
        each.settle()
        assert drain(each) == [b"1", b"2", b"3"]


def test_it_can_be_extended_and_cut_short() -> None:
    keeper = filled()
    queue = keeper.queue
    under = lease(keeper, 100)
    held = leased(queue, under)
    keeper.wait(90)
    longer = queue.extend(held, 100)
    assert queue.batch is not None
    assert queue.batch.lasting
    assert longer == under._replace(deadline=under.deadline + 90)
    keeper.commit()
    keeper.wait(99)
    assert queue.leased(b"", under) is held
    queue.extend(held, 5)
    keeper.commit()
    assert again(keeper).queue.own.open[1].until == keeper.clock.monotonic_ms() + 5
    keeper.wait(5)
    assert queue.leased(b"", under) is None


def test_it_is_confirmed_once_and_gone_for_good() -> None:
    keeper = filled()
    queue = keeper.queue
    under = lease(keeper)
    held = leased(queue, under)
    assert queue.confirm_leased(held) is queue.batch is not None
    assert queue.leased(b"", under) is None
    keeper.commit()
    keeper.wait(1000)
    assert take_all(queue) == [b"2", b"3"]
    found = again(keeper).queue
    assert (found.own.open, found.own.positions.position) == ({}, 2)


@pytest.mark.parametrize("counted", [True, False])
def test_it_is_aborted(counted: bool) -> None:
    keeper = filled()
    queue = keeper.queue
    under = lease(keeper)
    assert queue.end_kept(leased(queue, under), counted, ABORT) is queue.batch is not None
    keeper.commit()
    for each in (queue, again(keeper).queue):
        assert each.leased(b"", under) is None
        assert each.own.open == {}
        assert {i: back.attempts for i, back in each.own.returns.items()} == (
            {1: 1} if counted else {}
        )
    keeper.wait(1000)
    assert take_all(queue) == [b"1", b"2", b"3"]


def test_another_lease_of_the_same_item_is_another() -> None:
    keeper = filled()
    queue = keeper.queue
    first = lease(keeper)
    queue.end_kept(leased(queue, first), True, ABORT)
    second = lease(keeper, nonce=9)
    assert second.id == first.id
    assert queue.leased(b"", first) is None
    found = again(keeper).queue
    assert found.leased(b"", first) is None
    assert found.leased(b"", second) is not None


# --- Through a restart


def test_a_restart_keeps_it_by_the_wall_clock() -> None:
    keeper = filled()
    under = lease(keeper, 100)
    keeper.clock.now += 40
    later = again(keeper)
    held = leased(later.queue, under)
    assert held.item.data is None
    assert (held.item.id, held.item.size, held.item.offset) == (1, 1, 0)
    assert held.until == later.clock.monotonic_ms() + 60
    assert later.queue.count(later.queue.own) == 2
    later.settle()
    assert drain(later) == [b"2", b"3"]
    later.wait(59)
    assert not held.gone
    later.wait(1)
    assert held.gone
    later.settle()
    assert drain(later) == [b"1"]


def test_one_that_lapsed_meanwhile_counts_an_attempt_at_once() -> None:
    keeper = filled(QueueSettings(max_attempts=2, dead_letter=DROP))
    for attempts in (1, 2):
        under = lease(keeper, 100)
        assert under.id == 1
        keeper.clock.now += 100
        keeper = again(keeper)
        own = keeper.queue.own
        assert keeper.queue.leased(b"", under) is None
        assert own.returns[1].attempts == attempts
        assert own.open == {}
        keeper.settle()
        keeper.look_ahead()
        keeper.settle()
    assert drain(keeper) == [b"2", b"3"]
    assert keeper.queue.own.counters.dropped == 1


def test_leases_of_consumers_are_theirs_and_end_with_them() -> None:
    keeper = keep()
    queue = keeper.queue
    audit = queue.consumer(b"audit")
    put(queue, b"1", b"2")
    own = queue.lease(hold(queue), 100, 1)
    theirs = queue.lease(hold(queue, audit), 100, 2)
    keeper.commit()
    found = again(keeper)
    assert found.queue.leased(b"", own) is not None
    assert found.queue.leased(b"audit", own) is None
    held = found.queue.leased(b"audit", theirs)
    assert held is not None
    found.queue.drop(found.queue.consumers[b"audit"])
    assert held.gone
    assert found.queue.leased(b"audit", theirs) is None
    found.queue.consumer(b"audit")
    found.commit()
    assert again(found).queue.leased(b"audit", theirs) is None
    assert again(found).queue.leased(b"", own) is not None


def test_a_flush_leaves_it_as_an_open_read() -> None:
    keeper = filled()
    under = lease(keeper)
    keeper.queue.flush()
    keeper.commit()
    for each in (keeper, again(keeper)):
        assert each.queue.count(each.queue.own) == 0
        each.queue.end_kept(leased(each.queue, under), True, ABORT)
        assert each.queue.count(each.queue.own) == 1


def test_a_full_mark_tells_of_all() -> None:
    keeper = filled()
    leases = [lease(keeper, nonce=n) for n in range(3)]
    keeper.queue.confirm_leased(leased(keeper.queue, leases[0]))
    keeper.queue.end_kept(leased(keeper.queue, leases[1]), True, ABORT)
    keeper.queue.want_full_mark()
    keeper.commit()
    found = again(keeper).queue
    assert [found.leased(b"", each) is not None for each in leases] == [False, False, True]


def test_an_item_that_cannot_be_read_is_under_no_lease() -> None:
    keeper = filled()
    under = lease(keeper)
    found = again(keeper)
    for held in list(found.queue.own.open.values()):
        found.queue.own.release(held)
    found.queue.resume_leases({})
    assert found.queue.leased(b"", under) is None
    put(found.queue, b"4")
    found.commit()
    assert again(found).queue.own.open == {}


def test_an_item_that_is_lost_is_under_no_lease() -> None:
    keeper = filled()
    under = lease(keeper)
    keeper.queue.lose(Span(1, 2, 0, 1), keep=True)
    assert keeper.queue.leased(b"", under) is None
    leases = keeper.queue.own.leases
    assert leases is not None
    assert leases.in_force == {}


def test_many_that_are_due_come_in_bounded_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "_STEPS", 2)
    keeper = filled(items=5)
    for nonce in range(5):
        lease(keeper, 100, nonce)
    keeper.clock.now += 100
    keeper.ring()
    assert len(keeper.queue.own.open) == 3
    assert keeper.rings
    keeper.settle()
    assert keeper.queue.own.open == {}
    assert take_all(keeper.queue) == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("by", [-500_000, 500_000])
def test_a_clock_that_is_set_changes_nothing_of_how_long_it_lasts(by: int) -> None:
    keeper = filled()
    under = lease(keeper, 100)
    keeper.clock.set(by)
    clock_was_set(keeper.queue)
    keeper.commit()
    keeper.clock.now += 40
    later = again(keeper)
    assert leased(later.queue, under).until == later.clock.monotonic_ms() + 60
    keeper.wait(59)
    assert keeper.queue.leased(b"", under) is not None
    keeper.wait(1)
    assert keeper.queue.leased(b"", under) is None


# --- When the disk fails


def fail(keeper: Keeper, landed: bool = False) -> None:
    keeper.seal()
    keeper.fail(landed)
    keeper.rejoin()
    keeper.settle()


@pytest.mark.parametrize("landed", [False, True])
def test_one_that_was_not_written_is_not_there(landed: bool) -> None:
    keeper = filled()
    held = hold(keeper.queue)
    under = keeper.queue.lease(held, 100, NONCE)
    fail(keeper, landed)
    assert held.gone
    for each in (keeper, again(keeper)):
        assert each.queue.leased(b"", under) is None
        assert each.queue.count(each.queue.own) == 3


@pytest.mark.parametrize("landed", [False, True])
def test_one_whose_confirmation_was_not_written_is_held_again(landed: bool) -> None:
    keeper = filled()
    under = lease(keeper)
    held = leased(keeper.queue, under)
    commit = keeper.queue.confirm_leased(held)
    fail(keeper, landed)
    assert commit is not None
    assert isinstance(commit.error, ServerError)
    assert keeper.queue.leased(b"", under) is held
    assert leased(again(keeper).queue, under).item.id == 1
    assert take_all(keeper.queue) == [b"2", b"3"]
    keeper.wait(100)
    assert held.gone
    assert take(keeper.queue) == b"1"


def test_what_was_not_written_of_an_extension_is_not_in_force() -> None:
    keeper = filled()
    queue = keeper.queue
    under = lease(keeper, 100)
    held = leased(queue, under)
    queue.extend(held, 1000)
    queue.extend(held, 2000)
    queue.confirm_leased(held)
    fail(keeper)
    assert queue.leased(b"", under) is held
    assert leased(again(keeper).queue, under).until == keeper.clock.monotonic_ms() + 100
    keeper.wait(99)
    assert not held.gone
    keeper.wait(1)
    assert held.gone


def test_what_came_back_stays_so_though_that_was_not_written() -> None:
    keeper = filled()
    queue = keeper.queue
    under = lease(keeper, 100)
    held = leased(queue, under)
    queue.extend(held, 1000)
    queue.end_kept(held, True, ABORT)
    assert take(queue) == b"1"
    fail(keeper)
    assert held.gone
    for each in (keeper, again(keeper)):
        assert each.queue.leased(b"", under) is None
        assert each.queue.own.returns[1].attempts == 1
    assert take_all(queue) == [b"1", b"2", b"3"]
