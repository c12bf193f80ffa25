"""Looking behind the next item: `get q/peek/offset=n`, which sees what waits and takes nothing."""

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess, Wire

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "uvloop-synced": {"loop": "uvloop", "sync": "always"},
    "pump": {"loop": "pump"},
    "asyncio-memory": {"loop": "asyncio", "engine": "memory"},
    "arena-little-memory": {"engine": "arena", "window_memory": "1MiB"},
    "uvloop-little-memory": {"loop": "uvloop", "window_memory": "1MiB"},
}

LARGE = 300_000


def seen(wire: Wire, key: str, most: int = 50) -> list[bytes]:
    """All that is there to be seen, one after another."""
    found: list[bytes] = []
    while len(found) < most and (item := wire.get(f"{key}/peek/offset={len(found)}")) is not None:
        found.append(item)
    return found


def test_each_place(wire: Wire, queue: str) -> None:
    assert seen(wire, queue) == []
    wire.put(queue, b"a", b"", b"c" * LARGE, b"d")
    assert seen(wire, queue) == [b"a", b"", b"c" * LARGE, b"d"]
    assert wire.get(f"{queue}/offset=1/peek") == b""
    assert wire.get(f"{queue}/peek/offset=0") == b"a"
    assert wire.get(f"{queue}/peek/offset=100000") is None
    assert [wire.get(queue) for _ in range(5)] == [b"a", b"", b"c" * LARGE, b"d", None]


def test_counts_and_ids(wire: Wire, queue: str) -> None:
    wire.put(queue, b"a", b"b")
    before = wire.stats()
    reply = wire.ask(f"gets {queue}/peek/offset=1\r\n".encode())
    assert reply == b"VALUE %b/peek/offset=1 0 1 2\r\nb\r\nEND\r\n" % queue.encode()
    assert wire.get(f"{queue}/peek/offset=2") is None
    after = wire.stats()
    counted = ("cmd_peek", "get_hits", "get_misses", "cmd_get")
    assert [int(after[name]) - int(before[name]) for name in counted] == [2, 1, 1, 0]


def test_several_keys_and_what_follows(wire: Wire, queue: str) -> None:
    wire.put(queue, b"a", b"b", b"c")
    keys = [f"{queue}/peek/offset={number}" for number in (2, 5, 0, 1)]
    wire.send(f"get {' '.join(keys)} {queue}\r\nget {queue}\r\nget {keys[3]}\r\n".encode())
    items = [(keys[0], b"c"), (keys[2], b"a"), (keys[3], b"b"), (queue, b"a")]
    wire.expect(
        b"".join(b"VALUE %b 0 1\r\n%b\r\n" % (k.encode(), v) for k, v in items) + b"END\r\n"
    )
    wire.expect(b"VALUE %b 0 1\r\nb\r\nEND\r\n" % queue.encode())
    wire.expect(b"END\r\n")


def test_only_what_waits(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, *(b"%d" % number for number in range(6)))
    wire.ask(f"set {queue} 0 -1 4\r\ngone\r\n".encode())
    wire.put(queue, b"6")
    assert seen(wire, queue) == [b"0", b"1", b"2", b"3", b"4", b"5", b"6"]
    with server.connect() as holder, server.connect() as other:
        assert holder.get(f"{queue}/open") == b"0"
        assert other.get(f"{queue}/open") == b"1"
        assert wire.get(queue) == b"2"
        assert seen(wire, queue) == [b"3", b"4", b"5", b"6"]
        other.get(f"{queue}/close")
        holder.get(f"{queue}/abort")
        assert seen(wire, queue) == [b"0", b"3", b"4", b"5", b"6"]
    assert wire.ask(f"flush {queue}\r\n".encode()) == b"END\r\n"
    assert seen(wire, queue) == []


