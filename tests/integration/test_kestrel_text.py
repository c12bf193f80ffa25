"""Kestrel's text protocol over its own port: what each line answers, and its reliable sessions."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, EVERY_SERVER, STORED, hit
from tests.servers import ServerProcess, Wire

SERVERS = {
    name: chosen | {"max_open_reads": 3, "text_listen": "127.0.0.1:0"}
    for name, chosen in EVERY_SERVER.items()
}

LEAVE = {"close": Wire.close, "half-close": Wire.end_input, "reset": Wire.reset}
leaving = pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE.keys())

FEW = b"-Not that many transactions open.\n"


def text(server: ServerProcess) -> Wire:
    """A connection to the text port."""
    line = server.wait_for_log("text protocol address=")
    return Wire(line.partition("address=")[2].split()[0])


def say(wire: Wire, line: str) -> bytes:
    """Send one line and return the line that answers it."""
    wire.send(line.encode() + b"\n")
    return wire.read_until(b"\n")


@pytest.fixture
def texter(server: ServerProcess) -> Iterator[Wire]:
    with text(server) as wire:
        yield wire


PUT3 = b"put work:\n1\n2\n3\n\n"
ROWS: list[tuple[str, bytes, bytes]] = [
    ("put", PUT3, b"+3\n"),
    ("put", b"put work:\n\n" + b"get work\n", b"+0\n*\n"),
    ("put", b"PUT work:\r\none\r\ntwo\r\n\r\nGET work\r\nget work\r\n", b"+2\n:one\n:two\n"),
    ("put", b"put work :\nx\n\nget work\n", b"+1\n:x\n"),
    ("put", b"put work:\n\0 \xff\r\n\nget work\n", b"+1\n:\0 \xff\r\n"),
    ("put", b"put work 60000:\nx\n\nget work\n", b"+1\n:x\n"),
    ("put", b"put work 0:\nx\n\nget work\n", b"+1\n:x\n"),
    ("put", b"put work -1:\nx\n\nput work:\ny\n\nget work\n", b"+1\n+1\n:y\n"),
    ("put", b"put work x:\nget work\n\nget work\n", b"-Error parsing expiration time.\n*\n"),
    ("put", b"put:\nget work\n\n", b"-Queue name required.\n"),
    ("put", b"put a/b:\nget work\n\nget work\n", b"-<why>\n*\n"),
    ("put", b"get work:\nx\n\nbogus:\nx\n\n", b"-<why>\n" * 2),
    (
        "get",  # the next get closes what the last one opened
        PUT3 + b"get work\n" * 4 + b"confirm work 1\n",
        b"+3\n:1\n:2\n:3\n*\n" + FEW,
    ),
    ("get", PUT3 + b"get work 60000\nget work 1\nget work\nget work 1\n", b"+3\n:1\n:2\n:3\n*\n"),
    ("get", PUT3 + b"get work\nget other\nconfirm work 1\nget work\n", b"+3\n:1\n*\n+1\n:2\n"),
    ("get", b"get\nget work x\nget work -1\nget work 1 2\n", b"-<why>\n" * 4),
    ("get", b"get work/open\nget +c\n", b"-<why>\n" * 2),
    (
        "get",
        PUT3 + b"put work:\n4\n\nmonitor work 0\nget work\nconfirm work 2\nconfirm work 1\n",
        b"+3\n+1\n:1\n:2\n:3\n*\n:4\n" + FEW + b"+1\n",
    ),
    ("peek", PUT3 + b"peek work\npeek work 60000\nget work\n", b"+3\n:1\n:1\n:1\n"),
    ("peek", PUT3 + b"get work\npeek work\nconfirm work 1\n", b"+3\n:1\n:2\n" + FEW),
    ("peek", b"peek work\npeek work 1\n", b"*\n" * 2),
    ("monitor", PUT3 + b"monitor work 60000\nconfirm work 3\n", b"+3\n:1\n:2\n:3\n*\n+3\n"),
    ("monitor", PUT3 + b"get work\nmonitor work 0\nconfirm work 3\n", b"+3\n:1\n:2\n:3\n*\n" + FEW),
    ("monitor", b"monitor work 0\nmonitor work 1\n", b"*\n" * 2),
    ("monitor", b"monitor work\nmonitor\n", b"-Queue name & timeout required.\n" * 2),
    (
        "confirm",
        PUT3 + b"monitor work 0\nconfirm work 4\nconfirm work 2\nconfirm work 2\nget work\n",
        b"+3\n:1\n:2\n:3\n*\n" + FEW + b"+2\n" + FEW + b"*\n",
    ),
    ("confirm", b"confirm work 1\nconfirm work 0\n", FEW * 2),
    ("confirm", b"confirm work\n", b"-Queue name & count required.\n"),
    (
        "consumer",
        b"get work+c\n" + PUT3 + b"get work+c\nget work+c\nget work\nput work+c:\n4\n\n"
        b"get work\nget work\nget work\n",
        b"*\n+3\n:1\n:2\n:1\n+1\n:2\n:3\n*\n",
    ),
    ("flush", PUT3 + b"flush work\nget work\nflush other\n", b"+3\n+0\n*\n+0\n"),
    ("delete", PUT3 + b"get work\ndelete work\nconfirm work 1\nget work\n", b"+3\n:1\n+0\n" + FEW + b"*\n"),
    ("status", b"status\nstatus readonly\nstatus\nstatus UP\n", b":UP\n+0\n:READONLY\n+0\n"),
    (
        "status",
        b"status readonly\n" + PUT3 + b"flush work\nstatus up\n" + PUT3,
        b"+0\n" + b"-the server is readonly\n" * 2 + b"+0\n+3\n",
    ),
    (
        "status",  # what is held is closed even so
        PUT3 + b"get work\nstatus quiescent\nget work\nconfirm work 1\nstatus up\nget work\n",
        b"+3\n:1\n+0\n-the server is quiescent\n" + FEW + b"+0\n:2\n",
    ),
    ("status", b"status bogus\n", b"-<why>\n"),
    ("small", b"version\nVERSION\n", b":1.0.0\n" * 2),
    ("small", b"bogus\n\nset work 0 0 1\n", b"-Unknown command: bogus\n-Unknown command:\n-<why>\n"),
]  # fmt: skip

CLOSED: list[tuple[str, bytes, bytes]] = [
    ("quit", b"quit\n", b""),
    ("quit", PUT3 + b"quit\nget work\n", b"+3\n"),
    ("line", b"x" * 2050, b"-line too long\n"),
    ("put", b"put work\nx\n\n", b"-<why>\n"),
    ("item", b"put work:\n1\n" + b"x" * 262_146 + b"\n", b"-<why>\n"),
    ("http", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"-<why>\n"),
]


def numbered(table: list[tuple[str, bytes, bytes]]) -> pytest.MarkDecorator:
    parameters = [
        pytest.param(sent, reply, id=f"{number:03d}-{about}")
        for number, (about, sent, reply) in enumerate(table)
    ]
    return pytest.mark.parametrize(("sent", "reply"), parameters)


def converse(server: ServerProcess, queue: str, sent: bytes, bytewise: bool, fence: bytes) -> bytes:
    """What is answered up to the fence's answer, or until the server closes."""
    for placeholder, name in ((b"work", queue), (b"other", "other-than-" + queue)):
        sent = sent.replace(placeholder, name.encode())
    with text(server) as wire:
        try:
            (wire.send_bytewise if bytewise else wire.send)(sent + fence)
        except ConnectionError:
            assert not fence  # it closed before it had read all of what it refuses
        answer = wire.read_until(b"-Unknown command: fence\n") if fence else wire.read_to_end()
        return answer.removesuffix(b"-Unknown command: fence\n")


