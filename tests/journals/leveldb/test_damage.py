"""Damage on disk: the good part is served, the rest is reported, nothing wrong is ever served.

Of all cuts and flipped bits `make test` tries one in three; `make thorough` every one.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from darnerpy.errors import JournalError
from darnerpy.journals.leveldb import opening, plyvel
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.journals.leveldb.journal import LevelDbJournal
from darnerpy.journals.records import block_key, split_key
from tests.journals.kept import Kept, read_all
from tests.sampling import sampled

pytestmark = pytest.mark.timeout(300)  # hundreds of openings, each of which waits for the disk

COUNT = 8
DATA = {n: b"item %d " % n * n for n in range(1, COUNT + 1)}


class Outcome(NamedTuple):
    """What a damaged journal gave: items served by id, and whether anything was reported."""

    served: dict[int, bytes | None]
    reported: bool


def write_log(directory: Path) -> None:
    """Eight items, the first one confirmed with the third: a log of a few hundred bytes."""
    kept = Kept(directory, LevelDbEngine())
    kept.put(DATA[1])
    kept.put(DATA[2], DATA[3])
    first = kept.queue.open(kept.queue.own)
    assert first is not None
    kept.queue.close(first)
    for n in range(4, COUNT + 1):
        kept.put(DATA[n])
    kept.close()


def serve(directory: Path) -> Outcome:
    """Open and serve as a broker would, up to the end: an error is met by opening it once more."""
    try:
        return serve_once(directory)
    except JournalError:
        return serve_once(directory)._replace(reported=True)


def serve_once(directory: Path) -> Outcome:
    kept = Kept(directory, LevelDbEngine())
    try:
        at, first = kept.queue.own.positions, kept.queue.own.positions.position
        served: dict[int, bytes | None] = {}
        reported = bool(kept.found.damage)
        while first < kept.queue.next_id:
            piece = kept.journal.read(first, kept.queue.next_id, 1)
            served |= {i.id: i.data for i in piece.items if not at.is_confirmed(i.id)}
            reported = reported or bool(piece.lost)
            assert piece.stop > first
            first = piece.stop
        return Outcome(served, reported)
    finally:
        kept.close()


def flips(sample: bytes) -> Iterator[bytes]:
    for at in sampled(range(len(sample)), 3):
        damaged = bytearray(sample)
        damaged[at] ^= 1 << at % 8
        yield bytes(damaged)


def cuts(sample: bytes) -> Iterator[bytes]:
    for size in sampled(range(len(sample)), 3):
        yield sample[:size]


def only(directory: Path, pattern: str) -> Path:
    [path] = [path for path in directory.rglob(pattern) if path.stat().st_size]
    return path


def damage_each(
    tmp_path: Path, original: Path, file: Path, damages: Iterator[bytes]
) -> Iterator[Outcome]:
    """What is served for each way to damage one file of the original."""
    for number, damaged in enumerate(damages):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(original, copy)
        (copy / file.relative_to(original)).write_bytes(damaged)
        outcome = serve(copy)
        wrong = {n: data for n, data in outcome.served.items() if DATA[n] != data}
        assert not wrong, f"damage {number} makes other items"
        yield outcome
        shutil.rmtree(copy)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The directory of a queue whose items are all in LevelDB's log."""
    write_log(tmp_path / "log")
    return tmp_path / "log"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The directory of a queue whose items are all in a table."""
    write_log(tmp_path / "table")
    kept = Kept(tmp_path / "table", LevelDbEngine())
    database = kept.journal._db  # type: ignore[attr-defined]
    database.compact_range(start=b"", stop=b"\xff" * 9)
    kept.close()
    return tmp_path / "table"


def test_a_log_cut_anywhere_is_a_clean_beginning(tmp_path: Path, log: Path) -> None:
    file = only(log, "leveldb/*.log")
    served = []
    for outcome in damage_each(tmp_path, log, file, cuts(file.read_bytes())):
        ids = sorted(outcome.served)
        assert ids == list(range(min(ids, default=1), min(ids, default=1) + len(ids)))
        served.append(max(ids, default=0))
    assert served == sorted(served)  # the longer what is left, the more is served
    assert served[-1] == COUNT - 1


def test_a_bit_flipped_anywhere_in_the_log_is_reported(tmp_path: Path, log: Path) -> None:
    file = only(log, "leveldb/*.log")
    for number, outcome in enumerate(damage_each(tmp_path, log, file, flips(file.read_bytes()))):
        ids = sorted(outcome.served)
        looks_like_a_cut = ids == list(range(min(ids, default=1), max(ids, default=0) + 1))
        assert outcome.reported or looks_like_a_cut, f"bit flip at byte {number}: {outcome}"


@pytest.mark.parametrize("damages", [flips, cuts])
def test_a_damaged_table_is_reported(tmp_path: Path, table: Path, damages) -> None:  # type: ignore[no-untyped-def]
    file = only(table, "leveldb/*.ldb")
    whole = set(range(2, COUNT + 1))
    for number, outcome in enumerate(
        damage_each(tmp_path, table, file, damages(file.read_bytes()))
    ):
        assert outcome.reported or set(outcome.served) >= whole, f"at byte {number}: {outcome}"


def test_a_damaged_manifest_is_reported(tmp_path: Path, table: Path) -> None:
    file = only(table, "leveldb/MANIFEST-*")
    whole = set(range(2, COUNT + 1))
    for number, outcome in enumerate(damage_each(tmp_path, table, file, flips(file.read_bytes()))):
        assert outcome.reported or set(outcome.served) >= whole, f"at byte {number}: {outcome}"


def test_a_table_damaged_in_the_middle_costs_only_a_few_items(tmp_path: Path) -> None:
    items = [os.urandom(3000) for _ in range(100)]
    kept = Kept(tmp_path, LevelDbEngine())
    for data in items:
        kept.put(data)
    kept.journal._db.compact_range(start=b"", stop=b"\xff" * 9)  # type: ignore[attr-defined]
    kept.close()
    file = only(tmp_path, "leveldb/*.ldb")
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)

    kept.open()  # which reads no further back than to the last full mark
    with pytest.raises(JournalError, match="checksum mismatch"):
        read_all(kept, 1, 101)
    kept.reopen()
    assert "repaired" in kept.found.damage[0].what
    served = {item.id: item.data for item in read_all(kept, 1, 101)}
    assert 95 <= len(served) < 100
    assert all(items[n - 1] == data for n, data in served.items())
    kept.put(b"and goes on")
    kept.reopen()
    assert not any("repaired" in damage.what for damage in kept.found.damage)
    assert kept.journal.read(101, 102, 1).items[0].data == b"and goes on"
    kept.close()


def test_a_database_without_its_current_file_is_not_begun_anew(tmp_path: Path, log: Path) -> None:
    only(log, "leveldb/CURRENT").unlink()
    outcome = serve(log)
    assert outcome.reported
    assert set(outcome.served) == set(range(2, COUNT + 1))


def test_a_repair_leaves_no_key_that_is_nobodys_however_far_back(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "work", LevelDbEngine())
    for n in range(1, 3001):
        kept.put(b"%d" % n)
    kept.take(3000)
    kept.commit_full()
    kept.close()
    log = only(tmp_path, "leveldb/*.log")
    whole = bytearray(log.read_bytes())
    whole[whole.find(block_key(1000)) + 8] ^= 4
    log.write_bytes(whole)
    (tmp_path / "work/leveldb.repair").write_text("a read failed")
    kept = Kept(tmp_path / "work", LevelDbEngine())
    assert isinstance(kept.journal, LevelDbJournal)
    keys = [key for key, _ in kept.journal.entries()]
    assert block_key(999) in keys
    for key in keys:
        split_key(key)
    kept.close()


def test_a_missing_table_is_reported(tmp_path: Path, table: Path) -> None:
    only(table, "leveldb/*.ldb").unlink()
    assert serve(table) == Outcome({}, True)


def test_a_missing_record_is_reported_with_its_ids(durable: Kept) -> None:
    for n in range(1, COUNT + 1):
        durable.put(DATA[n])
    durable.journal._db.delete(block_key(4))  # type: ignore[attr-defined]
    [damage] = durable.reopen().damage
    assert (damage.first, damage.stop) == (4, 5)
    [(span, lost)] = durable.journal.read(1, COUNT + 1, 1 << 20).lost
    assert (span.first, span.stop, lost.missing) == (4, 5, True)
    assert (span.begin, span.end) == (
        sum(len(DATA[n]) for n in (1, 2, 3)),
        span.begin + len(DATA[4]),
    )


def test_a_block_that_cannot_be_believed_costs_no_other(durable: Kept) -> None:
    durable.put(b"1")
    durable.put(b"2", b"3", b"4")
    durable.put(b"5")
    database = durable.journal._db  # type: ignore[attr-defined]
    value = bytearray(database.get(block_key(2)))
    value[1] ^= 0x40  # the number of items
    database.put(block_key(2), bytes(value))

    [damage] = durable.reopen().damage
    assert damage.first == 2
    piece = durable.journal.read(1, 6, 1 << 20)
    assert [item.id for item in piece.items] == [1, 5]
    lost = [(span.first, span.stop, damage.missing) for span, damage in piece.lost]
    assert lost == [(2, 3, False), (3, 5, False)]


def test_a_damaged_last_record_is_not_written_over(durable: Kept) -> None:
    durable.put(b"one")
    durable.put(b"two")
    database = durable.journal._db  # type: ignore[attr-defined]
    database.put(block_key(2), b"\x01 damaged")
    found = durable.reopen()
    assert (found.next_id, found.next_offset) == (3, 3)
    assert [damage.first for damage in found.damage] == [2]


def test_a_failed_opening_leaves_no_lock_behind(
    durable: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.close()
    with monkeypatch.context() as patch:
        patch.setattr(plyvel, "DB", failing_database(plyvel.DB))
        with pytest.raises(JournalError, match="no space") as failure:
            durable.open()
    durable.open()
    assert failure.value.__cause__ is not None  # is still known, with all it refers to


@pytest.mark.parametrize("name", ["newest", "_look"])
def test_an_opening_that_fails_at_its_end_leaves_no_lock_behind(
    durable: Kept, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.close()

    def failing(*args: Any) -> Any:
        raise OSError(5, "no luck")

    with monkeypatch.context() as patch:
        patch.setattr(opening.Database if name == "_look" else opening, name, failing)
        with pytest.raises(JournalError, match="no luck") as failure:
            durable.open()
    durable.open()
    assert failure.value.__cause__ is not None


def failing_database(real: type[plyvel.DB]) -> type:
    """A database on which nothing can be read."""

    class Failing:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._real = real(*args, **kwargs)

        def get(self, *args: Any, **kwargs: Any) -> bytes:
            raise plyvel.IOError(b"no space")

        def close(self) -> None:
            self._real.close()

    return Failing
