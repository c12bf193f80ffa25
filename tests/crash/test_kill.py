"""kill -9 in the middle of things: what was acknowledged is there, what was not leaves no trace."""

import random
import time
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.crash.load import Load, drain, verify

SYNCS = ("always", "never", "20ms")
ENGINES = ("leveldb", "arena")


@pytest.mark.parametrize(
    ("sync", "engine", "journals"),
    [
        (sync, engine, (2, 64)[(at + number) % 2])  # with both of each
        for at, sync in enumerate(SYNCS)
        for number, engine in enumerate(ENGINES)
    ],
)
def test_killed_under_load(make_server: MakeServer, sync: str, engine: str, journals: int) -> None:
    chance = random.Random(f"{sync} {engine}")
    server = make_server(sync=sync, max_open_journals=journals, engine=engine)
    for life in range(2):
        load = Load(server.address, chance.randrange(1 << 30), f"life{life}")
        load.start()
        time.sleep(chance.uniform(0.1, 0.8))  # the random moment
        server.kill()
        books = load.join()
        server.start()
        assert load.commands > 10
        assert not verify(books, drain(server.address))
        assert not server.complaints()


@pytest.mark.parametrize("sync", SYNCS)
def test_open_items_come_back_in_order(make_server: MakeServer, sync: str) -> None:
    server = make_server(sync=sync, max_open_reads=5)
    wire = server.connect()
    wire.put("q", b"1", b"2", b"3", b"4", b"5")
    others = server.connect()
    assert wire.get("q/open") == b"1"
    assert others.get("q/open") == b"2"
    assert wire.get("q/open") == b"3"
    assert others.get("q/open") == b"4"
    assert others.ask(b"get q/close\r\n") == others.ask(b"get q/close\r\n") == b"END\r\n"
    server.kill()
    server.start()
    with server.connect() as again:
        assert [again.get("q") for _ in range(4)] == [b"1", b"3", b"5", None]
    wire.close()
    others.close()


def test_a_deleted_queue_stays_deleted(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as wire:
        wire.put("q", b"1")
        wire.put("kept", b"1")
        assert wire.ask(b"delete q\r\n") == b"DELETED\r\n"
        server.kill()
    server.start()
    with server.connect() as wire:
        assert "queue_kept_state" in wire.stats()
        assert not [name for name in wire.stats() if name.startswith("queue_q_")]
        assert wire.get("q") is None


def test_a_half_upload_leaves_no_trace(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as whole, server.connect() as half, server.connect() as new:
        whole.put("q", b"before")
        whole.put("q", b"L" * 300_000)
        for wire, queue in ((half, "q"), (new, "never")):
            wire.send(b"set %b 0 0 5000000\r\n" % queue.encode() + b"x" * 2_000_000)
            _wait_for(server.data, f"queues/{queue}/large/*.part")
        server.kill()
    server.start()
    with server.connect() as wire:
        assert wire.get("q") == b"before"
        assert wire.get("q") == b"L" * 300_000
        assert wire.get("q") is None
        _wait_for_none(server.data, "queues/never")
        assert not [name for name in wire.stats() if "never" in name]
    assert not list((server.data / "queues").rglob("*.part"))


def test_a_deletion_cut_short_is_finished(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as wire:
        wire.put("q", *(b"x" * 100_000 for _ in range(20)))
    server.kill()
    (server.data / "queues" / "q").rename(server.data / ".trash" / "q.0")
    server.start()
    assert not list((server.data / ".trash").iterdir())
    assert drain(server.address) == {}


def _wait_for(directory: Path, pattern: str) -> None:
    deadline = time.monotonic() + 20
    while not list(directory.glob(pattern)):
        assert time.monotonic() < deadline, pattern
        time.sleep(0.002)


def _wait_for_none(directory: Path, pattern: str) -> None:
    deadline = time.monotonic() + 20
    while list(directory.glob(pattern)):
        assert time.monotonic() < deadline, pattern
        time.sleep(0.002)
