"""Root's maintenance of a data directory that belongs to another user, as a service's does."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.clock import SystemClock
from darnerpy.journals.engines import DEFAULT
from darnerpy.migration.source import Incoming
from darnerpy.migration.target import QueueWriter
from tests.servers import DARNERPY

pytestmark = pytest.mark.usefixtures("nobody")

OWNER = 65534
LARGE = b"large" * 100_000


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that another user reaches, where pytest's own is for root alone."""
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture
def data(place: Path) -> Path:
    """A data directory of another user, with a queue of a small and a large item."""
    path = place / "data"
    opened = DataDir(path)
    with QueueWriter(opened, b"work", DEFAULT, {}, exact=True) as writer:
        for item in (b"small", LARGE):
            pieces = None if len(item) < 1000 else lambda: iter([LARGE])
            whole = item if pieces is None else None
            writer.put(Incoming(len(item), whole, pieces=pieces), SystemClock().now_ms())
        writer.finish()
    opened.close()
    give_away(path)
    return path


def give_away(path: Path) -> None:
    subprocess.run(("chown", "-R", f"{OWNER}:{OWNER}", path), check=True)


def run(*words: str | Path, code: int = 0, user: int = 0) -> str:
    done = subprocess.run(
        ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *DARNERPY, *words),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def strangers(path: Path) -> list[str]:
    """What in a directory is not its owner's."""
    every = [path, *path.rglob("*")]
    return [f"{each}: {each.lstat()}" for each in every if each.lstat().st_uid != OWNER]


def damage(data: Path) -> None:
    """Flip a byte of an item."""
    (log,) = (data / "queues" / "work" / "leveldb").glob("*.log")
    at = log.read_bytes().index(b"small")
    with log.open("r+b") as file:
        file.seek(at)
        file.write(b"S")


def test_check_leaves_nothing_of_root(data: Path) -> None:
    (data / "LOCK").unlink()
    assert "work: 2 items: clean" in run("check", data)
    assert strangers(data) == []


def test_repair_leaves_nothing_of_root(data: Path) -> None:
    damage(data)
    run("check", data, "--repair", code=1)
    assert list(data.glob("repair-*"))
    assert strangers(data) == []
    assert "clean" in run("check", data, user=OWNER)


def test_export_writes_where_root_may_and_its_owner_may_not(data: Path, tmp_path: Path) -> None:
    (data / "LOCK").unlink()
    tmp_path.chmod(0o700)
    target = tmp_path / "work.jsonl"
    assert "2 items" in run("export", "work", "--data", data, "--output", target)
    assert target.stat().st_uid == 0
    assert strangers(data) == []


@pytest.mark.parametrize("empty", [False, True])
def test_import_reads_what_only_root_may(data: Path, place: Path, empty: bool) -> None:
    secret = place / "secret"
    secret.mkdir(mode=0o700)
    run("export", "work", "--data", data, "--output", secret / "work.jsonl")
    (secret / "work.jsonl").chmod(0o600)
    other = place / "other"
    other.mkdir()
    if not empty:
        DataDir(other).close()
    give_away(other)
    run("import", "--from", "jsonl", secret / "work.jsonl", "--data", other)
    assert strangers(other) == []
    assert "work: 2 items: clean" in run("check", other, user=OWNER)


def test_a_directory_behind_one_of_root_alone(data: Path, place: Path) -> None:
    """As systemd has the directories of its dynamic users."""
    private = place / "private"
    private.mkdir(mode=0o700)
    shutil.move(data, private / "data")
    data.symlink_to(private / "data")
    assert "work: 2 items: clean" in run("check", data)
    assert strangers(private / "data") == []


def test_a_server_of_root_is_refused(data: Path) -> None:
    told = run("serve", "--data", data, "--listen", "127.0.0.1:0", code=2)
    assert f"data directory {data}: belongs to user {OWNER}" in told
    assert strangers(data) == []


def test_what_root_left_is_named(data: Path) -> None:
    os.chown(data / "LOCK", 0, 0)
    told = run("serve", "--data", data, "--listen", "127.0.0.1:0", code=5, user=OWNER)
    assert f"{data / 'LOCK'}: Permission denied" in told
    assert f"{data / 'LOCK'}: Permission denied" in run("check", data, code=5, user=OWNER)


def test_what_is_roots_stays_roots(data: Path) -> None:
    subprocess.run(("chown", "-R", "0:0", data), check=True)
    assert "clean" in run("check", data)
    assert {each.lstat().st_uid for each in data.rglob("*")} == {0}
