"""Trimming above items that somebody is still to get: they stay, in order, and little else does."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darnerpy.inspection.check import check_queue
from darnerpy.journals.leveldb import trimming
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.journals.leveldb.journal import LevelDbJournal
from darnerpy.journals.records import BLOCK, block_key, decode_block, mark_key, split_key
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.items import Item, Origin
from darnerpy.queues.open_reads import OpenRead
from darnerpy.queues.positions import Span
from tests.journals.kept import Kept

OVERHEAD = 64
"""Bytes that an item may cost beside its data."""


def ids_on_disk(kept: Kept) -> list[int]:
    """Of all blocks there are, in the order of the keys."""
    assert isinstance(kept.journal, LevelDbJournal)
    found = []
    for key, value in kept.journal.entries():
        if split_key(key)[1] == BLOCK:
            found += [item.id for item in decode_block(key, value)[0]]
    return found


def marks_on_disk(kept: Kept) -> int:
    assert isinstance(kept.journal, LevelDbJournal)
    return sum(split_key(key)[1] != BLOCK for key, _ in kept.journal.entries())


def hold(kept: Kept, count: int) -> list[OpenRead]:
    kept.load()
    reads = [kept.queue.open(kept.queue.own) for _ in range(count)]
    return [read for read in reads if read is not None]


def close(kept: Kept, reads: list[OpenRead]) -> None:
    for read in reads:
        kept.queue.close(read)
    kept.commit()


def test_a_held_item_keeps_only_itself(kept: Kept) -> None:
    kept.put(*(b"%d" % n for n in range(1, 101)))
    hold(kept, 1)
    kept.take(99)
    kept.trim()
    assert kept.waiting == [b"1"]
    assert kept.journal.size() < 20_000
    if isinstance(kept.journal, LevelDbJournal):
        assert ids_on_disk(kept) == [1]
        assert marks_on_disk(kept) == 2


def test_what_is_left_of_a_block_is_as_it_was(durable: Kept) -> None:
    origin = Origin(b"from", b"audit", 7, 1, 12345)
    durable.put(b"before" * 10)
    for n in range(30):
        durable.queue.put(b"%d" % n * n, len(b"%d" % n * n), n, n * 2**41, origin=origin)
    durable.commit()
    before = {item.id: item for item in durable.journal.read(1, 32, 1 << 20).items}
    reads = hold(durable, 31)
    left = [0, 9, 10, 11, 30]
    close(durable, [read for at, read in enumerate(reads) if at not in left])
    durable.trim()
    durable.reopen()
    assert ids_on_disk(durable) == [at + 1 for at in left]
    for item_id in ids_on_disk(durable):
        assert durable.journal.read(item_id, item_id + 1, 1).items == [before[item_id]]


def test_a_block_is_left_alone_while_little_of_it_is_confirmed(durable: Kept) -> None:
    durable.put(*(b"x" * 1000 for _ in range(30)))
    reads = hold(durable, 30)
    close(durable, reads[3:10:2])
    full = durable.commit_full()
    durable.commit_full()
    durable.journal.trim(full, thorough=False)
    assert ids_on_disk(durable) == list(range(1, 31))
    close(durable, reads[10:17])
    full = durable.commit_full()
    durable.commit_full()
    durable.journal.trim(full, thorough=False)
    assert ids_on_disk(durable) == [1, 2, 3, 5, 7, 9, *range(18, 31)]


def test_a_thorough_trim_leaves_no_waste_that_counts(durable: Kept) -> None:
    count = 100
    for _ in range(count):
        durable.put(*(os.urandom(1000) for _ in range(60)))
    reads = hold(durable, count * 60)
    close(durable, reads[::10])
    full = durable.commit_full()
    durable.commit_full()
    assert 0 <= durable.journal.trim(full, thorough=False).wasted < (1 << 20) + 1
    close(durable, reads[1::10])
    full = durable.commit_full()
    durable.commit_full()
    wasted = durable.journal.trim(full, thorough=False).wasted
    assert wasted > 1 << 20
    assert durable.journal.trim(full, thorough=True).wasted == 0
    assert len(ids_on_disk(durable)) * 1000 < count * 60 * 800 + (1 << 20)
    durable.journal.compact()
    assert durable.journal.size() < count * 60 * 800 * 1.1 + (1 << 20)


def test_a_block_with_many_holes_is_written_anew_once(durable: Kept) -> None:
    durable.put(*(b"x" * 100 for _ in range(200)))
    reads = hold(durable, 200)
    close(durable, reads[::2])
    full = durable.commit_full()
    durable.commit_full()
    assert durable.journal.trim(full, thorough=False).deleted < 2 * 200 * 130
    assert ids_on_disk(durable) == list(range(2, 201, 2))


def test_kept_spans_among_holes_stay(kept: Kept) -> None:
    kept.put(*(b"%d" % n for n in range(1, 31)))
    hold(kept, 1)
    kept.take(20)
    kept.queue.kept = [Span(9, 11, 0, 0), Span(4, 6, 0, 0)]
    kept.trim()
    found = [i.id for i in kept.journal.read(1, 2, 1).items]
    found += [i.id for n in (4, 5, 9, 10) for i in kept.journal.read(n, n + 1, 1).items]
    assert found == [1, 4, 5, 9, 10]
    assert len(kept.journal.read(6, 9, 1 << 16).items) == 0


def test_the_furthest_behind_decides(kept: Kept) -> None:
    audit = kept.queue.consumer(b"audit")
    kept.put(*(b"%d" % n for n in range(1, 101)))
    kept.take(80)
    drain(kept, audit, 30)
    kept.trim()
    assert [i.id for i in kept.journal.read(31, 101, 1 << 16).items] == list(range(31, 101))
    kept.queue.drop(audit)
    kept.commit()
    kept.trim()
    assert [i.id for i in kept.journal.read(81, 101, 1 << 16).items] == list(range(81, 101))
    if isinstance(kept.journal, LevelDbJournal):
        assert ids_on_disk(kept) == list(range(81, 101))


def drain(kept: Kept, consumer: Consumer, count: int) -> None:
    while (missing := consumer.missing(kept.queue.written)) is not None:
        piece = kept.journal.read(*missing, 1 << 20)
        kept.queue.loaded(consumer, piece.items, missing[0], piece.stop)
    for _ in range(count):
        kept.queue.take(consumer)
    kept.commit()


@pytest.mark.parametrize("large", [1, 3, 5])
def test_large_items_behind_a_held_one_are_removed(kept: Kept, large: int) -> None:
    for n in range(1, 6):
        kept.put_large(b"%d" % n * 300_000)
    reads = hold(kept, 5)
    close(kept, [read for read in reads if read.item.id != large])
    kept.trim()
    assert kept.large.size() == 300_000
    [item] = kept.journal.read(large, large + 1, 1).items
    os.close(kept.large.open(item))


def test_one_damaged_full_mark_makes_nothing_look_lost(durable: Kept) -> None:
    """The newest one is damaged: what it alone allows to be deleted is not deleted yet."""
    durable.put(*(b"%d" % n for n in range(1, 51)))
    hold(durable, 1)
    durable.take(30)
    durable.trim()
    durable.take(10)
    durable.trim()
    database = durable.journal._db  # type: ignore[attr-defined]
    marks = [key for key, _ in database.iterator() if len(key) == len(mark_key(1, 0))]
    assert len(marks) == 2
    for key in marks:
        value = database.get(key)
        database.put(key, value[:-1] + bytes([value[-1] ^ 1]))
        found = durable.reopen()
        # The older one is not looked at while the newer is whole.
        assert len(found.damage) == (key == marks[-1])
        assert durable.waiting == [b"1", *(b"%d" % n for n in range(42, 51))]
        database = durable.journal._db  # type: ignore[attr-defined]
        database.put(key, value)


def test_where_a_deletion_was_undone_no_item_comes_twice(durable: Kept) -> None:
    durable.put(*(b"%d" % n for n in range(1, 31)))
    database = durable.journal._db  # type: ignore[attr-defined]
    old = database.get(block_key(1))
    reads = hold(durable, 30)
    close(durable, [read for at, read in enumerate(reads) if at not in (4, 5, 6, 20)])
    durable.trim()
    assert ids_on_disk(durable) == [5, 6, 7, 21]
    database.put(block_key(1), old)
    durable.reopen()
    assert durable.waiting == [b"5", b"6", b"7", b"21"]
    assert [item.id for item in durable.journal.read(1, 31, 1 << 16).items] == list(range(1, 31))


@pytest.mark.parametrize("kind", [b"\x05", b"", b"\x00", b"\x01\x00"], ids=repr)
def test_a_key_that_is_nobodys_stops_neither_reads_nor_trims(durable: Kept, kind: bytes) -> None:
    """As a wrong bit may leave it where LevelDB was repaired."""
    origin = Origin(b"from", b"", 7, 1, 12345)
    for n in range(1, 31):
        durable.queue.put(b"%d" % n, len(b"%d" % n), 0, 0, origin=origin)
        durable.commit()
    durable.take(15)
    durable.commit_full()
    database = durable.journal._db  # type: ignore[attr-defined]
    for wrong in (10, 20):
        database.put(block_key(wrong)[:-1] + kind, database.get(block_key(wrong)))
        database.delete(block_key(wrong))
    durable.reopen()
    for first in (1, 10, 11, 20, 21):
        ids = [item.id for item in durable.journal.read(first, 31, 1 << 16).items]
        assert ids == [n for n in range(first, 31) if n not in (10, 20)]
    durable.commit_full()
    durable.journal.trim(durable.commit_full(), thorough=True)
    durable.journal.compact()
    assert durable.journal.read(1, 15, 1 << 16).items == []
    durable.reopen()
    assert [item.id for item in durable.journal.read(16, 31, 1 << 16).items] == [
        *range(16, 20),
        *range(21, 31),
    ]


def test_a_read_does_not_cross_what_was_deleted(
    durable: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for a held item must not wait for a million deleted ones behind it."""
    durable.put(b"held")
    for n in range(200):
        durable.put(*(b"%d" % n for _ in range(5)))
    hold(durable, 1)
    durable.take(1000)
    durable.trim()
    seen: list[bytes] = []
    journal = durable.journal
    assert isinstance(journal, LevelDbJournal)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_db", _Watched(journal._db, seen))
        assert [item.data for item in journal.read(1, 2, 1 << 16).items] == [b"held"]
    assert len(seen) <= 2


