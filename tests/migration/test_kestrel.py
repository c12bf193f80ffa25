"""Kestrel's journals: each kind of record, files in their order, torn ends, children of a fanout."""

from pathlib import Path

import pytest

from darnerpy.migration.kestrel import KestrelSource
from tests.migration.generators import (
    add,
    add_xid,
    addx,
    confirm_remove,
    go_on,
    remove,
    remove_tentative,
    save_xid,
    snapshot,
    unremove,
)
from tests.migration.reading import QueueRead, read

A, B, C, D = (addx(name) for name in (b"a", b"b", b"c", b"d"))


def write(directory: Path, **files: bytes) -> Path:
    """Files by name; `__` stands for what no Python name may have."""
    directory.mkdir(exist_ok=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


def read_queue(directory: Path, name: bytes = b"q") -> QueueRead:
    return read(KestrelSource(directory))[name]


@pytest.fixture
def queues(tmp_path: Path) -> Path:
    directory = tmp_path / "queues"
    directory.mkdir()
    return directory


@pytest.mark.parametrize(
    ("journal", "left"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(A + B + remove() + C, "bc", id="REMOVE"),
        pytest.param(remove() + A + B, "ab", id="REMOVE of nothing"),
        pytest.param(A + B + C + remove_tentative(7) + remove(), "ac", id="open"),
        pytest.param(A + B + remove_tentative(7) + confirm_remove(7), "b", id="CONFIRM_REMOVE"),
        pytest.param(A + B + remove_tentative(7) + confirm_remove(8), "ab", id="of another"),
        pytest.param(A + B + C + remove_tentative(1) + unremove(1) + remove(), "bc", id="UNREMOVE"),
        pytest.param(
            A + B + C + remove_tentative(1) + remove_tentative(2) + unremove(1) + remove(),
            "bc",
            id="UNREMOVE beside an open one",
        ),
        pytest.param(
            A + B + C + remove_tentative(3) + remove_tentative(4) + unremove(4) + unremove(3),
            "abc",
            id="in their places",
        ),
        pytest.param(A + remove_tentative(5) + go_on(5, b"x"), "x", id="CONTINUE"),
        pytest.param(A + B + remove_tentative(5) + go_on(9, b"x"), "abx", id="CONTINUE of another"),
        pytest.param(A + B + remove_tentative() + confirm_remove(1), "b", id="counted"),
        pytest.param(
            A + B + C + remove_tentative() + remove_tentative() + confirm_remove(2),
            "ac",
            id="counted on",
        ),
        pytest.param(
            A + B + save_xid(40) + remove_tentative() + confirm_remove(41), "b", id="SAVE_XID"
        ),
        pytest.param(
            A + B + remove_tentative(40) + remove_tentative() + confirm_remove(41),
            "a",
            id="counted on from one that is named",
        ),
        pytest.param(
            add_xid(12, b"x") + remove_tentative() + save_xid(12) + A + confirm_remove(12),
            "a",
            id="ADD_XID",
        ),
        pytest.param(add_xid(12, b"x") + A, "xa", id="ADD_XID that nobody took"),
        pytest.param(
            A + B + remove_tentative(2) + remove_tentative(2), "ab", id="the same number twice"
        ),
        pytest.param(add(b"x") + add(b""), "x,", id="ADD"),
    ],
)
def test_what_waits(queues: Path, journal: bytes, left: str) -> None:
    write(queues, q=journal)

    found = read_queue(queues)

    expected = left.split(",") if "," in left else list(left)
    assert found.data() == [each.encode() for each in expected]
    assert found.damage == []


def test_times(queues: Path) -> None:
    expiries = add(b"old", expiry_s=1_400_000_000) + add(b"never") + add(b"long ago", expiry_s=-5)
    write(queues, q=expiries + addx(b"new", created=1_500_000_000_123, expiry=1_600_000_000_456))

    found = read_queue(queues).items

    assert [item.created for item in found] == [0, 0, 0, 1_500_000_000_123]
    assert [item.expiry for item in found] == [1_400_000_000_000, 0, 1, 1_600_000_000_456]


def test_files_are_read_in_the_order_in_which_they_were_written(queues: Path) -> None:
    write(queues, q=remove() + D, **{"q.1000": C, "q.200": B, "q.30": A})

    assert read_queue(queues).data() == [b"b", b"c", b"d"]


def test_a_pack_stands_for_all_up_to_its_time(queues: Path) -> None:
    files = {"q.30": A, "q.200": A + B, "q.200.pack": addx(b"packed"), "q.100.pack": A, "q.300": C}
    write(queues, q=D, **files)

    source = KestrelSource(queues)

    assert read(source)[b"q"].data() == [b"packed", b"c", b"d"]
    assert [line.split(": ")[0] for line in source.left_alone] == [
        f"{queues}/{name}" for name in ("q.30", "q.100.pack", "q.200")
    ]


def test_what_is_no_journal_is_left_alone_and_named(queues: Path) -> None:
    write(queues, q=A, **{"q~~123": B, ".status": b"UP", "q.bak": C, "q.1.pack.old": C})
    (queues / "folder").mkdir()

    source = KestrelSource(queues)

    assert read(source)[b"q"].data() == [b"a"]
    left = {line.split(": ")[0].rpartition("/")[2] for line in source.left_alone}
    assert left == {"q~~123", ".status", "q.bak", "q.1.pack.old", "folder"}


JOURNAL = (
    add(b"first", 9)
    + addx(b"second")
    + remove_tentative(1)
    + add_xid(3, b"third")
    + remove()
    + unremove(1)
    + go_on(1, b"fourth")
    + remove_tentative()
    + save_xid(2)
    + confirm_remove(2)
)


@pytest.mark.parametrize("length", range(len(JOURNAL)))
def test_torn_at_every_byte(queues: Path, tmp_path: Path, length: int) -> None:
    write(queues, q=JOURNAL[:length])
    records = [add(b"first", 9), addx(b"second"), remove_tentative(1), add_xid(3, b"third")]
    records += [remove(), unremove(1), go_on(1, b"fourth"), remove_tentative(), save_xid(2)]
    good = 0
    whole = b""
    while records and len(whole + records[0]) <= length:
        whole += records.pop(0)
        good = len(whole)
    write(tmp_path / "whole", q=whole)

    found = read_queue(queues)

    assert found.data() == read_queue(tmp_path / "whole").data()
    if good == length:
        assert found.damage == []
    else:
        (damage,) = found.damage
        assert damage.startswith(f"{queues}/q: byte {good}: ")
        assert f"the {length - good} bytes from there on are not taken" in damage


@pytest.mark.parametrize(
    "torn",
    [
        pytest.param(b"\x0a", id="unknown record"),
        pytest.param(b"\x00" * 4096, id="zeros of a full disk"),
        pytest.param(b"\x02\xff\xff\xff\xff" + b"x" * 100, id="negative size"),
        pytest.param(b"\x02\xff\xff\xff\x7f" + b"x" * 100, id="size beyond the end"),
    ],
)
def test_what_is_no_record_ends_the_file(queues: Path, torn: bytes) -> None:
    write(queues, q=A + B + torn)

    found = read_queue(queues)

    assert found.data() == [b"a", b"b"]
    assert len(found.damage) == 1
    assert "byte 44: " in found.damage[0]


def test_after_damage_in_an_older_file_nothing_is_lost(queues: Path) -> None:
    write(queues, q=C + remove() + D, **{"q.1": A + B + b"\xff" + A})

    found = read_queue(queues)

    assert found.data() == [b"a", b"b", b"c", b"d"]
    assert len(found.damage) == 1
    assert any("may come again" in note for note in found.notes)


def test_children_become_consumers_with_their_own_items(queues: Path) -> None:
    files = {
        "jobs": A + B + remove(),
        "jobs+mail": A + B + C + remove_tentative(1),
        "jobs+mail.5": D,
        "jobs+a+b": addx(b"x", created=5, expiry=6),
        "orphan+only": A,
    }
    write(queues, **files)

    found = read(KestrelSource(queues))

    assert set(found) == {b"jobs", b"orphan"}
    assert found[b"jobs"].data() == [b"b"]
    assert found[b"jobs"].data(b"mail") == [b"d", b"a", b"b", b"c"]
    assert found[b"jobs"].data(b"a+b") == [b"x"]
    assert sorted(found[b"jobs"].consumers) == [b"a+b", b"mail"]
    assert found[b"orphan"].data() == []
    assert found[b"orphan"].data(b"only") == [b"a"]


def test_names_are_as_clients_sent_them(queues: Path) -> None:
    # A client sent é as the bytes c3 a9; Kestrel took each for a letter and wrote the file in UTF-8.
    write(queues, **{"Ã©": A})

    assert set(read(KestrelSource(queues))) == {"é".encode()}


def test_large_items_come_in_pieces(queues: Path) -> None:
    large = bytes(range(256)) * 12_000
    write(queues, q=A + addx(large) + B)

    (queue,) = KestrelSource(queues).queues
    found = read_queue(queues)

    assert found.data() == [b"a", large, b"b"]
    assert found.items[1].pieces is not None
    assert max(map(len, found.items[1].pieces())) <= 1 << 20
    assert queue.size == (queues / "q").stat().st_size


def test_reading_changes_nothing(queues: Path) -> None:
    write(queues, q=A + b"torn", **{"q~~1": B, "q.1.pack": A, "q.1": A})
    before = snapshot(queues)

    read_queue(queues)

    assert snapshot(queues) == before
