"""`darnerpy check` of a LevelDB: what its files can have that is wrong."""

import os
from pathlib import Path

import pytest

from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.leveldb.apart import open_apart
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.journals.marks import encode_mark
from darnerpy.journals.records import block_key
from darnerpy.queues.batches import Batch
from tests.inspection.checked import WHOLE, check, put_thirty
from tests.inspection.queues import contents, fingerprints, flip, kept, only


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose queue is in LevelDB's log, all of it."""
    work = kept(tmp_path / "data", LevelDbEngine())
    put_thirty(work)
    work.close()
    return tmp_path / "data"


@pytest.fixture
def table(data: Path) -> Path:
    """The same in a table."""
    database = plyvel.DB(os.fspath(data / "queues/work/leveldb"))
    database.compact_range(start=b"", stop=b"\xff" * 9)
    database.close()
    return data


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


def test_every_flip_in_a_log_is_found_or_was_a_clean_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = kept(tmp_path / "data", LevelDbEngine())
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


def test_a_damaged_mark_is_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch = Batch(4)
    batch.next_id = 5
    key, value = encode_mark(batch, 1)
    change(data, key, value[:-1] + b"?")
    texts = [each["what"] for each in check(capsys, data, expected=1)["damage"]]
    assert any("before item 5 has a wrong checksum" in text for text in texts)


def test_a_table_that_is_not_in_use_is_no_link(table: Path, tmp_path: Path) -> None:
    """LevelDB may write to the name of such a table, and would through the link."""
    used = only(table / "queues", "*.ldb")
    unused = used.with_name("000999.ldb")
    unused.write_bytes(b"left behind")
    open_apart(table / "queues/work", tmp_path / "apart")
    assert (tmp_path / "apart/leveldb" / used.name).is_symlink()
    assert not (tmp_path / "apart/leveldb" / unused.name).is_symlink()


def test_what_a_newer_version_wrote_is_refused_and_left(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(data, block_key(7), bytes([3]) + b"?" * 50)
    before = fingerprints(data)
    found = check(capsys, data, "--repair", expected=1)
    assert "format 3, 2 is known" in found["refused"]
    assert "nothing was done" in found["repair"]
    assert fingerprints(data) == before


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