class _Watched:
    """A database that notes the keys that iterators come by."""

    def __init__(self, real: Any, seen: list[bytes]) -> None:
        self._real, self._seen = real, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @contextmanager
    def iterator(self, **options: Any) -> Iterator[Iterator[Any]]:
        with self._real.iterator(**options) as entries:
            yield (entry for entry in entries if self._note(entry))

    def _note(self, entry: Any) -> bool:
        self._seen.append(entry[0] if isinstance(entry, tuple) else entry)
        return True


def test_a_trim_looks_only_at_what_was_confirmed_since(
    durable: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.put(*(b"held" for _ in range(50)))
    hold(durable, 50)
    journal = durable.journal
    assert isinstance(journal, LevelDbJournal)
    seen: list[bytes] = []
    for _ in range(10):
        for n in range(100):
            durable.put(b"%d" % n)
        durable.take(100)
        full = durable.commit_full()
        durable.commit_full()
        seen.clear()
        with monkeypatch.context() as patch:
            patch.setattr(journal._trimming, "_db", _Watched(journal._db, seen))
            journal.trim(full, thorough=False)
        # Blocks and marks of this round, a few at its ends.
        assert len(seen) < 250


def test_marks_written_after_the_older_one_do_not_hold_a_trim_up(
    durable: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "_STEP_KEYS", 4)
    durable.put(*(b"%d" % n for n in range(100)))
    for _ in range(20):
        durable.take(1)
    older = durable.commit_full()
    durable.commit_full()
    for _ in range(20):
        durable.take(1)
    durable.journal.trim(older, thorough=False)
    assert len(ids_on_disk(durable)) == 100
    assert marks_on_disk(durable) == 22
    durable.trim()
    assert ids_on_disk(durable) == list(range(41, 101))
    assert marks_on_disk(durable) == 2


Steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("put", "put", "take", "take", "open", "open", "close", "close", "abort"),
                *("flush", "only", "audit", "drop", "commit", "trim", "trim", "reopen"),
            ]
        ),
        st.integers(0, 7),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(Steps, min_size=1, max_size=3))
