"""Darner's databases: whole and chunked items, its escapes, holes, half uploads, and damage."""

from pathlib import Path
from struct import pack

import pytest

from darnerpy.migration.darner import DarnerSource
from darnerpy.migration.source import LARGE, SourceError
from tests.migration.generators import DarnerQueue, siberite_queue
from tests.migration.reading import QueueRead, read


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def read_queue(data: Path, name: bytes = b"q") -> QueueRead:
    return read(DarnerSource(data))[name]


@pytest.mark.parametrize(
    "item",
    [
        b"",
        b"\x00",
        b"\x01\x00",
        b"\x00\x00",
        b"ends in\x00",
        b"looks like a header\x01\x00",
        bytes(24) + b"\x01\x00",
        b"x" * 1024,
        b"x" * 1023 + b"\x00",
        b"x" * 1025,
        bytes(5000),
        bytes(range(256)) * 8,
    ],
    ids=lambda item: f"{len(item)} bytes, the last {item[-2:].hex() or 'none'}",
)
def test_an_item_is_as_it_was_put(data: Path, item: bytes) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put(b"before", item, b"after")

    found = read_queue(data)

    assert found.data() == [b"before", item, b"after"]
    assert (found.damage, found.notes, found.consumers) == ([], [], [])


def test_an_empty_item_may_have_been_stored_as_a_nul(data: Path) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put_value(b"\x00")

    assert read_queue(data).data() == [b""]


def test_in_order_of_ids_that_compare_as_numbers_and_with_holes(data: Path) -> None:
    items = [b"%d" % number for number in range(700)]
    with DarnerQueue(data, "q") as queue:
        queue.put(*items)
        queue.take(0, 1, 5, 255, 256, 600)

    found = read_queue(data)

    gone = {b"0", b"1", b"5", b"255", b"256", b"600"}
    assert found.data() == [item for item in items if item not in gone]
    assert found.damage == []


def test_large_items_come_in_pieces(data: Path) -> None:
    items = [bytes([n]) * size for n, size in enumerate((LARGE, LARGE + 1, 3 * LARGE + 5))]
    with DarnerQueue(data, "q") as queue:
        queue.put(*items)

    found = read_queue(data)

    assert found.data() == items
    assert [item.pieces is None for item in found.items] == [True, False, False]


def test_half_uploads_are_no_items_but_told(data: Path) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put_chunks(b"x" * 5000)
        queue.put(b"y" * 3000)

    found = read_queue(data)

    assert found.data() == [b"y" * 3000]
    assert found.notes == ["5 chunks of unfinished uploads or damaged items left behind"]


def test_a_queue_of_nothing_but_a_half_upload(data: Path) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put_chunks(b"x" * 5000)

    assert read_queue(data).data() == []


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"abc\x02\x00", "its 5 bytes end in 02 00"),
        (b"short header\x01\x00", "its header is 14 bytes, 26 were expected"),
        (pack("<QQQ", 90, 93, 3000) + b"\x01\x00", "0 of its chunks 90 to 92 are there"),
        (pack("<QQQ", 2**64 - 1, 0, 3000) + b"\x01\x00", "0 of its chunks"),
        (pack("<QQQ", 0, 3, 3001) + b"\x01\x00", "its chunks are 3000 bytes, 3001 were expected"),
    ],
)
def test_a_damaged_item_costs_only_itself(data: Path, value: bytes, why: str) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put(b"a" * 3000)
        queue.put_value(value)
        queue.put(b"c")

    found = read_queue(data)

    assert found.data() == [b"a" * 3000, b"c"]
    (damage,) = found.damage
    assert damage.startswith(f"item 1 is not taken: {why}")


def test_an_item_with_a_lost_chunk(data: Path) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put(b"a" * 3000, b"b" * 3000)
        queue.lose_chunk(1)

    found = read_queue(data)

    assert found.data() == [b"b" * 3000]
    assert found.damage == ["item 0 is not taken: 2 of its chunks 0 to 2 are there"]
    assert found.notes == ["2 chunks of unfinished uploads or damaged items left behind"]


def test_what_may_be_left_of_a_deleted_queue_is_taken_and_told(data: Path) -> None:
    with DarnerQueue(data, "q.0") as queue:
        queue.put(b"held when it was deleted")

    found = read_queue(data, b"q.0")

    assert found.data() == [b"held when it was deleted"]
    assert found.notes == ["may be what Darner kept of q after it was deleted"]


def test_what_is_no_queue_is_left_alone(data: Path) -> None:
    with DarnerQueue(data, "q") as queue:
        queue.put(b"x")
    (data / "notes.txt").write_text("hello")
    (data / "lost+found").mkdir()

    source = DarnerSource(data)

    assert [queue.name for queue in source.queues] == [b"q"]
    assert [line.split(":")[0] for line in source.left_alone] == [
        f"{data}/lost+found",
        f"{data}/notes.txt",
    ]


def test_in_tables_as_in_logs(data: Path) -> None:
    items = [bytes([number]) * (number * 40) for number in range(150)]
    for part in range(3):  # opening a database turns its log into a table
        with DarnerQueue(data, "q", first_id=part * 50, first_chunk=part * 1000) as queue:
            queue.put(*items[part * 50 : part * 50 + 50])
            queue.take(part * 50)
    assert len(list((data / "q").glob("*.ldb"))) == 2

    found = read_queue(data)

    assert found.data() == [item for number, item in enumerate(items) if number % 50]
    assert found.damage == []


def test_a_database_in_another_order_is_refused(data: Path) -> None:
    siberite_queue(data, "q", {1: b"x"})

    with pytest.raises(SourceError, match=r"leveldb.BytewiseComparator, queue::comparator was"):
        read(DarnerSource(data / "q"))
