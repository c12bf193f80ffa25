"""`darnerpy import` as a shell runs it, and what a server on the data directory then hands out."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.migration.generators import (
    DarnerQueue,
    add,
    addx,
    remove,
    remove_tentative,
    siberite_queue,
    snapshot,
)
from tests.servers import DARNERPY, ServerProcess, Wire

LARGE = bytes(range(256)) * 3000


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Not started; its data directory is not there yet."""
    toml = '[queues."aged"]\nmax_age = "1h"\n'
    server = ServerProcess(tmp_path / "server", toml=toml)
    try:
        yield server
        if server.running:
            server.stop()
    finally:
        server.kill()


def run_import(
    kind: str, source: Path, data: Path, *flags: str
) -> subprocess.CompletedProcess[bytes]:
    command = (*DARNERPY, "import", "--from", kind, os.fspath(source), "--data", os.fspath(data))
    return subprocess.run((*command, *flags), capture_output=True, check=False, timeout=30)


def drain(wire: Wire, key: str) -> list[bytes]:
    items = []
    while (item := wire.get(key)) is not None:
        items.append(item)
    return items


def test_from_darner(source: Path, server: ServerProcess) -> None:
    items = [b"%d" % number for number in range(3000)]
    with DarnerQueue(source, "work") as queue:
        queue.put(*items)
        queue.take(0, 7)
    with DarnerQueue(source, "big+odd.name") as queue:
        queue.put(b"", b"\x00", LARGE, b"x" * 2000, b"last")
    with DarnerQueue(source, "drained"):
        pass
    before = snapshot(source)

    result = run_import("darner", source, server.data, "--json")

    assert (result.returncode, result.stderr) == (0, b"")
    report = {queue["name"]: queue for queue in json.loads(result.stdout)["queues"]}
    assert (report["work"]["items"], report["work"]["new_name"]) == (2998, "work")
    assert report["big+odd.name"]["new_name"] == "big%2Bodd.name"
    assert report["big+odd.name"]["bytes"] == 2005 + len(LARGE)
    assert report["drained"]["items"] == 0
    assert snapshot(source) == before
    with server.start().connect() as wire:
        assert drain(wire, "work") == [*items[1:7], *items[8:]]
        assert drain(wire, "big%2Bodd.name") == [b"", b"\x00", LARGE, b"x" * 2000, b"last"]
        wire.put("work", b"new")
        assert wire.get("work") == b"new"
        assert "queue_drained_state" not in wire.stats()


def test_from_siberite(source: Path, server: ServerProcess) -> None:
    items = {number: b"%d" % number for number in range(1, 3001)}
    cursors = {"audit": 1500, "late": 3000, "restarted": 9000}
    siberite_queue(source, "log", items, cursors, {"audit": [b"f1", b"f2"], "late": [b"f3"]})
    siberite_queue(source, "quiet", {}, {"waits": 12})

    result = run_import("siberite", source, server.data)

    assert result.returncode == 0
    assert b"log: 3,003 items, " in result.stdout
    assert b"\n  consumer audit: 1,502 items\n" in result.stdout
    assert b"\n  note: cursor restarted stood at 9000 " in result.stdout
    everything = list(items.values())
    with server.start().connect() as wire:
        assert drain(wire, "log+audit") == [b"f1", b"f2", *everything[1500:]]
        assert drain(wire, "log+late") == [b"f3"]
        assert drain(wire, "log") == everything
        server.restart()
    with server.connect() as wire:
        assert drain(wire, "log+audit") == []
        assert drain(wire, "log+restarted") == everything
        wire.put("log", b"new")
        for key in ("log", "log+audit", "log+late", "log+restarted"):
            assert drain(wire, key) == [b"new"]
        wire.put("quiet", b"first")
        assert drain(wire, "quiet+waits") == [b"first"]


def test_from_kestrel(source: Path, server: ServerProcess) -> None:
    source.mkdir()
    items = [b"%d" % number for number in range(3000)]
    now = now_ms()
    old = b"".join(addx(item, now - 60_000 + number) for number, item in enumerate(items))
    (source / "jobs.1").write_bytes(old + remove_tentative(5) + remove() * 10)
    (source / "jobs").write_bytes(remove() + addx(LARGE) + add(b"late"))
    (source / "jobs+mail").write_bytes(addx(b"a") + addx(b"b", 1, now - 1) + addx(b"c"))
    (source / "torn").write_bytes(addx(b"good") + addx(b"lost")[:-1])

    result = run_import("kestrel", source, server.data)

    assert result.returncode == 1
    assert b"\n1 queue had damage: see above\n" in result.stdout
    assert f"\n  damage: {source}/torn: byte 25: ".encode() in result.stdout
    assert b"\n  1 item had expired; " in result.stdout
    with server.start().connect() as wire:
        assert drain(wire, "jobs+mail") == [b"a", b"c"]
        assert drain(wire, "jobs") == [b"0", *items[12:], LARGE, b"late"]
        assert drain(wire, "torn") == [b"good"]


