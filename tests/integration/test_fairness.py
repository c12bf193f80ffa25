"""Nobody waits for those who never stop, and a server with nothing to do does nothing."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conftest import MakeServer, loops
from tests.servers import ServerProcess, Wire

FLOODS = {
    "replies": b"version\r\n" * 5000,
    "items": b"set flood 0 0 10\r\n0123456789\r\nget flood\r\n" * 1000,
}


@contextmanager
def flooded(server: ServerProcess) -> Iterator[None]:
    """Clients that send more commands before they have read what the last were answered."""
    over = threading.Event()

    def send(wire: Wire, commands: bytes) -> None:
        try:
            while not over.is_set():
                wire.send(commands)
        except OSError:
            assert over.is_set()

    def read(wire: Wire) -> None:
        try:
            while wire.socket.recv(1 << 18):
                pass
        except OSError:
            assert over.is_set()

    with ExitStack() as stack:
        threads = []
        for commands in FLOODS.values():
            wire = stack.enter_context(server.connect())
            threads += [
                threading.Thread(target=send, args=(wire, commands)),
                threading.Thread(target=read, args=(wire,)),
            ]
            stack.callback(wire.socket.shutdown, socket.SHUT_RDWR)
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            stack.close()
            for thread in threads:
                thread.join()


@loops
def test_threads_and_timers_have_their_turn(make_server: MakeServer, loop: str) -> None:
    server = make_server(loop=loop, sync="always")
    with flooded(server), server.connect() as wire:
        for number in range(5):
            wire.put("work", b"%d" % number)  # a thread syncs it
            assert wire.get("work") == b"%d" % number
            assert wire.get("empty/t=10") is None  # a timer ends it
            wire.put("large", b"x" * 300_000)  # a thread writes it, another reads it
            assert wire.get("large") == b"x" * 300_000
        with server.connect() as newcomer:
            assert newcomer.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"


def cpu_s(server: ServerProcess) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@loops
def test_nothing_to_do(make_server: MakeServer, loop: str) -> None:
    server = make_server(loop=loop, sync="never")
    with ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(6)]
        idle, waiting, half, paused, unread, gone = wires
        idle.make("none")
        idle.put("work", *[b"x" * 100_000] * 100)
        waiting.send(b"get none/t=60000\r\n")
        half.send(b"set half 0 0 100\r\nhalf")
        half.end_input()
        paused.send(b"get none/t=60000\r\n" + b"x" * 100_000)
        unread.send(b"get work\r\n" * 100)
        gone.send(b"get none/t=60000\r\nversion\r\n" + b"x" * 100_000)
        gone.reset()
        idle.wait_until("none", waiters=2)
        before = cpu_s(server)
        time.sleep(2)
        assert cpu_s(server) - before < 0.1
