"""What clients cannot do to the server: take all its connections, its memory, or forever."""

import os
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.conftest import MakeServer, loops
from tests.dialogues import END, STORED, hit
from tests.servers import ServerProcess, Wire, wait_until

KIB, MIB = 1 << 10, 1 << 20


def send_until_it_blocks(wire: Wire, data: bytes) -> int:
    """Send again and again until the server takes no more; returns how many bytes it took."""
    total = 0
    wire.socket.settimeout(0.5)
    try:
        while total < 256 * MIB:
            total += wire.socket.send(data)
    except TimeoutError:
        return total
    raise AssertionError(f"it took {total} bytes and still takes more")


def half_uploads(server: ServerProcess) -> list[str]:
    """Not `rglob`: it raises when a directory that it is about to enter is removed."""
    found = (name for _, _, names in os.walk(server.data) for name in names)
    return [name for name in found if name.endswith(".part")]


# --- connections


@loops
def test_connections(make_server: MakeServer, loop: str) -> None:
    server = make_server(max_connections=3, loop=loop)
    text = b"SERVER_ERROR too many connections, 3 are allowed\r\n"
    with server.connect() as wire, server.connect(), server.connect() as third:
        wire.wait_until("", curr_connections=3)
        with server.connect() as fourth:
            fourth.send(b"set work 0 0 1\r\nx\r\n")
            assert fourth.read_to_end() == text
        third.close()
        wire.wait_until("", curr_connections=2, refused_connections=1, queue_creates=0)
        with server.connect() as again:
            again.put("work", b"x")
            assert again.stats()["refused_connections"] == "1"


def closed_after(wire: Wire, since: float) -> float:
    wire.expect_closed()
    return time.monotonic() - since


@loops
def test_client_timeout(make_server: MakeServer, loop: str) -> None:
    server = make_server(client_timeout="300ms", loop=loop, sync="never")
    with server.connect() as idle, server.connect() as waiter, server.connect() as holder:
        holder.put("work", b"held")
        assert holder.get("work/open") == b"held"
        waiter.send(b"get other/t=60000\r\n")
        idle.ask(b"version\r\n")
        assert 0.3 < closed_after(idle, time.monotonic()) < 5
        holder.put("other", b"waited for")
        assert waiter.read_reply() == hit("other/t=60000", b"waited for") + END
        assert holder.get("work/abort") is None
        assert holder.get("work") == b"held"
        assert 0.3 < closed_after(holder, time.monotonic()) < 5


@loops
@pytest.mark.parametrize(
    "part", [b"g", b"set work 0 0 9\r\nhal", b"set work 0 0 900000\r\nhalf", b"add work 0 0 9\r\nx"]
)
def test_receive_timeout(make_server: MakeServer, loop: str, part: bytes) -> None:
    server = make_server(receive_timeout="300ms", loop=loop, sync="never")
    with server.connect() as slow, server.connect() as idle, server.connect() as waiter:
        waiter.send(b"get other/t=60000\r\nget")
        begin = time.monotonic()
        slow.send(part)
        assert 0.3 < closed_after(slow, begin) < 5
        assert idle.get("work") is None
        wait_until(lambda: not half_uploads(server))


@loops
def test_who_is_always_in_the_middle_of_a_command_is_not_slow(
    make_server: MakeServer, loop: str
) -> None:
    server = make_server(receive_timeout="300ms", loop=loop, sync="never")
    with server.connect() as wire:
        stream = b"set work 0 0 1000\r\n%b\r\n" % (b"x" * 1000) * 40
        for at in range(0, len(stream), 510):  # half a command: it never ends with one
            wire.send(stream[at : at + 510])
            time.sleep(0.02)
        wire.expect(STORED * 40)


@loops
def test_send_timeout(make_server: MakeServer, loop: str) -> None:
    server = make_server(send_timeout="500ms", loop=loop, sync="never")
    data, more = b"0123456789abcdef" * (MIB // 4), b"x" * (32 * MIB)  # than sockets hold
    with server.connect() as never, server.connect() as slowly, server.connect() as wire:
        slowly.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
        wire.put("work", data)
        wire.put("more", more)
        never.send(b"get more/open\r\n")
        slowly.send(b"get work\r\n")
        expected, got = hit("work", data) + END, b""
        while len(got) < len(expected):
            got += slowly.read(min(128 * KIB, len(expected) - len(got)))
            time.sleep(0.05)  # slow is what this one is about
        assert got == expected
        assert wire.get("more/t=20000") == more
        assert len(never.read_to_end()) < len(more)


# --- memory


@loops
@pytest.mark.parametrize("line", [b"version\r\n", b"get work/peek\r\n", b"get large/peek\r\n"])
def test_who_never_reads(make_server: MakeServer, loop: str, line: bytes) -> None:
    server = make_server(loop=loop, sync="never", buffer_memory="16MiB")
    with ExitStack() as stack:
        wire = stack.enter_context(server.connect())
        wire.put("work", b"x" * 100 * KIB)
        wire.put("large", b"x" * MIB)
        before = server.memory()
        clients = [stack.enter_context(server.connect()) for _ in range(10)]
        senders = [
            threading.Thread(target=send_until_it_blocks, args=(client, line * 10_000))
            for client in clients
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert wire.get("work/peek") == b"x" * 100 * KIB
        assert server.memory("VmHWM") - before < 40 * MIB


@loops
def test_input_behind_a_wait(make_server: MakeServer, loop: str) -> None:
    server = make_server(loop=loop, sync="never")
    with server.connect() as wire, server.connect() as waiter:
        before = int(wire.stats()["bytes_read"])
        waiter.send(b"get work/t=60000\r\n")
        sent = send_until_it_blocks(waiter, b"set other 0 0 1000 noreply\r\n%b\r\n" % (b"x" * 1000))
        read = int(wire.stats()["bytes_read"]) - before
        assert 64 * KIB <= read < 512 * KIB < sent
        wire.put("work", b"x")
        waiter.socket.settimeout(20)
        waiter.expect(hit("work/t=60000") + END)
        wait_until(lambda: int(wire.stats()["bytes_read"]) > sent)


def test_blocks_that_are_promised_and_do_not_come(make_server: MakeServer) -> None:
    server = make_server(sync="never", buffer_memory="8MiB")
    size, part = 250 * KIB, b"x" * 240 * KIB
    with ExitStack() as stack:
        wire = stack.enter_context(server.connect())
        wire.make("work")
        before = server.memory()
        clients = [stack.enter_context(server.connect()) for _ in range(400)]
        for client in clients:
            client.send(b"set work 0 0 %d\r\n%b" % (size, part))
        wait_until(lambda: int(wire.stats()["bytes_read"]) > len(clients) * len(part))
        wait_until(lambda: server.memory() - before < 64 * MIB)  # of 94 that came
        for client in clients:
            client.send(b"x" * (size - len(part)) + b"\r\n")
        for client in clients:
            client.expect(STORED)
        assert wire.stats("work")["items"] == str(len(clients))
        assert wire.get("work") == b"x" * size


def test_many_connections(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(500)]
        for number, client in enumerate(clients):
            client.send(b"get work%d/t=60000/open\r\n" % (number % 7))
        clients[0].end_input()
        assert clients[0].read_to_end() == END
        with server.connect() as wire:
            for number in range(1, 500):
                wire.put(f"work{number % 7}", b"%d" % number)
            for number, client in list(enumerate(clients))[1:]:
                key = f"work{number % 7}/t=60000/open"
                assert client.read_reply() == hit(key, b"%d" % number) + END
            for client in clients[1:]:
                client.close()
            wire.wait_until("", curr_connections=1, curr_items=499)