def check(answer: bytes, expected: bytes) -> None:
    lines, patterns = answer.split(b"\n"), expected.split(b"\n")
    assert len(lines) == len(patterns), answer
    for line, pattern in zip(lines, patterns, strict=True):
        if pattern == b"-<why>":
            assert line.startswith(b"-"), answer
            assert len(line) > 5
        else:
            assert line == pattern, answer


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@numbered(ROWS)
def test_answered(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    check(converse(server, queue, sent, bytewise, b"fence\n"), reply)


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@numbered(CLOSED)
def test_answered_and_closed(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    if bytewise and len(sent) > 10_000:
        sent = b"put work:\n1\n2\nput other\n\nput other\n"  # a quarter of a million segments is enough
        reply = b"+3\n-<why>\n"
    check(converse(server, queue, sent, bytewise, b""), reply)


# --- reliable sessions


@leaving
def test_what_is_open_comes_back(
    server: ServerProcess, wire: Wire, queue: str, leave: Callable[[Wire], None]
) -> None:
    wire.put(queue, b"1", b"2", b"3", b"4")
    with text(server) as first, text(server) as second:
        assert say(first, f"get {queue}") == b":1\n"
        assert say(second, f"get {queue}") == b":2\n"
        assert say(first, f"get {queue}") == b":3\n"  # closes 1
        leave(first)
        leave(second)
        wire.wait_until(queue, items=3, open_transactions=0)
    assert [wire.get(queue) for _ in range(4)] == [b"2", b"3", b"4", None]


def test_a_wait(server: ServerProcess, wire: Wire, texter: Wire, queue: str) -> None:
    wire.put(queue, b"1")
    assert say(texter, f"get {queue}") == b":1\n"
    texter.send(f"get {queue} 60000\nversion\n".encode())
    wire.wait_until(queue, waiters=1, open_transactions=0)  # 1 is closed at once
    wire.put(queue, b"2")
    texter.expect(b":2\n:1.0.0\n")
    begin = time.monotonic()
    assert say(texter, f"get {queue} 300") == b"*\n"
    assert 0.29 < time.monotonic() - begin < 5


def test_monitor_as_they_come(server: ServerProcess, wire: Wire, texter: Wire, queue: str) -> None:
    wire.make(queue)
    texter.send(f"monitor {queue} 60000\nconfirm {queue} 2\n".encode())
    for number in range(3):
        wire.wait_until(queue, waiters=1)
        wire.put(queue, b"%d" % number)
        texter.expect(b":%d\n" % number)
    texter.expect(b"*\n+2\n")
    texter.close()
    wire.wait_until(queue, open_transactions=0, items=1)
    assert wire.get(queue) == b"2"


def test_both_ports_have_the_same_queues(wire: Wire, texter: Wire, queue: str) -> None:
    texter.send(f"put {queue}:\nfrom text\n\n".encode())
    texter.expect(b"+1\n")
    assert wire.get(queue) == b"from text"
    wire.ask(f"set {queue} 7 0 10\r\nfrom a set\r\n".encode())
    assert say(texter, f"get {queue}") == b":from a set\n"


# --- what cannot be said


LINES, LARGE = b"two\nlines", b"x" * 300_000
LINES_WHY = b"-item has line breaks, read it over the memcache port\n"
LARGE_WHY = b"-item is too large, read it over the memcache port\n"


@pytest.mark.parametrize(("item", "why"), [(LINES, LINES_WHY), (LARGE, LARGE_WHY)])
def test_unsayable_items(
    server: ServerProcess, wire: Wire, texter: Wire, queue: str, item: bytes, why: bytes
) -> None:
    wire.put(queue, b"1", item, b"3")
    assert say(texter, f"get {queue}") == b":1\n"
    assert say(texter, f"get {queue}") == why  # but 1 is closed
    wire.wait_until(queue, open_transactions=0, items=2)
    assert say(texter, f"get {queue} 60000") == why
    assert say(texter, f"peek {queue}") == why
    assert say(texter, f"monitor {queue} 60000") == why
    wire.wait_until(queue, open_transactions=0, items=2)
    assert wire.get(queue) == item
    assert say(texter, f"get {queue}") == b":3\n"


@pytest.mark.parametrize(("item", "why"), [(LINES, LINES_WHY), (LARGE, LARGE_WHY)])
@pytest.mark.parametrize("verb", ["get", "peek", "monitor"])
def test_unsayable_items_for_who_waits(
    server: ServerProcess,
    wire: Wire,
    texter: Wire,
    queue: str,
    verb: str,
    item: bytes,
    why: bytes,
) -> None:
    wire.make(queue)
    texter.send(f"{verb} {queue} 60000\nversion\n".encode())
    wire.wait_until(queue, waiters=1)
    with server.connect() as next_one:
        next_one.send(f"get {queue}/t=60000\r\n".encode())
        wire.wait_until(queue, waiters=2)
        wire.put(queue, item)
        texter.expect(why + b":1.0.0\n")
        assert len(next_one.read_reply()) > len(item)
    wire.wait_until(queue, items=0, open_transactions=0)


def test_monitor_up_to_an_unsayable_item(wire: Wire, texter: Wire, queue: str) -> None:
    wire.put(queue, b"1", LINES, b"3")
    texter.send(f"monitor {queue} 60000\nconfirm {queue} 1\n".encode())
    texter.expect(b":1\n" + LINES_WHY + b"+1\n")
    assert wire.get(queue) == LINES


# --- groups


def test_a_large_group(server: ServerProcess, wire: Wire, texter: Wire, queue: str) -> None:
    items = [b"%d " % number + b"x" * 500 for number in range(20_000)]
    texter.send(f"put {queue}:\n".encode() + b"\n".join(items) + b"\n\n")
    texter.expect(b"+20000\n")
    assert wire.stats(queue)["items"] == "20000"
    assert [wire.get(queue) for _ in range(100)] == items[:100]


def test_a_group_that_is_cut_off(server: ServerProcess, wire: Wire, queue: str) -> None:
    for leave in LEAVE.values():
        with text(server) as leaver:
            leaver.send(f"put {queue}:\n1\n2\n".encode())
            wire.wait_until(queue, items=2)
            leave(leaver)
        wire.wait_until("", curr_connections=1)
        assert wire.ask(f"flush {queue}\r\n".encode()) == END


def test_a_group_with_its_connection_closed_behind_it(
    server: ServerProcess, wire: Wire, queue: str
) -> None:
    with text(server) as leaver:
        leaver.send(f"put {queue}:\n1\n2\n\nget {queue}\n".encode())
        leaver.end_input()
        assert leaver.read_to_end() == b"+2\n:1\n"


def test_a_full_queue_takes_the_beginning_of_a_group(make_server: MakeServer) -> None:
    toml = '[queues."work"]\nmax_items = 3\nmax_item_bytes = 5\n'
    server = make_server(toml=toml, sync="never", text_listen="127.0.0.1:0")
    with text(server) as texter, server.connect() as wire:
        texter.send(b"put work:\n1\n2\n3\n4\n\nput work:\n5\n\nput work:\n\n")
        texter.expect(b"+3\n")
        assert texter.read_until(b"\n").startswith(b"-work is full: ")
        texter.expect(b"+0\n")
        assert [wire.get("work") for _ in range(4)] == [b"1", b"2", b"3", None]
        texter.send(b"put work:\n1\ntoo long\n3\n\nput work:\ntoo long\n3\n\n")
        texter.expect(b"+1\n")
        assert texter.read_until(b"\n").startswith(b"-item of 8 bytes is too large for work")
        assert [wire.get("work") for _ in range(2)] == [b"1", None]


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.stop])
def test_an_answered_group_is_kept(
    make_server: MakeServer, end: Callable[[ServerProcess], None]
) -> None:
    server = make_server(sync="always", text_listen="127.0.0.1:0")
    with text(server) as texter:
        texter.send(b"put work:\n1\n2\n3\n\n")
        texter.expect(b"+3\n")
        assert say(texter, "get work") == b":1\n"
        assert say(texter, "get work") == b":2\n"
        end(server)
    with server.start().connect() as wire:
        assert [wire.get("work") for _ in range(3)] == [b"2", b"3", None]


