"""Items that live only for a while."""

import time

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, STORED
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "memory": {"loop": "asyncio", "engine": "memory"},
    "arena": {"engine": "arena"},
    "pump": {"loop": "pump"},
}


def put(wire: Wire, queue: str, exptime: int, data: bytes) -> None:
    sent = f"set {queue} 0 {exptime} {len(data)}\r\n".encode() + data + b"\r\n"
    assert wire.ask(sent) == STORED


def test_an_item_lives_as_long_as_was_said(wire: Wire, queue: str) -> None:
    begin = time.time()
    put(wire, queue, 1, b"short")
    put(wire, queue, int(begin) + 2, b"longer")
    put(wire, queue, 0, b"always")
    assert wire.get(f"{queue}/peek") == b"short"
    wait_until(lambda: wire.get(f"{queue}/peek") != b"short")
    assert 0.99 < time.time() - begin < 5
    wait_until(lambda: wire.get(f"{queue}/peek") == b"always")
    assert time.time() > int(begin) + 1.99
    assert wire.stats(queue)["expired_items"] == "2"


def test_an_open_read_that_has_expired_does_not_come_back(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    put(wire, queue, 1, b"short")
    with server.connect() as holder:
        assert holder.get(f"{queue}/open") == b"short"
        put(wire, queue, 1, b"too")
        wait_until(lambda: wire.get(f"{queue}/peek") is None)
        assert holder.get(f"{queue}/abort") is None
    assert wire.get(queue) is None
    wire.wait_until(queue, items=0, expired_items=2)


def test_a_waiter_gets_no_expired_item(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with server.connect() as waiter:
        waiter.send(f"get {queue}/t=60000\r\n".encode())
        wire.wait_until(queue, waiters=1)
        put(wire, queue, -1, b"dead")
        put(wire, queue, -1, b"x" * 300_000)
        wire.wait_until(queue, items=0, waiters=1, expired_items=2)
        put(wire, queue, 60, b"alive")
        assert waiter.read_reply().endswith(b"alive\r\nEND\r\n")


@pytest.mark.parametrize(
    ("exptime", "lives"),
    [
        (2_591_999, True),
        (2_592_000, True),
        (2_592_001, False),
        (4_000_000_000, True),
        (2**62, True),
    ],
)
def test_thirty_days_are_the_last_that_count_from_now(
    wire: Wire, queue: str, exptime: int, lives: bool
) -> None:
    put(wire, queue, exptime, b"x")
    assert (wire.get(queue) == b"x") is lives


def test_expiry_is_kept_over_a_restart(make_server: MakeServer, queue: str) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        put(wire, queue, 2_592_001, b"dead")
        put(wire, queue, 1, b"short")
        put(wire, queue, 3600, b"alive")
    with server.restart().connect() as wire:
        assert wire.get(f"{queue}/peek") in (b"short", b"alive")
        wait_until(lambda: wire.get(f"{queue}/peek") == b"alive")


def test_what_the_client_says_can_be_ignored(make_server: MakeServer, queue: str) -> None:
    server = make_server(toml='[queues."q*"]\nignore_client_expiry = true\n')
    with server.connect() as wire:
        put(wire, queue, -1, b"stays")
        assert wire.get(queue) == b"stays"
        put(wire, f"not-{queue}", -1, b"goes")
        assert wire.ask(f"get not-{queue}\r\n".encode()) == END
