"""`darnerpy check`: what is wrong is found and named, what is right is left alone."""

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.leveldb.apart import open_apart
from darnerpy.journals.marks import encode_mark
from darnerpy.journals.records import block_key, decode_block, encode_blocks
from darnerpy.queues.batches import Batch, Mark, Returned
from darnerpy.queues.positions import Span
from tests.inspection.queues import LARGE, contents, data_directory, fingerprints, kept, only
from tests.journals.kept import Kept

COUNT = 30
WHOLE = COUNT - 1
"""All but the one that its only consumer has confirmed."""


def fill(work: Kept) -> None:
    """Thirty items, one large, one confirmed above the position, one returned, two consumers."""
    for n in range(1, COUNT):
        work.put(b"item %d " % n * n)
        if n == 10:
            work.queue.consumer(b"audit")
            work.commit()
    work.put_large(b"x" * LARGE)
    held = [work.queue.open(work.queue.own) for _ in range(3)]
    for each in held[1:]:
        assert each is not None
    work.queue.close(held[1])  # type: ignore[arg-type]
    work.queue.abort(held[2])  # type: ignore[arg-type]
    work.commit()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose queue is in LevelDB's log, all of it."""
    work = kept(tmp_path / "data")
    fill(work)
    work.close()
    return tmp_path / "data"


@pytest.fixture
def table(data: Path) -> Path:
    """The same in a table."""
    database = plyvel.DB(os.fspath(data / "queues/work/leveldb"))
    database.compact_range(start=b"", stop=b"\xff" * 9)
    database.close()
    return data


def check(
    capsys: pytest.CaptureFixture[str], data: Path, *flags: str, expected: int | None = None
) -> dict[str, Any]:
    """What `check --json` says of the one queue there is."""
    before = fingerprints(data)
    code = main(["check", os.fspath(data), "--json", *flags])
    line = capsys.readouterr().out
    found: dict[str, Any] = json.loads(line)
    if "--repair" not in flags:
        assert fingerprints(data) == before, "check changed something"
    assert code == (0 if found["clean"] else 1)
    assert expected is None or code == expected
    return found


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def change(data: Path, key: bytes, value: bytes | None) -> None:
    """Put or delete an entry behind the journal's back."""
    database = plyvel.DB(os.fspath(data / "queues/work/leveldb"))
    if value is None:
        database.delete(key)
    else:
        database.put(key, value)
    database.close()


def stored(data: Path, key: bytes) -> bytes:
    database = plyvel.DB(os.fspath(data / "queues/work/leveldb"))
    value = database.get(key)
    database.close()
    assert value is not None
    return value


