"""Whoever is hung up on still gets the answer, also in the middle of sending, and nothing is obeyed."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import EVERY_LOOP, MakeServer, loops
from tests.servers import ServerProcess, Wire, wait_until

BINARY_SET = bytes.fromhex("80010004080000000000002b deadbeef 0000000000000000")
BINARY_ANSWER = bytes.fromhex("8101000000000081 00000000 deadbeef 0000000000000000")
HARM = b"\r\nflush_all\r\ndelete work\r\nshutdown\r\n"
TLS_HELLO = bytes.fromhex("16030102000100 01fc0303") + HARM
REDIS = b"*3\r\n$3\r\nSET\r\n$4\r\nwork\r\n$33" + HARM

ANSWERS = [
    (BINARY_SET + bytes(8) + b"work" + HARM, BINARY_ANSWER),
    (TLS_HELLO, b"\x15\x03\x01\x00\x02\x02\x0a"),
    (REDIS, b"-ERR this port speaks the memcache text protocol, not Redis\r\n"),
    (b"bogus work 0 0 1048576" + HARM, b"ERROR\r\n"),
    (b"set work 0 0 -1" + HARM, b"CLIENT_ERROR bad size '-1', a number of bytes expected\r\n"),
    (b"set work 0 0 1\r\nxx" + HARM, b"CLIENT_ERROR bad data chunk\r\n"),
    (b"x" * 3000, b"CLIENT_ERROR line too long\r\n"),
    (b"get " + b"k " * (1 << 20), b"CLIENT_ERROR line too long\r\n"),
    (b"PUT / HTTP/1.1" + HARM, b"CLIENT_ERROR this is a memcache port, not HTTP\r\n"),
    (b"version\r\nquit" + HARM, b"VERSION 1.0.0\r\n"),
]
TEXT_REFUSAL = b"-this port speaks Kestrel's text protocol\n"


@pytest.fixture(scope="module", params=EVERY_LOOP)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    path = tmp_path_factory.mktemp("last-words")
    with ServerProcess(
        path,
        sync="never",
        loop=request.param,
        listen=("127.0.0.1:0", f"unix:{path}/socket"),
        text_listen="127.0.0.1:0",
    ) as server:
        yield server


def say_much(wire: Wire, sent: bytes) -> bytes:
    """Send it and a MiB more, as far as the server lets us, only then read."""
    wire.send(sent + b"flush_all\r\n" * (1 << 17))
    return wire.read_to_end()


@pytest.mark.parametrize("where", ["tcp", "unix"])
@pytest.mark.parametrize(("sent", "answer"), ANSWERS, ids=[repr(a[:12]) for a, _ in ANSWERS])
def test_the_answer_is_read_after_all_was_sent(
    server: ServerProcess, where: str, sent: bytes, answer: bytes
) -> None:
    address = server.addresses[where == "unix"]
    with server.connect() as other, Wire(address) as wire:
        other.put("work", b"x")
        assert say_much(wire, sent) == answer
        assert other.get("work") == b"x", "nothing of it was obeyed"


@pytest.mark.parametrize("sent", [BINARY_SET, TLS_HELLO, REDIS], ids=["binary", "tls", "redis"])
def test_a_foreign_first_byte_byte_by_byte(server: ServerProcess, sent: bytes) -> None:
    answer = next(answer for begun, answer in ANSWERS if begun[:1] == sent[:1])
    with server.connect() as wire:
        for number in range(len(sent)):
            wire.send(sent[number : number + 1])
        assert wire.read_to_end() == answer


@pytest.mark.parametrize("first", [b"\x80", b"\x16", b"*"])
def test_only_the_first_byte_of_a_connection_is_foreign(
    server: ServerProcess, first: bytes
) -> None:
    with server.connect() as wire:
        assert wire.ask(b"version\r\n" + first + b"\r\n") == b"VERSION 1.0.0\r\n"
        wire.expect(b"ERROR\r\n")
        wire.send(first)
        assert wire.ask(b"junk\r\n") == b"ERROR\r\n"
    with server.connect() as wire:
        assert wire.ask(b"\r\n") == b"ERROR\r\n"
        assert wire.ask(first + b"\r\n") == b"ERROR\r\n"


@pytest.mark.parametrize("sent", [BINARY_SET, TLS_HELLO, REDIS], ids=["binary", "tls", "redis"])
def test_a_foreign_first_byte_on_the_text_port(server: ServerProcess, sent: bytes) -> None:
    port = server.wait_for_log("Kestrel's text protocol").rpartition("address=")[2].split()[0]
    with server.connect() as other, Wire(port) as wire:
        other.put("text", b"x")
        assert say_much(wire, sent + b"\ndelete text\n") == TEXT_REFUSAL
        assert other.get("text") == b"x"
    with Wire(port) as wire:
        wire.send(b"status\n*\nstatus\n")
        assert wire.read_until(b":UP\n") == b":UP\n"
        assert wire.read_until(b":UP\n") == b"-Unknown command: *\n:UP\n"


def test_what_was_held_is_back_although_the_client_goes_on_sending(server: ServerProcess) -> None:
    with server.connect() as other, server.connect() as wire:
        other.put("held", b"x")
        assert wire.get("held/open") == b"x"
        wire.send(b"bogus held 0 0 1000\r\n")
        assert wire.read_to_end() == b"ERROR\r\n"
        wire.send(b"more")
        assert other.get("held/t=20000") == b"x"
        other.wait_until("", curr_connections=1)
        wire.send(b"and more")


def test_who_sends_without_end_is_hung_up_on(server: ServerProcess) -> None:
    with server.connect() as wire:

        def flood() -> None:
            with suppress(OSError):
                while True:
                    wire.send(b"x" * (1 << 16))

        wire.send(b"quit\r\n")
        sender = threading.Thread(target=flood)
        sender.start()
        sender.join(20)
        assert not sender.is_alive()


def test_who_neither_sends_nor_closes_is_hung_up_on(server: ServerProcess) -> None:
    def open_files() -> int:
        return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))

    before = open_files()
    with server.connect() as wire:
        assert wire.ask(b"bogus a 0 0 1\r\n") == b"ERROR\r\n"
        assert wire.read_to_end() == b""
        wait_until(lambda: open_files() <= before)


@loops
def test_one_too_many_may_send_much_and_still_reads_why(
    make_server: MakeServer, tmp_path: Path, loop: str
) -> None:
    server = make_server(
        max_connections=1, loop=loop, sync="never", listen=("127.0.0.1:0", f"unix:{tmp_path}/s")
    )
    with Wire(server.addresses[0]) as only:
        only.put("work", b"x")
        for address in server.addresses * 2:
            with Wire(address) as wire:
                refusal = b"SERVER_ERROR too many connections, 1 are allowed\r\n"
                assert say_much(wire, b"delete work\r\n") == refusal
        assert only.get("work") == b"x"
        only.wait_until("", curr_connections=1, refused_connections=4)


@loops
def test_a_stop_sends_whole_answers_to_those_who_read(make_server: MakeServer, loop: str) -> None:
    server = make_server(loop=loop, sync="never")
    with server.connect() as idle, server.connect() as told, server.connect() as sending:
        assert idle.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"
        assert told.ask(b"bogus a 0 0 1\r\n") == b"ERROR\r\n"
        sending.send(b"version\r\n" * (1 << 16))
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        answers = sending.read_to_end()
        stopping.join()
        assert idle.read_to_end() == told.read_to_end() == b""
        assert answers == b"VERSION 1.0.0\r\n" * answers.count(b"\n")