def test_items_are_as_old_as_they_were(source: Path, server: ServerProcess) -> None:
    source.mkdir()
    now = now_ms()
    ages = (7_200_000, 3_000_000, 2_999_500, 0)
    journal = b"".join(addx(b"%d" % age, now - age) for age in ages)
    (source / "aged").write_bytes(journal + addx(b"from tomorrow", now + 86_400_000))

    assert run_import("kestrel", source, server.data).returncode == 0

    with server.start().connect() as wire:
        expected = [b"3000000", b"2999500", b"0", b"from tomorrow"]
        assert drain(wire, "aged") == expected


def test_expiry_is_kept(source: Path, server: ServerProcess) -> None:
    source.mkdir()
    now = now_ms()
    times = (addx(b"over", 1, now - 1), addx(b"soon", 1, now + 3_600_000), add(b"old", 1_000_000))
    (source / "q").write_bytes(b"".join(times))

    assert run_import("kestrel", source, server.data).returncode == 0

    with server.start().connect() as wire:
        assert drain(wire, "q") == [b"soon"]
        assert wire.stats("q")["expired_items"] == "2"


def test_a_queue_that_is_there_is_not_mixed_with_another(
    source: Path, server: ServerProcess
) -> None:
    source.mkdir()
    (source / "there").write_bytes(addx(b"theirs"))
    (source / "new").write_bytes(addx(b"theirs"))
    with server.start().connect() as wire:
        wire.put("there", b"ours")
    server.stop()

    result = run_import("kestrel", source, server.data)

    assert result.returncode == 1
    assert b"there: NOT TAKEN: a queue of that name is in the data directory already" in (
        result.stdout
    )
    with server.start().connect() as wire:
        assert drain(wire, "there") == [b"ours"]
        assert drain(wire, "new") == [b"theirs"]


@pytest.mark.parametrize("kind", ["darner", "kestrel", "siberite"])
def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path, kind: str) -> None:
    if kind == "darner":
        with DarnerQueue(source, "q") as queue:
            queue.put(b"a", LARGE)
    elif kind == "siberite":
        siberite_queue(source, "q", {1: b"a", 2: LARGE}, {"c": 1})
    else:
        source.mkdir()
        (source / "q").write_bytes(addx(b"a") + addx(LARGE))
    before = snapshot(tmp_path)

    result = run_import(kind, source, tmp_path / "data", "--dry-run")

    assert result.returncode == 0
    assert b"q: 2 items, 768,001 bytes\n" in result.stdout
    assert result.stdout.endswith(b"1 queue, 2 items, 768,001 bytes would be taken\n")
    assert snapshot(tmp_path) == before


def test_a_data_directory_in_use_is_refused(source: Path, server: ServerProcess) -> None:
    source.mkdir()
    (source / "q").write_bytes(addx(b"a"))
    server.start()

    result = run_import("kestrel", source, server.data)

    assert result.returncode == 5
    assert b"is in use by another darnerpy" in result.stderr


def test_nothing_is_written_into_the_source(source: Path) -> None:
    source.mkdir()
    (source / "q").write_bytes(addx(b"a"))

    for data in (source, source / "data"):
        result = run_import("kestrel", source, data)
        assert result.returncode == 2
        assert b"a directory outside of" in result.stderr

    assert [path.name for path in source.iterdir()] == ["q"]


def test_no_such_source_and_an_empty_one(source: Path, tmp_path: Path) -> None:
    missing = run_import("kestrel", source, tmp_path / "data")
    assert missing.returncode == 2
    assert os.fspath(source).encode() in missing.stderr

    source.mkdir()
    assert run_import("kestrel", source, tmp_path / "data").returncode == 1
    assert not (tmp_path / "data").exists()


def test_an_interrupted_import_leaves_no_part_of_a_queue(
    source: Path, server: ServerProcess
) -> None:
    source.mkdir()
    (source / "a").write_bytes(addx(b"whole"))
    now = now_ms()
    (source / "b").write_bytes(b"".join(addx(b"%d" % n, now + n * 5000) for n in range(300_000)))
    command = (*DARNERPY, "import", "--from", "kestrel", os.fspath(source))
    with subprocess.Popen((*command, "--data", os.fspath(server.data))) as process:
        deadline = time.monotonic() + 20
        while not list(server.data.glob(".scratch/b/leveldb/*.log")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()

    assert [path.name for path in (server.data / "queues").iterdir()] == ["a"]
    with server.start().connect() as wire:
        assert drain(wire, "a") == [b"whole"]
        assert wire.get("b") is None
    assert list((server.data / ".scratch").iterdir()) == []