def test_a_whole_queue_is_clean(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = check(capsys, data, expected=0)
    assert (found["queue"], found["items"], found["kept"]) == ("work", WHOLE, 0)
    assert found["waiting"] == {"": WHOLE, "audit": COUNT - 10}
    assert main(["check", os.fspath(data)]) == 0
    assert capsys.readouterr().out == f"work: {WHOLE} items: clean\n"


def test_after_trimming_there_are_fewer_and_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(tmp_path / "data")
    work.put(*(b"%d" % n for n in range(100)))
    work.put_large(b"y" * LARGE)
    work.take(60)
    work.trim()
    work.put(b"last")
    work.close()
    assert check(capsys, tmp_path / "data", expected=0)["items"] == 42


def test_every_flip_in_a_log_is_found_or_was_a_clean_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(tmp_path / "data")
    for n in range(3):
        work.put(b"item %d" % n)
    work.close()
    data = tmp_path / "data"
    log = only(data / "queues", "*.log")
    original = log.read_bytes()
    missed = []
    for at in range(0, len(original), 7):
        flip(log, at)
        found = check(capsys, data)
        if found["clean"] and found["items"] == 3:
            missed.append(at)
        log.write_bytes(original)
    assert not missed


def test_every_few_bytes_of_a_table_are_guarded(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = only(table / "queues", "*.ldb")
    original = path.read_bytes()
    for at in range(0, len(original), max(1, len(original) // 20)):
        flip(path, at)
        found = check(capsys, table)
        assert not found["clean"] or found["items"] == WHOLE
        if at < len(original) - 200:
            assert not found["clean"], f"byte {at} of {len(original)}"
        path.write_bytes(original)


def test_a_damaged_item_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = bytearray(stored(data, block_key(7)))
    block[-10] ^= 1
    change(data, block_key(7), bytes(block))
    found = check(capsys, data, expected=1)
    assert (found["items"], found["damaged"], found["missing"]) == (WHOLE - 1, 1, 0)
    [damage] = found["damage"]
    assert (damage["file"], damage["first"], damage["stop"]) == ("leveldb", 7, 8)
    assert "checksum" in damage["what"]
    main(["check", os.fspath(data)])
    assert "work: 28 items, 1 damaged\n  damage: leveldb: item 7: " in capsys.readouterr().out


def test_what_lies_behind_a_gap_is_kept(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(data, block_key(7), None)
    change(data, block_key(8), None)
    found = check(capsys, data, "--sync", "never", expected=1)
    assert (found["items"], found["missing"], found["kept"]) == (WHOLE - 2, 2, COUNT - 8)
    assert found["waiting"] == {"": 5, "audit": 0}
    found = check(capsys, data, "--sync", "always", expected=1)
    assert (found["items"], found["missing"], found["kept"]) == (WHOLE - 2, 2, 0)
    assert [(d["first"], d["stop"], d["what"]) for d in found["damage"]] == [(7, 9, "missing")]


@pytest.mark.parametrize("change_file", ["removed", "cut"])
def test_a_large_item_needs_its_file_whole(
    change_file: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = only(data / "queues", "*.item")
    if change_file == "removed":
        path.unlink()
    else:
        os.truncate(path, LARGE - 1)
    found = check(capsys, data, expected=1)
    [damage] = found["damage"]
    assert (damage["file"], damage["first"]) == (f"large/{path.name}", COUNT)
    assert found["damaged"] == 1


def test_half_uploads_are_a_note(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "queues/work/large/7.part").write_bytes(b"half")
    assert check(capsys, data, expected=0)["notes"] == ["half uploads in large/: 7.part"]


def batch_with(number: int, **fields: object) -> Batch:
    batch = Batch(number)
    for name, value in fields.items():
        setattr(batch, name, value)
    return batch


@pytest.mark.parametrize(
    "mark",
    [
        Mark(b"", COUNT + 10, 0, [], True),
        Mark(b"", 1, 0, [Span(5, 9, 10, 20), Span(7, 8, 20, 21)], True),
        Mark(b"", 1, 0, [Span(5, COUNT + 9, 10, 20)], True),
        Mark(b"", 1, 0, [Span(5, 6, 20, 10)], True),
        Mark(b"", 1, 1 << 60, [], True),
        Mark(b"", 1, 0, [], True, [Returned(COUNT + 5, 1, 0)]),
    ],
)
def test_positions_must_be_possible(
    mark: Mark, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = batch_with(10_000, marks=[mark], full=True, next_id=COUNT + 1, next_offset=LARGE * 2)
    change(data, *encode_mark(batch, 1))
    found = check(capsys, data, expected=1)
    assert any("consumer ''" in each["what"] for each in found["damage"])


def test_a_damaged_mark_and_a_wrong_offset_are_found(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = batch_with(3, next_id=4, next_offset=999)
    change(data, *encode_mark(batch, 1))
    key, value = encode_mark(batch_with(4, next_id=5, next_offset=0), 1)
    change(data, key, value[:-1] + b"?")
    texts = [each["what"] for each in check(capsys, data, expected=1)["damage"]]
    assert any("before item 4 has offset 999" in text for text in texts)
    assert any("before item 5 has a wrong checksum" in text for text in texts)


def test_an_item_with_a_wrong_offset_is_found(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [item] = decode_block(block_key(7), stored(data, block_key(7)))[0]
    item.offset += 1
    [(key, value)] = encode_blocks(batch_with(1, items=[item]))
    change(data, key, value)
    found = check(capsys, data, expected=1)
    assert "offset is" in found["damage"][0]["what"]
    assert {7, 8} <= {each["first"] for each in found["damage"]}


def test_a_table_that_is_not_in_use_is_no_link(table: Path, tmp_path: Path) -> None:
    """LevelDB may write to the name of such a table, and would through the link."""
    used = only(table / "queues", "*.ldb")
    unused = used.with_name("000999.ldb")
    unused.write_bytes(b"left behind")
    open_apart(table / "queues/work", tmp_path / "apart")
    assert (tmp_path / "apart/leveldb" / used.name).is_symlink()
    assert not (tmp_path / "apart/leveldb" / unused.name).is_symlink()


def test_a_queue_of_another_name_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.rename(data / "queues/work", data / "queues/play")
    found = check(capsys, data, expected=1)
    assert found["queue"] == "play"
    assert "the name in the journal is b'work'" in found["damage"][0]["what"]


def test_what_a_newer_version_wrote_is_refused_and_left(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(data, block_key(7), bytes([2]) + b"?" * 50)
    before = fingerprints(data)
    found = check(capsys, data, "--repair", expected=1)
    assert "format 2, 1 is known" in found["refused"]
    assert "nothing was done" in found["repair"]
    assert fingerprints(data) == before


def test_a_directory_in_use_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_directory(tmp_path / "data")
    with closing(DataDir(data)):
        assert main(["check", os.fspath(data)]) == 5
    assert (
        f"{data} is in use by another darnerpy (process {os.getpid()})" in capsys.readouterr().err
    )


def test_what_is_no_data_directory_is_not_made_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags in ([], ["--repair"]):
        assert main(["check", os.fspath(tmp_path / "nothing"), *flags]) == 2
        assert "is no data directory" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()
    data = data_directory(tmp_path / "data")
    assert main(["check", os.fspath(data), "nosuch"]) == 1
    assert "there is no queue nosuch" in capsys.readouterr().err


# -- repair ----------------------------------------------------------------------------------------


def test_repair_keeps_all_that_is_whole(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(data)
    block = bytearray(stored(data, block_key(7)))
    block[-10] ^= 1
    change(data, block_key(7), bytes(block))
    change(data, block_key(20), None)
    damaged = fingerprints(data / "queues/work")
    found = check(capsys, data, "--repair", "--sync", "never", expected=1)
    said = "27 items kept, 10 of them served again; given up: 1 damaged, 1 missing; as it was"
    assert found["repair"].startswith(said)
    del before[19 - 1]  # item 2 is confirmed, so the list begins 1, 3, 4 …
    del before[6 - 1]
    assert contents(data) == before
    assert check(capsys, data, expected=0)["items"] == WHOLE - 2
    [backup] = data.glob("repair-*")
    assert fingerprints(backup / "work") == damaged


def test_repair_serves_what_was_kept_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    work = kept(data)
    for n in range(10):
        work.put(b"%d" % n)
    work.queue.lose(Span(4, 11, 3, 10), keep=True)  # as after a gap that was 4
    work.commit()
    work.close()
    change(data, block_key(4), None)
    assert [each.data for each in contents(data)] == [b"0", b"1", b"2"]
    assert check(capsys, data, "--repair", expected=1)["kept"] == 6
    assert [each.data for each in contents(data)] == [b"%d" % n for n in range(10) if n != 3]
    check(capsys, data, expected=0)


@pytest.mark.parametrize("where", ["leveldb/CURRENT", "leveldb/MANIFEST-*", "leveldb/*.log"])
def test_repair_after_damage_to_leveldb_itself(
    where: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(data)
    flip(only(data / "queues", where), 3)
    found = check(capsys, data, expected=1)
    assert found["damage"][0]["what"].startswith("LevelDB")
    check(capsys, data, "--repair", expected=1)
    check(capsys, data, expected=0)
    after = contents(data)
    assert [each for each in before if each in after] == after
    assert where == "leveldb/*.log" or after == before


def test_repair_of_a_damaged_table(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = only(table / "queues", "*.ldb")
    flip(path, 20)
    check(capsys, table, "--repair", expected=1)
    check(capsys, table, expected=0)
    assert contents(table)


def test_a_clean_queue_is_not_rewritten(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = fingerprints(data)
    assert check(capsys, data, "--repair", expected=0)["repair"] is None
    assert fingerprints(data) == before


def test_a_repair_cut_off_anywhere_loses_nothing(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(data, block_key(7), None)
    before = contents(data)

    class Cut(BaseException):
        """The process ends here."""

    rename = os.rename
    for number in range(5):
        left = number

        def cut(source: Path, target: Path) -> None:
            nonlocal left
            if not left:
                raise Cut
            left -= 1
            rename(source, target)

        monkeypatch.setattr(os, "rename", cut)
        try:
            main(["check", os.fspath(data), "--repair"])
        except Cut:
            pass
        else:
            break
        finally:
            monkeypatch.setattr(os, "rename", rename)
        data_directory(data)  # as a server does that starts
        assert contents(data) == before
    else:
        raise AssertionError("it was never done")
    assert number >= 1
    capsys.readouterr()
    check(capsys, data, expected=0)
    assert contents(data) == before


def test_what_was_repaired_and_has_not_its_place_yet_is_looked_at(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off between the two steps in which one queue takes the place of another."""
    (data / ".ready").mkdir(exist_ok=True)
    os.rename(data / "queues/work", data / ".ready/work")
    assert check(capsys, data, expected=0)["items"] == WHOLE
    assert main(["export", "work", "--data", os.fspath(data)]) == 0
    with closing(DataDir(data)):
        assert not (data / ".ready/work").exists()
    capsys.readouterr()
    assert check(capsys, data, expected=0)["items"] == WHOLE
