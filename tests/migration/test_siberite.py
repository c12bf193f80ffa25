"""siberite's databases: items, cursors that become consumers, reads that failed, restarted ids."""

from pathlib import Path

import pytest

from darnerpy.migration.siberite import SiberiteSource
from tests.migration.generators import siberite_queue, snapshot
from tests.migration.reading import QueueRead, read

ITEMS = {number: b"%d" % number for number in range(4, 9)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def read_queue(data: Path, name: bytes = b"q") -> QueueRead:
    return read(SiberiteSource(data))[name]


def test_items_in_order_of_ids(data: Path) -> None:
    items = {number: b"%d" % number for number in range(1, 700)}
    siberite_queue(data, "q", items)

    found = read_queue(data)

    assert found.data() == list(items.values())
    assert (found.consumers, found.damage, found.notes) == ([], [], [])


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        pytest.param(0, b"45678", id="before all"),
        pytest.param(2, b"45678", id="where items are gone"),
        pytest.param(3, b"45678", id="just before the first"),
        pytest.param(4, b"5678", id="at the first"),
        pytest.param(7, b"8", id="before the last"),
        pytest.param(8, b"", id="at the last"),
    ],
)
def test_a_cursor_becomes_a_consumer(data: Path, position: int, expected: bytes) -> None:
    siberite_queue(data, "q", ITEMS, {"audit": position})

    found = read_queue(data)

    assert found.consumers == [b"audit"]
    assert b"".join(found.data(b"audit")) == expected
    assert b"".join(found.data()) == b"45678"
    assert found.notes == []


def test_a_cursor_beyond_the_items_gets_all_of_them(data: Path) -> None:
    siberite_queue(data, "q", ITEMS, {"audit": 9, "fine": 8})

    found = read_queue(data)

    assert b"".join(found.data(b"audit")) == b"45678"
    assert found.data(b"fine") == []
    assert found.notes == ["cursor audit stood at 9 though the last item is 8: it gets all items"]


def test_failed_reads_come_first_and_for_their_cursor_only(data: Path) -> None:
    failed = {"a": [b"f1", b"f2"], "ab": [b"g1"]}
    siberite_queue(data, "q", ITEMS, {"a": 6, "ab": 7, "c": 5}, failed)

    found = read_queue(data)

    assert found.data(b"a") == [b"f1", b"f2", b"7", b"8"]
    assert found.data(b"ab") == [b"g1", b"8"]
    assert found.data(b"c") == [b"6", b"7", b"8"]
    assert b"".join(found.data()) == b"45678"


def test_cursors_of_an_empty_queue(data: Path) -> None:
    siberite_queue(data, "q", {}, {"a": 5}, {"a": [b"f"]})

    found = read_queue(data)

    assert found.data(b"a") == [b"f"]
    assert found.data() == []
    assert found.notes == []


def test_without_metadata(data: Path) -> None:
    siberite_queue(data, "q", ITEMS)
    for path in (data / "q" / "_.metadata").iterdir():
        path.unlink()
    (data / "q" / "_.metadata").rmdir()

    assert b"".join(read_queue(data).data()) == b"45678"


def test_what_is_no_queue_is_left_alone_and_nothing_changes(data: Path) -> None:
    siberite_queue(data, "q", ITEMS, {"a": 5})
    (data / "other").mkdir()
    (data / "file").write_text("x")
    before = snapshot(data)

    source = SiberiteSource(data)
    found = read(source)

    assert set(found) == {b"q"}
    assert [line.split(":")[0] for line in source.left_alone] == [f"{data}/file", f"{data}/other"]
    assert snapshot(data) == before
