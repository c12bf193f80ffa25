"""A get of very many keys: one line of up to a MiB, checked before it runs, run in small portions."""

import socket
from collections.abc import Iterator

import pytest

from tests.conftest import EVERY_LOOP, MakeServer
from tests.servers import ServerProcess, Wire

KEYS = 10_000


@pytest.fixture(scope="module", params=EVERY_LOOP)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("keys"), sync="never", loop=request.param) as server:
        yield server


def values(reply: bytes) -> list[bytes]:
    return [line.split()[1] for line in reply.split(b"\r\n") if line.startswith(b"VALUE ")]


def test_ten_thousand_keys_are_answered_in_order(server: ServerProcess) -> None:
    with server.connect() as wire:
        wire.put("a", *(b"%d" % number for number in range(5)))
        wire.put("b", b"only")
        keys = [b"miss-%d" % number for number in range(KEYS)]
        keys[0], keys[5000], keys[5001], keys[-1] = b"a", b"b", b"a", b"a/peek"
        reply = wire.ask(b"gets " + b" ".join(keys) + b"\r\n")
        assert reply == (
            b"VALUE a 0 1 1\r\n0\r\nVALUE b 0 4 1\r\nonly\r\nVALUE a 0 1 2\r\n1\r\n"
            b"VALUE a/peek 0 1 3\r\n2\r\nEND\r\n"
        )
        assert wire.get("a") == b"2"


def test_a_bad_key_at_the_end_takes_nothing(server: ServerProcess) -> None:
    with server.connect() as wire:
        wire.put("whole", b"x")
        line = b"get " + b"whole " * KEYS
        assert wire.ask(line + b"whole/bogus\r\n").startswith(b"CLIENT_ERROR unknown option /bogus")
        assert wire.ask(line + b"whole/t=5\r\n").startswith(b"CLIENT_ERROR only the first key")
        wire.send(line)
        wire.expect_silence()
        with server.connect() as other:
            assert other.get("whole/peek") == b"x", "before the line has ended nothing is taken"
        assert values(wire.ask(b"whole\r\n")) == [b"whole"]


def test_a_line_that_breaks_off_takes_nothing(server: ServerProcess) -> None:
    with server.connect() as wire:
        wire.put("broken", b"x")
        with server.connect() as other:
            other.send(b"get " + b"broken " * KEYS)
        assert wire.get("broken") == b"x"


def test_the_first_of_many_may_wait(server: ServerProcess) -> None:
    with server.connect() as wire, server.connect() as other:
        wire.put("second", b"2")
        wire.send(b"get first/t=20000 " + b"second " * KEYS + b"\r\nversion\r\n")
        wire.expect_silence()
        other.put("first", b"1")
        assert values(wire.read_reply()) == [b"first/t=20000", b"second"]
        assert wire.read_line() == b"VERSION 1.0.0\r\n"


def test_others_have_their_turn(server: ServerProcess) -> None:
    """So many keys take the server a second; someone else is answered in between."""
    with server.connect() as wire, server.connect() as other:
        wire.send(b"get " + b"x " * (1 << 17) + b"\r\nversion\r\n")
        asked = 0
        wire.socket.setblocking(False)
        while True:
            assert other.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"
            asked += 1
            try:
                answer = wire.socket.recv(100)
            except BlockingIOError:
                continue
            break
        assert asked > 50
        wire.socket.settimeout(20)
        while not answer.endswith(b"VERSION 1.0.0\r\n"):
            answer += wire.socket.recv(100)
        assert answer == b"END\r\nVERSION 1.0.0\r\n"


def test_a_client_that_does_not_read_is_not_answered_in_memory(make_server: MakeServer) -> None:
    server = make_server(sync="never", window_memory="64MiB", max_open_reads=1000)
    item = b"x" * 200_000
    with server.connect() as wire:
        for _ in range(10):
            wire.put("much", *[item] * 40)
        before = server.memory("RssAnon")
        greedy = Wire(server.address)
        greedy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.send(b"get " + b"much/peek " * KEYS + b"\r\n")
        for _ in range(50):
            assert wire.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"
        wire.wait_until("much", items=400)
        assert server.memory("RssAnon") - before < 16 << 20
        greedy.close()


def test_many_keys_of_which_every_one_is_large(server: ServerProcess) -> None:
    item = b"y" * 400_000
    with server.connect() as wire:
        wire.put("large", *[item] * 30)
        reply = wire.ask(b"get " + b"large " * 1000 + b"\r\n")
        assert len(values(reply)) == 30
        assert len(reply) == 30 * (len(item) + len(b"VALUE large 0 400000\r\n\r\n")) + len(
            b"END\r\n"
        )


def test_a_stop_in_the_middle_closes_what_was_said(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        wire.put("stop", b"x")
        wire.send(b"get stop " + b"x " * (1 << 17) + b"\r\n")
        assert wire.read_line() == b"VALUE stop 0 1\r\n"
        server.stop()
        assert wire.read_to_end() == b"x\r\nEND\r\n"


def test_memory_of_waiting_lines_is_counted(make_server: MakeServer) -> None:
    """With half of buffer_memory taken, no more long lines are taken; short ones always are."""
    server = make_server(sync="never", buffer_memory="256KiB")
    keys = b"x " * 30_000 + b"\r\n"
    refused = b"SERVER_ERROR memory is short, lines of at most 2048 bytes are taken\r\n"
    waiting = [Wire(server.address) for _ in range(2)]
    with server.connect() as wire:
        for each in waiting:
            each.send(b"get first/t=600000 " + keys)

        def ask() -> bytes:
            """In two parts, so that what comes first has been counted when the rest comes."""
            wire.send(b"get " + keys[:-10_000])
            with server.connect() as other:
                other.ask(b"version\r\n")
            return wire.ask(keys[-10_000:])

        while ask() != refused:
            pass
        assert wire.ask(b"get x y\r\n") == b"END\r\n"
        for each in waiting:
            each.close()
        while ask() != b"END\r\n":
            pass