def test_expiration(server: ServerProcess, wire: Wire, texter: Wire, queue: str) -> None:
    texter.send(f"put {queue} 200:\nshort\n\nput {queue} 60000:\nlong\n\n".encode())
    texter.expect(b"+1\n+1\n")
    assert say(texter, f"peek {queue}") == b":short\n"
    time.sleep(0.25)
    assert wire.get(queue) == b"long"


def test_a_group_for_an_alias(make_server: MakeServer) -> None:
    toml = '[aliases]\nnews = ["one", "two"]\n'
    server = make_server(toml=toml, sync="never", text_listen="127.0.0.1:0")
    with text(server) as texter, server.connect() as wire:
        texter.send(b"put news:\n1\n2\n\nget news 60000\npeek news 60000\nmonitor news 60000\n")
        texter.expect(b"+2\n*\n*\n*\n")
        assert [wire.get(name) for name in ("one", "two", "one", "two")] == [b"1"] * 2 + [b"2"] * 2


# --- the listener


def test_it_is_off_unless_asked_for(make_server: MakeServer) -> None:
    assert "text protocol" not in make_server(sync="never").log()


def test_on_a_unix_socket(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(sync="never", text_listen=f"unix:{tmp_path / 'text'}")
    with text(server) as texter:
        assert say(texter, "version") == b":1.0.0\n"
    server.stop()
    assert not (tmp_path / "text").exists()


def test_too_many_connections(make_server: MakeServer) -> None:
    server = make_server(sync="never", text_listen="127.0.0.1:0", max_connections=1)
    with server.connect() as wire:
        wire.put("work", b"x")
        with text(server) as texter:
            assert texter.read_to_end() == b"-too many connections, 1 are allowed\n"


def test_shutdown(make_server: MakeServer) -> None:
    server = make_server(sync="never", text_listen="127.0.0.1:0")
    with text(server) as texter, text(server) as waiter, server.connect() as wire:
        wire.make("other")
        waiter.send(b"monitor other 60000\n")
        wire.wait_until("other", waiters=1)
        texter.send(b"put work:\n1\n\nshutdown\nget work\n")
        assert texter.read_to_end() == b"+1\n+0\n"
        assert waiter.read_to_end() == b"*\n"
    server.wait_for_exit(0)


def test_without_admin_commands(make_server: MakeServer) -> None:
    server = make_server(sync="never", text_listen="127.0.0.1:0", admin_commands="false")
    with text(server) as texter:
        for line in ("shutdown", "status readonly"):
            assert b"admin_commands" in say(texter, line)
        assert say(texter, "status") == b":UP\n"


def test_the_memcache_port_does_not_speak_it(wire: Wire, queue: str) -> None:
    assert wire.ask(f"put {queue}:\r\n".encode()) == b"ERROR\r\n"
    wire.ask(f"set {queue} 0 0 1\r\nx\r\n".encode())
    assert wire.ask(f"gets {queue}\r\n".encode()) == hit(queue, id=1) + END
    assert wire.ask(f"set {queue} 0 0 1\r\nx\r\n".encode()) == STORED