def test_of_a_named_consumer(wire: Wire, queue: str) -> None:
    wire.put(queue, b"before")
    assert wire.get(f"{queue}+c/peek/offset=1") is None
    wire.put(queue, b"a", b"b")
    assert wire.get(queue) == b"before"
    assert wire.get(f"{queue}+c") == b"a"
    assert seen(wire, queue) == [b"a", b"b"]
    assert seen(wire, f"{queue}+c") == [b"b"]


def test_what_is_on_its_way_to_the_journal(server: ServerProcess, wire: Wire, queue: str) -> None:
    name = queue.encode()
    wire.send(b"set %b 0 0 1\r\na\r\nset %b 0 0 1\r\nb\r\nget %b/peek/offset=1\r\n" % ((name,) * 3))
    wire.expect(b"STORED\r\nSTORED\r\nVALUE %b/peek/offset=1 0 1\r\nb\r\nEND\r\n" % name)


def test_far_behind(wire: Wire, queue: str) -> None:
    body = b"x" * 1000
    for start in range(0, 5000, 500):
        wire.put(queue, *(b"%05d%b" % (number, body) for number in range(start, start + 500)))
    for place in (1, 17, 2500, 4998, 4999):
        found = wire.get(f"{queue}/peek/offset={place}")
        assert found is not None
        assert int(found[:5]) == place
    assert wire.get(f"{queue}/peek/offset=5000") is None
    assert wire.stats(queue)["items"] == "5000"


@pytest.mark.parametrize(
    "options",
    [
        *("offset=1", "open/offset=1", "close/offset=1", "abort/offset=1", "peek/t=5/offset=1"),
        *("peek/offset", "peek/offset=", "peek/offset=x", "peek/offset=-1", "peek/offset=100001"),
        *("peek/offset=1.5", "offset=0", "close=1/offset=1", "peek/OFFSET=1"),
    ],
)
def test_refused(wire: Wire, queue: str, options: str) -> None:
    wire.put(queue, b"a", b"b")
    assert wire.ask(f"get {queue}/{options}\r\n".encode()).startswith(b"CLIENT_ERROR ")
    assert wire.get(queue) == b"a"


def test_after_a_start(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_open_journals=1)
    with server.connect() as wire:
        wire.put("work", b"a", b"b", b"c")
        wire.put("other", b"x", b"y")
    server.restart()
    with server.connect() as wire:
        assert wire.get("work/peek/offset=2") == b"c"
        assert wire.get("other/peek/offset=1") == b"y"
        assert seen(wire, "work") == [b"a", b"b", b"c"]


def test_delayed_items_do_not_wait(make_server: MakeServer) -> None:
    server = make_server(toml='[queues."*"]\nretry_delay = "1h"\n', sync="never")
    with server.connect() as wire:
        wire.put("work", b"a", b"b", b"c")
        assert wire.get("work/open") == b"a"
        assert wire.get("work/abort") is None
        assert seen(wire, "work") == [b"b", b"c"]


def test_one_that_hangs_up_meanwhile(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"a", b"b")
    for _ in range(20):
        with server.connect() as leaver:
            leaver.send(f"get {queue}/peek/offset=1\r\n".encode() * 3)
            leaver.reset()
    with server.connect() as last:
        last.send(f"get {queue}/peek/offset=1\r\n".encode())
        last.end_input()
        assert last.read_to_end() == b"VALUE %b/peek/offset=1 0 1\r\nb\r\nEND\r\n" % queue.encode()
    assert seen(wire, queue) == [b"a", b"b"]


def test_deleted_meanwhile(server: ServerProcess, wire: Wire, queue: str) -> None:
    for _ in range(10):
        wire.put(queue, b"a", b"b")
        with server.connect() as looker:
            looker.send(f"get {queue}/peek/offset=1\r\n".encode())
            assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
            found = b"VALUE %b/peek/offset=1 0 1\r\nb\r\nEND\r\n" % queue.encode()
            assert looker.read_reply() in (b"END\r\n", found)
