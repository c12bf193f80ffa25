"""LevelDBs read without LevelDB: what it would give itself, whatever state it left its files in."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.leveldb.format import crc32c
from darnerpy.migration.leveldbs import BYTEWISE, Database, open_database
from darnerpy.migration.report import QueueReport
from darnerpy.migration.source import SourceError
from tests.migration.generators import snapshot

Entries = list[tuple[bytes, bytes]]


def make(path: Path, seed: int = 1, operations: int = 4000) -> Entries:
    """A database with tables on several levels, compressed and not, deletions, and a log."""
    chance = random.Random(seed)
    with plyvel.DB(os.fspath(path), create_if_missing=True, write_buffer_size=1 << 16) as database:
        for number in range(operations):
            key = b"%05d" % chance.randrange(operations // 2)
            if chance.random() < 0.3:
                database.delete(key)
            elif chance.random() < 0.5:
                database.put(key, b"%d and again " % number * chance.randrange(100))
            else:
                database.put(key, chance.randbytes(chance.randrange(300)))
            if number == operations * 7 // 8:
                database.compact_range(start=b"0", stop=b"9")
    return entries_of(path)


def entries_of(path: Path) -> Entries:
    """What LevelDB itself finds, in a copy."""
    copy = path.with_name(f"{path.name}-copy")
    shutil.copytree(path, copy)
    with plyvel.DB(os.fspath(copy)) as database, database.iterator() as found:
        entries = list(found)
    shutil.rmtree(copy)
    return entries


@contextmanager
def opened(path: Path) -> Iterator[tuple[Database, QueueReport]]:
    report = QueueReport(b"q", b"q")
    with open_database(path, BYTEWISE, report) as database:
        yield database, report


def tables(path: Path) -> list[Path]:
    return sorted(path.glob("*.ldb"))


def log(path: Path) -> Path:
    return max(path.glob("*.log"))


def test_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # the value that every description of it gives
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA


@pytest.mark.parametrize("seed", range(5))
def test_all_entries(tmp_path: Path, seed: int) -> None:
    expected = make(tmp_path / "db", seed)

    with opened(tmp_path / "db") as (database, report):
        assert list(database.entries()) == expected
        assert database.last_key() == expected[-1][0]

    assert report.damage == []
    assert len(tables(tmp_path / "db")) > 1


def test_a_range_of_entries(tmp_path: Path) -> None:
    expected = make(tmp_path / "db")

    with opened(tmp_path / "db") as (database, _):
        for first, stop in [(b"", b"00500"), (b"00777", b"00778"), (b"01", b"015"), (b"9", b"99")]:
            wanted = [entry for entry in expected if first <= entry[0] < stop]
            assert list(database.entries(first, stop)) == wanted


def test_opened_again_and_again(tmp_path: Path) -> None:
    path = os.fspath(tmp_path / "db")
    for number in range(12):
        with plyvel.DB(path, create_if_missing=True) as database:
            database.put(b"same", b"%d" % number)
            database.put(b"key %02d" % number, b"x" * 100_000)
            database.delete(b"key %02d" % (number - 3))

    with opened(tmp_path / "db") as (found, report):
        assert list(found.entries()) == entries_of(tmp_path / "db")
        assert report.damage == []


def test_an_empty_database(tmp_path: Path) -> None:
    plyvel.DB(os.fspath(tmp_path / "db"), create_if_missing=True).close()

    with opened(tmp_path / "db") as (database, report):
        assert list(database.entries()) == []
        assert database.last_key() is None
        assert report.damage == []


def test_reading_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path / "db")
    before = snapshot(tmp_path)

    with opened(tmp_path / "db") as (database, _):
        assert list(database.entries())

    assert snapshot(tmp_path) == before


def test_tables_that_are_not_in_use_are_not_read(tmp_path: Path) -> None:
    expected = make(tmp_path / "db")
    (tmp_path / "db" / "009999.ldb").write_bytes(b"left by a crash while it was written")
    old = plyvel.DB(os.fspath(tmp_path / "old"), create_if_missing=True, write_buffer_size=1 << 16)
    for number in range(2000):
        old.put(b"%05d" % number, os.urandom(100))
    old.close()
    shutil.copy(tables(tmp_path / "old")[0], tmp_path / "db" / "009998.ldb")

    with opened(tmp_path / "db") as (database, report):
        assert list(database.entries()) == expected
        assert report.damage == []


def test_a_log_cut_at_any_byte_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with plyvel.DB(os.fspath(path), create_if_missing=True) as database:
        for number in range(20):
            database.put(b"%02d" % number, b"x" * number)
    whole = log(path).read_bytes()
    counts = []

    for length in range(len(whole)):
        log(path).write_bytes(whole[:length])
        with opened(path) as (found, report):
            entries = list(found.entries())
            assert report.damage == []
        assert entries == [(b"%02d" % number, b"x" * number) for number in range(len(entries))]
        counts.append(len(entries))

    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 19)


def test_a_flipped_bit_in_a_log_is_told(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with plyvel.DB(os.fspath(path), create_if_missing=True) as database:
        for number in range(100):
            database.put(b"%04d" % number, b"x" * 1000)
    damaged = bytearray(log(path).read_bytes())
    damaged[1500] ^= 1  # in the second record; those after it are lost up to the next block
    log(path).write_bytes(damaged)

    with opened(path) as (found, report):
        keys = [int(key) for key, _ in found.entries()]

    assert keys == [0, *range(32, 100)]
    assert report.damage == [f"{log(path)}: byte 1027: a record's checksum is wrong"]


def test_a_flipped_bit_in_a_table_costs_its_block(tmp_path: Path) -> None:
    expected = make(tmp_path / "db")
    path = max(tables(tmp_path / "db"), key=lambda table: table.stat().st_size)
    damaged = bytearray(path.read_bytes())
    damaged[10_000] ^= 1
    path.write_bytes(damaged)

    with opened(tmp_path / "db") as (database, report):
        found = list(database.entries())

    (damage,) = report.damage
    assert damage.startswith(f"{path}: byte ")
    assert damage.endswith("a block is lost: its checksum is wrong")
    assert len(expected) - 100 < len(set(found) & set(expected)) < len(expected)


@pytest.mark.parametrize("cut", [0, 20, 60])
def test_a_table_that_is_cut_off_or_gone_is_told(tmp_path: Path, cut: int) -> None:
    expected = make(tmp_path / "db")
    path = tables(tmp_path / "db")[0]
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    else:
        path.unlink()

    with opened(tmp_path / "db") as (database, report):
        found = list(database.entries())

    assert len(report.damage) == 1
    assert path.name in report.damage[0]
    assert 0 < len(set(found) & set(expected)) < len(expected)


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST"])
@pytest.mark.parametrize("gone", [True, False], ids=["gone", "damaged"])
def test_without_a_manifest_all_files_are_read(tmp_path: Path, name: str, gone: bool) -> None:
    expected = make(tmp_path / "db")
    (path,) = (tmp_path / "db").glob(f"{name}*")
    if gone:
        path.unlink()
    else:
        path.write_bytes(b"\xff" + path.read_bytes()[1:])

    with opened(tmp_path / "db") as (database, report):
        assert list(database.entries()) == expected

    assert "all is read" in report.damage[0]


@pytest.mark.parametrize("lock", ["lockf", "flock"])
def test_a_database_that_another_process_has_open_is_refused(tmp_path: Path, lock: str) -> None:
    make(tmp_path / "db", operations=10)
    holding = f"import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.{lock}(f, fcntl.LOCK_EX);"
    command = (sys.executable, "-c", f"{holding} print('held', flush=True); sys.stdin.read()")
    with subprocess.Popen(
        (*command, tmp_path / "db" / "LOCK"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(SourceError, match="is in use: stop its server first"),
            opened(tmp_path / "db"),
        ):
            pass
        holder.communicate(b"")
    with opened(tmp_path / "db") as (database, _):
        assert list(database.entries()) == entries_of(tmp_path / "db")
