"""A client that shuts down its sending side: gets what can be answered now, and then the end."""

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, EVERY_SERVER, STORED, hit
from tests.servers import ServerProcess, Wire

SERVERS = EVERY_SERVER

PUT = b"set %b 0 0 1\r\nx\r\n"


def finish(server: ServerProcess, sent: bytes) -> bytes:
    """What `printf sent | nc` shows."""
    with server.connect() as wire:
        wire.send(sent)
        wire.end_input()
        return wire.read_to_end()


def test_what_was_asked_is_answered(server: ServerProcess, queue: str) -> None:
    name = queue.encode()
    sent = PUT % name * 2 + b"get %b\r\nversion\r\nget %b\r\nget %b\r\n" % (name, name, name)
    answers = STORED * 2 + hit(queue) + END + b"VERSION 1.0.0\r\n" + hit(queue) + END + END
    assert finish(server, sent) == answers


def test_a_wait_ends(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.make(queue)
    with server.connect() as leaving:
        leaving.send(f"get {queue}/t=60000\r\nversion\r\nget {queue}/t=60000\r\n".encode())
        wire.wait_until(queue, waiters=1)
        leaving.end_input()
        assert leaving.read_to_end() == END + b"VERSION 1.0.0\r\n" + END
    wire.put(queue, b"kept")
    assert wire.get(queue) == b"kept"


@pytest.mark.parametrize("options", ["", "/open", "/peek"])
def test_a_wait_does_not_begin(server: ServerProcess, wire: Wire, queue: str, options: str) -> None:
    assert finish(server, f"get {queue}/t=60000{options}\r\n".encode()) == END
    sent = f"get {queue}/t=60000 {queue}{options}\r\nget {queue}/t=60000\r\n".encode()
    assert finish(server, sent) == END * 2
    wire.put(queue, b"kept")
    assert wire.get(queue) == b"kept"


@pytest.mark.parametrize("options", ["/t=60000", "/t=60000/open"])
def test_an_item_that_is_there_is_given(server: ServerProcess, queue: str, options: str) -> None:
    key = queue + options
    sent = PUT % queue.encode() + f"get {key}\r\n".encode()
    assert finish(server, sent) == STORED + hit(key if not kestrel(server) else queue) + END


def test_an_open_read_comes_back(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"first", b"second")
    assert finish(server, f"get {queue}/open\r\n".encode()).endswith(b"first\r\nEND\r\n")
    assert [wire.get(queue), wire.get(queue)] == [b"first", b"second"]


@pytest.mark.parametrize(
    "part", [b"", b"vers", b"set %b 0 0 10\r", b"set %b 0 0 10\r\n", b"set %b 0 0 10\r\nhalf"]
)
def test_half_a_command_is_nothing(
    server: ServerProcess, wire: Wire, queue: str, part: bytes
) -> None:
    part = part.replace(b"%b", queue.encode())
    assert finish(server, b"verbosity\r\n" + part) == b"OK\r\n"
    assert wire.get(queue) is None


def test_large_items_pass_whole(server: ServerProcess, queue: str) -> None:
    data, name = b"0123456789abcdef" * 65536, queue.encode()
    put = b"set %b 0 0 %d\r\n%b\r\n" % (name, len(data), data)
    answer = finish(server, put + b"get %b\r\n" % name * 2)
    assert answer == STORED + hit(queue, data) + END * 2
    assert finish(server, put[:-1000]) == b""
    assert finish(server, b"get %b\r\n" % name) == END


def kestrel(server: ServerProcess) -> bool:
    return "--dialect=kestrel" in server.flags


def test_who_stops_sending_still_gets_what_is_on_disk(make_server: MakeServer) -> None:
    server = make_server(sync="never", window_memory="8KiB")
    items = [b"%d" % number for number in range(2000)]
    with server.connect() as wire:
        wire.put("work", *items)
        server.restart()
    with server.connect() as wire:
        wire.send(b"get work\r\n" * 200)
        wire.end_input()
        expected = b"".join(hit("work", item) + END for item in items[:200])
        assert wire.read_to_end() == expected
