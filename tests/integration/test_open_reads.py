"""Reliable reads among many connections: whatever becomes of a reader, its item keeps its place."""

import random
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END
from tests.servers import ServerProcess, Wire

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "asyncio-synced": {"loop": "asyncio", "sync": "always"},
    "pump": {"loop": "pump"},
    "pump-synced": {"loop": "pump", "sync": "always"},
    "memory": {"engine": "memory"},
    "arena-synced": {"engine": "arena", "sync": "always"},
}

FIRST = b"CLIENT_ERROR close current item first\r\n"
LEAVE = {"close": Wire.close, "half-close": Wire.end_input, "reset": Wire.reset}
Leave = Callable[[Wire], None]
leaving = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())


def drain(wire: Wire, queue: str) -> list[bytes]:
    return list(iter(lambda: wire.get(queue), None))


@leaving
def test_what_leavers_held_comes_back_in_order(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave
) -> None:
    items = [b"%d" % number for number in range(20)]
    wire.put(queue, *items)
    with ExitStack() as stack:
        readers = [stack.enter_context(server.connect()) for _ in range(12)]
        for reader, item in zip(readers, items, strict=False):
            assert reader.get(f"{queue}/open") == item
        random.Random(1).shuffle(readers)
        for reader in readers:
            leave(reader)
        wire.wait_until(queue, items=20, open_transactions=0)
    assert drain(wire, queue) == items


def test_an_aborted_item_is_the_next_one(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"1", b"2", b"3", b"4")
    with server.connect() as second, server.connect() as third:
        assert wire.get(f"{queue}/open") == b"1"
        assert second.get(f"{queue}/open") == b"2"
        assert third.get(f"{queue}/open") == b"3"
        assert third.get(f"{queue}/abort") is None
        assert wire.get(f"{queue}/abort") is None
        assert third.get(f"{queue}/open") == b"1"
        assert second.get(f"{queue}/close") is None
        assert drain(wire, queue) == [b"3", b"4"]
        assert third.get(f"{queue}/abort") is None
    assert drain(wire, queue) == [b"1"]


@leaving
def test_a_returned_item_goes_to_whoever_waits_for_it(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave
) -> None:
    wire.put(queue, b"held")
    with server.connect() as holder, server.connect() as waiter:
        assert holder.get(f"{queue}/open") == b"held"
        waiter.send(f"get {queue}/t=20000/open\r\n".encode())
        wire.wait_until(queue, waiters=1)
        leave(holder)
        assert waiter.read_line() == f"VALUE {queue}/t=20000/open 0 4\r\n".encode()
        wire.wait_until(queue, open_transactions=1, items=0)


def test_held_on_several_queues(server: ServerProcess, wire: Wire, queue: str) -> None:
    queues = [f"{queue}-{number}" for number in range(5)]
    with server.connect() as holder:
        for name in queues:
            wire.put(name, b"held", b"next")
            assert holder.get(f"{name}/open") == b"held"
            assert wire.get(name) == b"next"
        assert holder.get(f"{queues[3]}/abort") is None
        assert holder.get(f"{queues[1]}/close") is None
        assert holder.get(f"{queues[1]}/open") is None
    found = [wire.get(f"{name}/t=20000") for name in (*queues[:1], *queues[2:])]
    assert found == [b"held"] * 4
    assert wire.get(queues[1]) is None


@leaving
def test_close_and_wait_confirms_at_once(
    server: ServerProcess, wire: Wire, queue: str, leave: Leave
) -> None:
    wire.put(queue, b"done")
    with server.connect() as worker:
        assert worker.get(f"{queue}/open") == b"done"
        worker.send(f"get {queue}/close/open/t=60000\r\n".encode())
        wire.wait_until(queue, waiters=1, open_transactions=0, items=0)
        leave(worker)
        wire.wait_until(queue, waiters=0)
    wire.put(queue, b"next")
    assert drain(wire, queue) == [b"next"]


def test_deleting_a_queue_ends_its_open_reads(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    wire.put(queue, b"old")
    with server.connect() as holder:
        assert holder.get(f"{queue}/open") == b"old"
        assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
        wire.put(queue, b"new", b"newer")
        assert holder.get(f"{queue}/abort") is None
        assert holder.get(f"{queue}/open") == b"new"
        assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
        wire.put(queue, b"newest")
        assert holder.get(queue) == b"newest"
    assert drain(wire, queue) == []


def test_flush_spares_open_reads(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"held", b"kept", b"flushed")
    with server.connect() as holder, server.connect() as other:
        assert holder.get(f"{queue}/open") == b"held"
        assert other.get(f"{queue}/open") == b"kept"
        assert wire.ask(f"flush {queue}\r\n".encode()) == END
        assert wire.stats(queue)["items"] == "0"
        wire.put(queue, b"later")
        assert holder.get(f"{queue}/abort") is None
        assert other.get(f"{queue}/close") is None
        assert drain(wire, queue) == [b"held", b"later"]


def test_several_open_reads_of_one_connection(make_server: MakeServer, queue: str) -> None:
    server = make_server(max_open_reads=3, sync="never")
    key = f"{queue}/open"
    with server.connect() as wire:
        wire.put(queue, *(b"%d" % number for number in range(1, 7)))
        with server.connect() as holder:
            assert [holder.get(key) for _ in range(3)] == [b"1", b"2", b"3"]
            assert holder.ask(f"get {key}\r\n".encode()) == FIRST
            assert holder.ask(f"get {queue}\r\n".encode()) == FIRST
            for keys in (f"other {key}", f"other {queue}/close=2 {key} {key}"):
                assert holder.ask(f"get {keys}\r\n".encode()) == FIRST
            assert holder.get(f"{queue}/close") is None  # 1, the oldest
            assert holder.get(key) == b"4"
            assert holder.get(f"{queue}/abort") is None  # 2
            assert wire.get(queue) == b"2"
            assert holder.get(f"{key}/close") == b"5"  # closes 3
            assert wire.stats(queue)["open_transactions"] == "2"
        wire.wait_until(queue, open_transactions=0)
        assert drain(wire, queue) == [b"4", b"5", b"6"]


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.stop])
def test_open_reads_outlive_the_server(
    make_server: MakeServer, queue: str, end: Callable[[ServerProcess], None]
) -> None:
    server = make_server(sync="never")
    with server.connect() as wire, server.connect() as other:
        wire.put(queue, b"1", b"2", b"3", b"4")
        assert wire.get(f"{queue}/open") == b"1"
        assert other.get(f"{queue}/open") == b"2"
        assert other.get(f"{queue}/close") is None
        assert other.get(f"{queue}/open") == b"3"
        end(server)
    with server.restart().connect() as wire:
        assert drain(wire, queue) == [b"1", b"3", b"4"]


def test_order_holds_when_most_items_are_on_disk(make_server: MakeServer, queue: str) -> None:
    server = make_server(sync="never", window_memory="64KiB", max_open_reads=1000)
    chance = random.Random(2)
    items = [b"%d " % number + b"-" * chance.randrange(4000) for number in range(1000)]
    with server.connect() as wire, server.connect() as holder:
        wire.put(queue, *items)
        held = [holder.get(f"{queue}/open") for _ in range(500)]
        assert held == items[:500]
        for _ in range(200):
            assert holder.get(f"{queue}/close") is None
        for _ in range(100):
            assert holder.get(f"{queue}/abort") is None
        assert [wire.get(queue) for _ in range(150)] == items[200:300] + items[500:550]
        holder.reset()
        wire.wait_until(queue, open_transactions=0)
        assert drain(wire, queue) == items[300:500] + items[550:]