def test_whatever_is_trimmed_what_is_left_is_read_and_little_else_is_there(
    lives: list[list[tuple[str, int]]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "work"
        kept = Kept(path, LevelDbEngine())
        for steps in lives:
            history = _History(kept)
            for step in steps:
                history.do(*step)
            kept.commit()
            history.check()
            kept.close()
            check = check_queue(path, lambda done, total: None, synced=False)
            assert not check.findings, check.lines()
            kept.open()
        kept.close()


class _History:
    """The model: for each consumer the ids that it has not confirmed, and the size of each."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.reads: list[OpenRead] = []

    def do(self, action: str, number: int) -> None:
        kept, queue = self.kept, self.kept.queue
        named = list(queue.consumers.values())
        consumer = named[number % len(named)]
        if action == "put":
            for n in range(number + 1):
                data = b"%d-" % queue.next_id + b"x" * (n * 50)
                queue.put(data, len(data), n, 0)
        elif action == "only":
            queue.put(b"%d-" % queue.next_id, len(b"%d-" % queue.next_id), 0, 0, only=consumer)
        elif action == "take":
            drain(kept, consumer, number)
        elif action == "open":
            drain(kept, consumer, 0)
            reads = [queue.open(consumer) for _ in range(number)]
            self.reads += [read for read in reads if read is not None]
        elif action in ("close", "abort") and self.reads:
            read = self.reads.pop(number % len(self.reads))
            queue.close(read) if action == "close" else queue.abort(read)
        elif action == "flush":
            queue.flush(consumer)
        elif action == "audit":
            queue.consumer(b"audit")
        elif action == "drop" and len(named) > 1 and number > 4:
            queue.drop(named[-1])
        elif action == "commit":
            kept.commit()
        elif action == "trim":
            kept.trim()
            self.check_size()
        elif action == "reopen":
            kept.commit()
            for held in self.reads:
                queue.abort(held, counted=False)
            self.reads.clear()
            kept.commit()
            kept.reopen()
            assert not kept.found.damage

    def check(self) -> None:
        """Everyone is read all that it has not confirmed, in order, and nothing else."""
        queue = self.kept.queue
        for consumer in queue.consumers.values():
            at = consumer.positions
            wanted = [i for i in range(1, queue.next_id) if not at.is_confirmed(i)]
            found, first = [], at.next_unconfirmed(1)
            while first < queue.next_id:
                stop = at.next_span_after(first) or queue.next_id
                piece = self.kept.journal.read(first, stop, 200)
                assert not piece.lost
                for item in piece.items:
                    assert item.data is not None
                    assert item.data.startswith(b"%d-" % item.id)
                found += [item.id for item in piece.items]
                first = at.next_unconfirmed(piece.stop)
            assert found == wanted

    def check_size(self) -> None:
        """No id twice; and no more than what somebody is to get, and what shares its blocks."""
        queue = self.kept.queue
        ids = ids_on_disk(self.kept)
        assert len(set(ids)) == len(ids)
        needed = {
            i
            for each in queue.consumers.values()
            for i in range(1, queue.next_id)
            if not each.positions.is_confirmed(i)
        }
        assert needed <= set(ids)
        items = {i.id: i.size + OVERHEAD for i in self._all_items()}
        assert sum(items[i] for i in ids) <= 2 * sum(items[i] for i in needed)

    def _all_items(self) -> list[Item]:
        journal = self.kept.journal
        assert isinstance(journal, LevelDbJournal)
        return [
            item
            for key, value in journal.entries()
            if split_key(key)[1] == BLOCK
            for item in decode_block(key, value)[0]
        ]
