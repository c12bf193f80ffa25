"""A journal that is opened again knows where everyone stood, whatever happened before."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.queues.batches import PAUSED_GETS, PAUSED_PUTS, Batch, Lease, Mark
from darnerpy.queues.items import Item
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.positions import span_of
from tests.journals.kept import Kept, StillClock, read_all


def test_a_new_journal_is_empty(durable: Kept) -> None:
    assert (durable.found.next_id, durable.found.batch, durable.found.positions) == (1, 0, {})
    assert durable.found.name == b"work"
    assert not durable.found.damage


@pytest.mark.parametrize("count", range(1, 6))
def test_every_item_of_a_short_log_is_found_again(durable: Kept, count: int) -> None:
    for number in range(count):
        durable.put(b"%d" % number)
    found = durable.reopen()
    assert (found.next_id, found.next_offset, found.damage) == (count + 1, count, [])
    assert durable.waiting == [b"%d" % number for number in range(count)]


def test_items_confirmed_out_of_order_stay_confirmed(durable: Kept) -> None:
    durable.put(b"1", b"2", b"3", b"4", b"5")
    queue, own = durable.queue, durable.queue.own
    held = [queue.open(own) for _ in range(4)]
    for read in (held[1], held[3]):
        assert read is not None
        queue.close(read)
    durable.commit()
    durable.reopen()
    assert durable.take(9) == [b"1", b"3", b"5"]
    durable.reopen()
    assert durable.waiting == []


def test_flush_spares_what_is_held(durable: Kept) -> None:
    durable.put(b"1", b"2", b"3", b"4")
    held = [durable.queue.open(durable.queue.own) for _ in range(3)]
    assert held[0] is not None
    assert held[2] is not None
    durable.queue.abort(held[0])
    durable.queue.abort(held[2])
    durable.queue.flush()
    durable.commit()
    durable.reopen()
    assert durable.waiting == [b"2"]


def test_a_batch_that_was_not_written_leaves_no_trace(durable: Kept) -> None:
    durable.put(b"1")
    durable.queue.put(b"2", 1, 0, 0)
    durable.queue.take(durable.queue.own)
    durable.reopen()
    assert durable.waiting == [b"1"]


def test_a_half_upload_leaves_no_trace(durable: Kept, tmp_path: Path) -> None:
    durable.put_large(b"whole" * 100_000)
    half = durable.large.upload()
    half.write([b"half"])
    whole = durable.large.upload()
    whole.write([b"whole, but never put"])
    whole.finish(True)
    unpublished = [*tmp_path.rglob("*.part")]
    durable.reopen()
    assert len(unpublished) == 2
    assert [path.name for path in tmp_path.rglob("large/*")] == ["1-1.item"]


def test_trimming_goes_on_after_a_restart(durable: Kept) -> None:
    for number in range(30):
        durable.put(b"%d" % number, b"%d" % number)
    for _ in range(10):
        durable.take(5)
        durable.trim()
        assert durable.found.trimmed <= durable.queue.own.positions.position
        durable.reopen()
    assert durable.waiting == [b"%d" % (number // 2) for number in range(50, 60)]


def test_leases_and_what_is_paused_are_known_again(durable: Kept) -> None:
    durable.put(b"1", b"2", b"3", b"4", b"5")
    marks = [
        [Lease(1, 1, 11, 900), Lease(2, 2, 22, 900), Lease(3, 3, 33, 900)],
        [Lease(2, 4, 44, 950)],  # another one of the same item
        [Lease(3, 3, 33, 0)],  # ended
    ]
    for number, leases in enumerate(marks):
        batch = Batch(10 + number)
        batch.marks = [Mark(b"", 1, 0, [], False, [], leases)]
        batch.next_id, batch.next_offset, batch.paused = 6, 5, [0, PAUSED_PUTS, PAUSED_GETS][number]
        durable.journal.write(batch, sync=False)
    for _ in range(2):
        found = durable.reopen()
        assert found.leases == {b"": [Lease(1, 1, 11, 900), Lease(2, 4, 44, 950)]}
        assert found.paused == PAUSED_GETS
        durable.commit_full()
    assert durable.take(1) == []  # paused
    durable.queue.pause(0)
    assert durable.take(1) == [b"1"]
    durable.queue.pause(PAUSED_GETS)
    durable.commit()
    assert durable.reopen().leases == {b"": [Lease(2, 4, 44, 950)]}
    durable.trim()
    found = durable.reopen()
    assert (found.leases, found.paused) == ({b"": [Lease(2, 4, 44, 950)]}, PAUSED_GETS)
    durable.queue.flush()
    durable.commit()
    assert durable.reopen().leases == {b"": []}


def test_what_is_not_due_is_known_without_the_backlog(durable: Kept) -> None:
    queue, now = durable.queue, StillClock().now_ms()
    queue.put(b"1", 1, 0, 0, due=now + 5)
    queue.put(b"2", 1, 0, 0)
    durable.commit_full()
    queue.put(b"3", 1, 0, 0, due=now + 3)
    durable.commit()
    durable.put(b"4")
    known = [(1, now + 5), (3, now + 3)]
    assert durable.reopen().delays == known
    durable.commit_full()
    assert durable.reopen().delays == known
    assert durable.take(9) == [b"2", b"4"]
    durable.trim()
    assert durable.reopen().delays == known
    assert [item.due for item in read_all(durable, 1, 2)] == [now + 5]
    durable.queue.flush()
    durable.commit_full()
    assert durable.reopen().delays == []


def test_times_of_their_own_outlive_a_trim_that_writes_items_anew(durable: Kept) -> None:
    queue = durable.queue
    before: list[Item] = []
    for number in range(100):
        batch = queue.put(b"%02d" % number, 2, 0, 0, due=5 if number % 10 == 0 else 0)
        before.append(batch.items[-1])
        before[-1].created += number % 3
    durable.commit()
    for number in range(100):
        if number % 10 and number % 10 != 7:
            queue.own.positions.confirm(span_of(before[number]))
    durable.trim()
    durable.reopen()
    assert read_all(durable, 91, 92) == [before[90]]
    left = [item for item in before if item.id % 10 in (1, 8)]
    assert [read_all(durable, item.id, item.id + 1) for item in left] == [[item] for item in left]


Actions = st.lists(
    st.tuples(
        st.sampled_from(
            ["put", "put", "take", "open", "close", "abort", "flush", "commit", "trim"]
        ),
        st.integers(0, 5),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(Actions, min_size=1, max_size=4))
@pytest.mark.parametrize("kind", [LevelDbEngine, ArenaEngine])
def test_any_history_is_recovered(
    kind: type[LevelDbEngine | ArenaEngine], lives: list[list[tuple[str, int]]]
) -> None:
    """The model: the ids that wait, those that are held, and what that was at the last commit."""
    with tempfile.TemporaryDirectory() as directory:
        kept = Kept(Path(directory), kind())
        for actions in lives:
            expected = _live(kept, actions)
            kept.reopen()
            assert kept.waiting == [b"%d" % number for number in expected]
            own = kept.queue.own
            assert kept.queue.count(own) == len(expected)
            assert kept.queue.backlog_bytes(own) == sum(len(b"%d" % n) for n in expected)
            assert not kept.found.damage
        kept.close()


def _live(kept: Kept, actions: list[tuple[str, int]]) -> list[int]:
    """Do something; returns the ids that must be there after a crash."""
    queue, own = kept.queue, kept.queue.own
    at = own.positions
    alive = {n for n in range(at.position, queue.next_id) if not at.is_confirmed(n)}
    safe = sorted(alive)
    held: list[OpenRead] = []
    for action, number in actions:
        if action == "put":
            for _ in range(number + 1):
                data = b"%d" % queue.next_id
                alive.add(queue.next_id)
                queue.put(data, len(data), 0, 0)
        elif action == "take":
            kept.load()
            item = queue.take(own)
            if item is not None:
                alive.discard(item.id)
        elif action == "open":
            kept.load()
            read = queue.open(own)
            if read is not None:
                held.append(read)
        elif action in ("close", "abort") and held:
            read = held.pop(number % len(held))
            if action == "close":
                alive.discard(read.item.id)
                queue.close(read)
            else:
                queue.abort(read)
        elif action == "flush":
            alive &= {read.item.id for read in held}
            queue.flush()
        elif action == "trim":
            kept.trim()
        elif action == "commit":
            kept.commit()
        if queue.batch is None:
            safe = sorted(alive)
    return safe
