"""Stats: the names that tools know from Kestrel, Darner and siberite, and whether they are true."""

import os
import re
import time

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "memory": {"loop": "asyncio", "engine": "memory"},
    "pump": {"loop": "pump"},
}

KESTREL_SERVER = (
    *("uptime", "time", "version", "curr_items", "total_items", "bytes", "reserved_memory_ratio"),
    *("curr_connections", "total_connections", "cmd_get", "cmd_set", "cmd_peek", "get_hits"),
    *("get_misses", "bytes_read", "bytes_written", "queue_creates", "queue_deletes"),
    "queue_expires",
)
KESTREL_QUEUE = (
    *("items", "bytes", "total_items", "logsize", "expired_items", "mem_items", "mem_bytes", "age"),
    *("discarded", "waiters", "open_transactions", "transactions", "canceled_transactions"),
    *("total_flushes", "journal_rewrites", "journal_rotations"),
)  # Darner's and siberite's are among them


def test_names(wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    names = list(wire.stats())
    of_server = [name for name in names if name in KESTREL_SERVER]
    assert of_server == list(KESTREL_SERVER)
    of_queue = [name for name in wire.stats(queue) if name in KESTREL_QUEUE]
    assert of_queue == list(KESTREL_QUEUE)
    assert {f"queue_{queue}_{name}" for name in wire.stats(queue)} <= set(names)


def test_of_one_queue(wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    wire.put(f"{queue}-other", b"x")
    reply = wire.ask(f"stats {queue}\r\n".encode())
    assert reply.endswith(b"END\r\n")
    assert b"-other" not in reply
    assert all(line.startswith(f"STAT queue_{queue}_".encode()) for line in reply.splitlines()[:-1])
    assert wire.ask(f"stats {queue}-none\r\n".encode()) == b"END\r\n"


def test_the_server(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire, server.connect() as other:
        before = wire.stats()
        assert before["pid"] == str(server.pid)
        assert abs(int(before["time"]) - time.time()) < 5
        assert int(before["uptime"]) < 20
        sent = (
            b"set work 0 0 3\r\nabc\r\n" * 5
            + b"get work\r\n" * 2
            + b"get none\r\nget work/peek\r\n"
            b"get work/open\r\nget work/close\r\nget work/abort\r\nget none/peek\r\n"
        )
        other.send(sent)
        received = other.read_until(b"END\r\n" * 4)
        after = wire.stats()

        def change(name: str) -> int:
            return int(after[name]) - int(before[name])

        assert (change("cmd_set"), change("cmd_get"), change("cmd_peek")) == (5, 4, 2)
        assert (change("get_hits"), change("get_misses")) == (4, 2)
        assert (change("curr_items"), change("bytes"), change("total_items")) == (2, 6, 5)
        assert change("bytes_read") == len(sent) + len(b"stats \r\n")
        told = sum(len(f"STAT {name} {value}\r\n") for name, value in before.items())
        assert change("bytes_written") == len(received) + told + len(b"END\r\n")
        assert (change("queue_creates"), change("queue_deletes")) == (1, 0)
        assert (after["curr_connections"], after["total_connections"]) == ("2", "2")
        wire.ask(b"delete work\r\n")
        wire.ask(b"delete none\r\n")
        other.close()
        wire.wait_until("", curr_connections=1, total_connections=2, queue_deletes=1, curr_items=0)


def test_a_queue_that_is_deleted_as_soon_as_it_is_made(make_server: MakeServer) -> None:
    with make_server().connect() as wire:
        for _ in range(2):
            wire.send(b"set b 0 0 1\r\nx\r\ndelete b\r\n")
            wire.expect(b"STORED\r\nDELETED\r\n")
        wire.ask(b"delete none\r\n")
        wire.ask(b"get none\r\n")
        stats = wire.stats()
        assert (stats["queue_creates"], stats["queue_deletes"]) == ("2", "2")


@pytest.mark.parametrize("verb", [b"stats v", b"stats", b"dump_stats v", b"dump_stats"])
def test_what_was_answered_before_is_counted(
    server: ServerProcess, queue: str, verb: bytes
) -> None:
    verb = verb.replace(b"v", queue.encode())
    with server.connect() as wire:
        put = b"set %b 0 0 1\r\nx\r\n" % queue.encode()
        wire.send(put * 2 + verb + b"\r\n")
        wire.expect(b"STORED\r\n" * 2)
        told = wire.read_until(b"END\r\n")
        mine = rb"(?s)queue(_%b_| '%b' .*?)total_items[ =]2\s" % (queue.encode(), queue.encode())
        assert re.search(mine, told), told


def test_a_queue(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"abc", b"defg", b"", b"hij")
    wire.ask(f"set {queue} 0 2592001 5\r\nstale\r\n".encode())
    stats = wire.stats(queue)
    expected = {"items": "5", "bytes": "15", "total_items": "5", "mem_items": "5", "waiters": "0"}
    assert expected.items() <= stats.items()
    assert 15 <= int(stats["mem_bytes"]) < 5000

    with server.connect() as holder, server.connect() as waiter:
        assert holder.get(f"{queue}/open") == b"abc"
        wire.wait_until(queue, items=4, bytes=12, open_transactions=1, transactions=1)
        holder.get(f"{queue}/abort")
        wire.wait_until(queue, items=5, bytes=15, open_transactions=0, canceled_transactions=1)
        assert [holder.get(queue) for _ in range(5)] == [b"abc", b"defg", b"", b"hij", None]
        wire.wait_until(queue, items=0, bytes=0, total_items=5, expired_items=1, mem_items=0, age=0)
        waiter.send(f"get {queue}/t=60000\r\n".encode())
        wire.wait_until(queue, waiters=1)
        wire.put(queue, b"x")
        wire.wait_until(queue, waiters=0, items=0, total_items=6)
    wire.put(queue, b"x")
    wire.ask(f"flush {queue}\r\n".encode())
    wire.wait_until(queue, items=0, bytes=0, total_flushes=1, discarded=0)


def test_ages(server: ServerProcess, wire: Wire, queue: str) -> None:
    begin = time.monotonic()
    wire.put(queue, b"1", b"2")
    with server.connect() as holder:
        assert holder.get(f"{queue}/open") == b"1"
        wait_until(lambda: int(wire.stats(queue)["oldest_open_age"]) >= 50)
        most = (time.monotonic() - begin) * 1000 + 2
        assert 50 <= int(wire.stats(queue)["age"]) < most + 1000
        assert time.monotonic() - begin > 0.045
        holder.get(f"{queue}/close")
    assert wire.stats(queue)["oldest_open_age"] == "0"
    assert wire.get(queue) == b"2"
    assert wire.stats(queue)["age"] == "0"


def test_nothing_stays_of_a_deleted_queue(wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    wire.get(f"{queue}/open")
    assert any(queue in name for name in wire.stats())
    wire.ask(f"delete {queue}\r\n".encode())
    assert not any(queue in name for name in wire.stats())
    assert wire.get(queue) is None
    assert not any(queue in name for name in wire.stats())
    wire.put(queue, b"y")
    assert wire.stats(queue)["total_items"] == "1"


@pytest.mark.parametrize("end", [ServerProcess.stop, ServerProcess.kill])
def test_after_a_start(make_server: MakeServer, end: object) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        wire.put("work", b"abc", b"defg", b"hi" * 300_000)
        wire.put("other", b"x")
        assert wire.get("work") == b"abc"
        wire.get("other")
    assert callable(end)
    end(server)
    server.start()
    with server.connect() as wire:
        wait_until(lambda: wire.stats()["loading"] == "0")
        stats = wire.stats("work")
        expected = {"items": "2", "bytes": "600004", "total_items": "3", "open_transactions": "0"}
        assert expected.items() <= stats.items()
        assert int(stats["logsize"]) >= 600_004
        assert 0 < int(stats["age"]) < 60_000
        wire.wait_until("", curr_items=2, total_items=4, bytes=600_004, cmd_get=0)
        assert wire.stats("other")["items"] == "0"
        assert str(os.getpid()) != wire.stats()["pid"] == str(server.pid)
