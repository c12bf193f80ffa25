"""What an import leaves on disk: times and positions in the journal, large items in files, no traces."""

from pathlib import Path

import pytest

from darnerpy.journals.contract import Recovery
from darnerpy.journals.engines import DEFAULT
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.migration.darner import DarnerSource
from darnerpy.migration.kestrel import KestrelSource
from darnerpy.migration.report import Report
from darnerpy.migration.siberite import SiberiteSource
from darnerpy.migration.source import LARGE, Source
from darnerpy.migration.transfer import transfer
from darnerpy.queues.items import Item
from tests.migration.generators import DarnerQueue, add, addx, siberite_queue

NOW = 1_800_000_000_000


class Clock:
    def now_ms(self) -> int:
        return NOW

    monotonic_ms = now_ms


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    return directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def take(source: Source, data: Path) -> Report:
    told: list[float] = []
    report = transfer(
        source, data, DEFAULT, Clock(), False, lambda name, items, part: told.append(part)
    )
    assert told == sorted(told)
    assert all(0 <= part <= 1 for part in told)
    return report


def journal_of(data: Path, queue: str) -> tuple[Recovery, list[Item]]:
    directory = data / "queues" / queue
    journal = LevelDbEngine().open(directory, queue.encode(), LargeFiles(directory / "large"))
    try:
        found = journal.recover()
        piece = journal.read(1, found.next_id, 1 << 30)
        assert (found.damage, piece.lost) == ([], [])
        return found, piece.items
    finally:
        journal.close()


def test_times(source: Path, data: Path) -> None:
    times = [1, 500, NOW - 5000, NOW - 4500, NOW - 3999, NOW - 9000, NOW + 5000]
    (source / "q").write_bytes(b"".join(addx(b"x", time) for time in times) + add(b"y"))

    assert take(KestrelSource(source), data).is_whole

    _, items = journal_of(data, "q")
    created = [item.created for item in items]
    # Within a second the first one's time does for all; what is not known, or to come, is now.
    assert created == [1, 1, NOW - 5000, NOW - 5000, NOW - 3999, NOW - 9000, NOW, NOW]


def test_many_items_in_few_blocks(source: Path, data: Path) -> None:
    items = [b"%d" % number for number in range(25_000)]
    (source / "q").write_bytes(b"".join(addx(item, NOW) for item in items))

    take(KestrelSource(source), data)

    found, stored = journal_of(data, "q")
    assert [item.data for item in stored] == items
    assert found.batch < 50


def test_positions_of_consumers(source: Path, data: Path) -> None:
    siberite_queue(source, "q", {n: b"%d" % n for n in range(1, 6)}, {"a": 3}, {"a": [b"f"]})

    (report,) = take(SiberiteSource(source), data).queues

    found, _ = journal_of(data, "q")
    assert (found.next_id, set(found.positions)) == (7, {b"", b"a"})
    own, cursor = found.positions[b""], found.positions[b"a"]
    assert (own.position, own.spans) == (2, [])
    assert (cursor.position, [span[:2] for span in cursor.spans]) == (1, [(2, 5)])
    assert report.waiting == {b"": 5, b"a": 3}


def test_large_items_are_in_files(source: Path, data: Path) -> None:
    with DarnerQueue(source, "q") as queue:
        queue.put(b"a" * LARGE, b"b" * (LARGE + 1), b"c")

    take(DarnerSource(source), data)

    _, items = journal_of(data, "q")
    assert [bool(item.large) for item in items] == [False, True, False]
    (file,) = (data / "queues" / "q" / "large").iterdir()
    assert file.read_bytes() == b"b" * (LARGE + 1)


def test_a_large_item_that_turns_out_damaged_is_not_taken(source: Path, data: Path) -> None:
    with DarnerQueue(source, "q") as queue:
        queue.put(b"a" * (LARGE + 1), b"b" * (LARGE + 1), b"c")
        queue.lose_chunk(200)

    (report,) = take(DarnerSource(source), data).queues

    assert (report.items, report.waiting, report.is_whole) == (2, {b"": 2}, False)
    assert "262145 bytes is not taken: 256 of its chunks 0 to 256 are there" in report.damage[0]
    _, items = journal_of(data, "q")
    assert [item.size for item in items] == [LARGE + 1, 1]
    assert len(list((data / "queues" / "q" / "large").iterdir())) == 1


def test_a_queue_that_fails_leaves_nothing_and_the_others_are_taken(
    source: Path, data: Path
) -> None:
    for name in ("a", "b", "c"):
        (source / name).write_bytes(addx(name.encode()))
    kestrel = KestrelSource(source)
    (source / "b").unlink()

    report = take(kestrel, data)

    assert [bool(queue.refused) for queue in report.queues] == [False, True, False]
    assert f"{source}/b: No such file" in report.queues[1].refused
    assert sorted(path.name for path in (data / "queues").iterdir()) == ["a", "c"]
    assert list((data / ".scratch").iterdir()) == []


def test_empty_queues_are_not_made_but_consumers_are_kept(source: Path, data: Path) -> None:
    siberite_queue(source, "empty", {})
    siberite_queue(source, "read", {}, {"a": 7})

    report = take(SiberiteSource(source), data)

    assert report.is_whole
    assert [path.name for path in (data / "queues").iterdir()] == ["read"]
    found, items = journal_of(data, "read")
    assert (set(found.positions), items) == ({b"", b"a"}, [])
    text = report.as_text(dry_run=False)
    assert "empty: empty, and not made here\n" in text
    assert text.endswith("1 queue, 0 items, 0 bytes taken")
