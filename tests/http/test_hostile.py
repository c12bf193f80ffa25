"""Clients that are slow, wrong, or gone, on every loop: each costs what is allowed, and no other notices."""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from darnerpy.http.patience import Patience
from darnerpy.server import closing
from tests.conftest import EVERY_LOOP
from tests.http.inside import Inside
from tests.http.web import Web
from tests.servers import TIMEOUT, Wire, half_uploads, wait_until

SOON = Patience(head=0.4, body=0.4, idle=0.8, reading=0.5, between=0.05)
LONG = Patience()
LIST = b"GET /v1/queues HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(params=EVERY_LOOP)
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def inside(loop: str, tmp_path: Path) -> Iterator[Inside]:
    with Inside(tmp_path / "data", loop, LONG) as running:
        yield running


@pytest.fixture
def hasty(loop: str, tmp_path: Path) -> Iterator[Inside]:
    with Inside(tmp_path / "data", loop, SOON) as running:
        yield running


def post(path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers]
    if not any(each.startswith(("Content-Length", "Transfer-Encoding")) for each in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_answer(wire: Wire) -> tuple[int, bytes]:
    """Status and body of the next answer on a connection."""
    head = wire.read_until(b"\r\n\r\n")
    status = re.match(rb"HTTP/1.1 ([0-9]{3}) ", head)
    assert status, head
    assert status[1] == b"100" or b"\r\nx-content-type-options: nosniff\r\n" in head
    length = re.search(rb"(?i)content-length: ([0-9]+)", head)
    return int(status[1]), wire.read(int(length[1]) if length else 0)


def in_line(inside: Inside) -> int:
    """How many wait for an item of the queue q."""
    stored = inside.server.broker.queues.get(b"q")
    return 0 if stored is None else len(stored.queue.own.line)


def is_well(inside: Inside) -> bool:
    with Web(inside.address) as web:
        return web.get("/v1/queues").status == 200


def test_answers_that_nobody_reads_count_as_memory(loop: str, tmp_path: Path) -> None:
    ask = "/v1/queues/q/items/peek?n=16"
    head = f"GET {ask} HTTP/1.1\r\nHost: localhost\r\nAccept: application/jsonl\r\n\r\n"
    with Inside(tmp_path / "data", loop, LONG, buffer_memory="1MiB") as inside:
        flow = inside.server.flow
        with Web(inside.address) as web:
            for _ in range(16):
                assert web.post("/v1/queues/q/items", b"x" * 250_000).status == 201
            with inside.connect() as wire:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                wire.send(head.encode())
                wait_until(lambda: flow.reserved == 16 * 250_000)
                assert web.get(ask, accept="application/jsonl").body.count(b"\n") == 1
                assert (
                    web.post("/v1/queues/q/take?n=16", accept="application/jsonl").body.count(b"\n")
                    == 1
                )
            wait_until(lambda: flow.reserved == 0)
            assert web.get(ask, accept="application/jsonl").body.count(b"\n") == 15


# --- slow


def test_a_head_that_never_ends(hasty: Inside) -> None:
    with hasty.connect() as wire:
        begun = time.monotonic()
        wire.send(b"GET /v1/queues HTTP/1.1\r\nX: ")
        while time.monotonic() < begun + 10:
            try:
                wire.send(b"x")
            except OSError:
                break
            time.sleep(0.02)
        assert time.monotonic() < begun + 10
    assert is_well(hasty)


def test_a_head_that_stops_is_told_so(hasty: Inside) -> None:
    with hasty.connect() as wire:
        wire.send(b"GET /v1/queues HTTP/1.1\r\n")
        status, body = read_answer(wire)
        assert (status, b"no whole head" in body) == (408, True)
        wire.expect_closed()


@pytest.mark.parametrize("trailer", [b"", b"X: y\r\n"])
def test_trailers_that_never_end(inside: Inside, trailer: bytes) -> None:
    with inside.connect() as wire:
        wire.send(post("/v1/queues/q/items", b"", "Transfer-Encoding: chunked"))
        wire.send(b"5\r\nhello\r\n0\r\n" + (trailer * 20_000 or b"X: " + b"y" * 100_000))
        status, body = read_answer(wire)
        assert (status, b"none of the body" in body) == (431, True)
        wire.expect_closed()
    with Web(inside.address) as web:
        assert web.get("/v1/queues/q").status == 404


def test_trailers_are_no_headers(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(post("/v1/queues/q/items", b"", "Transfer-Encoding: chunked"))
        wire.send(b"5\r\nhello\r\n0\r\nDarnerpy-Flags: many\r\nHost: elsewhere\r\n\r\n" + LIST)
        assert [read_answer(wire)[0] for _ in range(2)] == [201, 200]


@pytest.mark.parametrize("lines", [False, True])
def test_what_is_kept_of_bodies_is_memory_of_buffers(
    loop: str, tmp_path: Path, lines: bool
) -> None:
    kind = "application/jsonl" if lines else "text/plain"
    how = f"Content-Type: {kind}", "Content-Length: 200001"
    part = post("/v1/queues/q/items", b"", *how) + b" " * 200_000
    with (
        Inside(tmp_path / "data", loop, LONG, buffer_memory="1MiB") as inside,
        ExitStack() as stack,
    ):
        flow = inside.server.flow
        wires = [stack.enter_context(inside.connect()) for _ in range(3)]
        for number, wire in enumerate(wires[:2], 1):
            wire.send(part)
            wait_until(partial(lambda kept: flow.reserved == kept, number * 200_000))
        wires[2].send(part)  # this is more than half of it
        if lines:
            status, body = read_answer(wires[2])
            assert (status, b"buffer_memory" in body) == (503, True)
        wait_until(lambda: flow.reserved == 400_000)
        for wire in wires[: 2 if lines else 3]:
            wire.send(b" ")
            assert read_answer(wire)[0] == 201
        wait_until(lambda: flow.reserved == 0)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [10, 400_000])
def test_a_body_that_stops(hasty: Inside, size: int, chunked: bool) -> None:
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size + 10}"
    with hasty.connect() as wire:
        wire.send(post("/v1/queues/q/items", b"", how))
        wire.send((b"%x\r\n" % (size + 10) if chunked else b"") + bytes(size))
        status, body = read_answer(wire)
        assert (status, b"nothing more of the body" in body) == (408, True)
        wire.expect_closed()
    with Web(hasty.address) as web:
        assert web.get("/v1/queues/q").status == 404


def test_a_body_that_comes_slowly_is_well(hasty: Inside) -> None:
    with hasty.connect() as wire:
        wire.send(post("/v1/queues/q/items", b"", "Content-Length: 10"))
        for _ in range(10):
            time.sleep(0.1)
            wire.send(b"x")
        assert read_answer(wire)[0] == 201


def test_an_idle_connection_is_closed(hasty: Inside) -> None:
    with hasty.connect() as silent, hasty.connect() as wire:
        wire.send(LIST)
        read_answer(wire)
        wire.expect_closed()
        silent.expect_closed()


def test_a_long_poll_is_not_idle(hasty: Inside) -> None:
    with hasty.connect() as wire:
        wire.send(post("/v1/queues/q/take?wait=1500ms"))
        assert read_answer(wire)[0] == 204


def test_a_client_that_does_not_read(hasty: Inside) -> None:
    with Web(hasty.address) as web:
        web.post("/v1/queues/q/items", os.urandom(16 << 20))
    with hasty.connect() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(LIST.replace(b"/v1/queues", b"/v1/queues/q/items/peek"))
        connections = hasty.front._open
        wait_until(lambda: len(connections) == 1)
        wait_until(lambda: not connections)
    wait_until(lambda: hasty.server.flow.unsent == 0)


@pytest.mark.parametrize("end", ["HTTP/1.0", "close", "refused", "refused and sends much"])
def test_a_client_that_does_not_read_its_last_answer(
    hasty: Inside, end: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(closing, "_MOST_BYTES", 1000)
    caplog.set_level("INFO", "darnerpy.http")
    with Web(hasty.address) as web:
        web.post("/v1/queues/q/items", bytes(200_000))
    for listening in hasty.front._listeners[0].sockets:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ask = LIST.replace(b"/v1/queues", b"/v1/queues/q/items/peek")
    if end == "HTTP/1.0":
        ask = ask.replace(b"HTTP/1.1", b"HTTP/1.0")
    elif end == "close":
        ask = ask[:-2] + b"Connection: close\r\n\r\n"
    else:
        ask += b"NONSENSE\r\n\r\n"
    connections, admission = hasty.front._open, hasty.server.admission
    wait_until(lambda: not connections)
    with hasty.connect() as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(ask)
        with suppress(OSError):
            while end == "refused and sends much":
                wire.send(bytes(5000))
        wait_until(lambda: caplog.records)
        wait_until(lambda: not connections)
    assert [each.message for each in caplog.records] == ["closing a connection: slow reader"]
    assert admission.closing == hasty.server.flow.unsent == hasty.server.flow.reserved == 0


def test_who_is_hung_up_on_already_is_not_slow(
    hasty: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(closing, "_MOST_S", 1.5)
    caplog.set_level("INFO", "darnerpy.http")
    with hasty.connect() as wire:
        wire.send(b"NONSENSE\r\n\r\n")
        assert read_answer(wire)[0] == 400
        wire.expect_closed()
        wait_until(lambda: not hasty.front._open)
    assert not caplog.records


# --- too much


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
    ],
)
def test_a_head_that_is_too_large(inside: Inside, head: bytes) -> None:
    with inside.connect() as wire:
        wire.send(head)
        status, body = read_answer(wire)
        assert (status, b"larger than 32768 bytes" in body) == (431, True)
        wire.expect_closed()
    with inside.connect() as wire:
        wire.send(LIST[:-2] + b"X: " + b"x" * 31_000 + b"\r\n\r\n")
        assert read_answer(wire)[0] == 200


def test_an_address_that_is_too_long(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_answer(wire)[0] == 414
        wire.expect_closed()


def test_too_large_is_said_before_the_body_comes(loop: str, tmp_path: Path) -> None:
    with (
        Inside(tmp_path / "data", loop, LONG, max_item_bytes="1MiB", max_items="1") as inside,
        inside.connect() as wire,
    ):
        much = "Content-Length: 2000000"
        wire.send(post("/v1/queues/q/items", b"", much, "Expect: 100-continue"))
        status, body = read_answer(wire)
        assert (status, b"item of 2000000 bytes is too large for q" in body) == (413, True)
        wire.expect_closed()
        with inside.connect() as other:
            other.send(post("/v1/queues/q/items", b"", "Content-Length: 1", "Expect: 100-continue"))
            other.expect(b"HTTP/1.1 100 Continue\r\n\r\n")
            other.send(b"x")
            assert read_answer(other)[0] == 201
            other.send(post("/v1/queues/q/items", b"", "Content-Length: 1", "Expect: 100-continue"))
            assert read_answer(other)[0] == 429


@pytest.mark.parametrize("chunked", [False, True])
def test_the_answer_is_read_by_a_client_that_still_sends(
    loop: str, tmp_path: Path, chunked: bool
) -> None:
    """It is not reset away: what still comes is thrown away for a while."""
    size = 8 << 20
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    with (
        Inside(tmp_path / "data", loop, LONG, max_item_bytes="1MiB") as inside,
        inside.connect() as wire,
    ):
        wire.send(post("/v1/queues/q/items", b"", how))
        if chunked:
            wire.send(b"%x\r\n" % size)
        wire.send(bytes(size))
        assert read_answer(wire)[0] == 413
        wire.expect_closed()


def test_a_small_rest_does_not_cost_the_connection(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(post("/v1/queues/a%2fb/items", b"", "Content-Length: 100000") + bytes(50_000))
        assert read_answer(wire)[0] == 400
        wire.send(bytes(50_000) + LIST)
        assert read_answer(wire)[0] == 200


# --- wrong


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"get work\r\n",
        post("/push", b"x", "Content-Length: 1", "Content-Length: 2"),
        post("/push", b"x", "Content-Length: 1", "Transfer-Encoding: chunked"),
        post("/push", b"x", "Content-Length: -1"),
        post("/push", b"x", "Content-Length: 99999999999999999999999"),
        b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_no_request(inside: Inside, request_bytes: bytes) -> None:
    with inside.connect() as wire:
        wire.send(request_bytes)
        status, body = read_answer(wire)
        assert (status, b'"status":400' in body) == (400, True)
    assert is_well(inside)


@pytest.mark.parametrize("target", [b"http://localhost", b"http://localhost:2x/"])
def test_an_address_without_a_path(inside: Inside, target: bytes) -> None:
    with inside.connect() as wire:
        wire.send(LIST.replace(b"/v1/queues", target))
        status, body = read_answer(wire)
        assert (status, b"its address is none, or has no path" in body) == (400, True)
        wire.expect_closed()


@pytest.mark.parametrize("target", [b"localhost:22", b"/v1/queues"])
def test_it_is_no_proxy(inside: Inside, target: bytes) -> None:
    with inside.connect() as wire:
        wire.send(LIST + LIST.replace(b"GET /v1/queues", b"CONNECT " + target) + LIST)
        assert read_answer(wire)[0] == 200
        head = wire.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
        assert b"\r\nallow: DELETE, GET, HEAD, PATCH, POST, PUT\r\n" in head
        assert b"this is no proxy" in wire.read_to_end()


def test_a_body_that_is_cut_short_is_no_item(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(post("/v1/queues/q/items", b"", "Transfer-Encoding: chunked") + b"5\r\nabcdeXX")
        assert read_answer(wire)[0] == 400
    with inside.connect() as wire:
        wire.send(post("/v1/queues/q/items", b"", "Content-Length: 500000") + bytes(400_000))
        wire.reset()
    with Web(inside.address) as web:
        wait_until(lambda: web.get("/v1/queues/q").status == 404)
    wait_until(lambda: inside.server.broker.idle)
    assert not half_uploads(inside.server.settings.data)


def test_what_is_wrong_is_said_in_its_turn(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(LIST * 3 + b"NONSENSE\r\n\r\n" + LIST)
        assert [read_answer(wire)[0] for _ in range(4)] == [200, 200, 200, 400]
        wire.expect_closed()


def test_a_body_that_breaks_off_behind_another_request(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(LIST + post("/v1/queues/q/items", b"", "Transfer-Encoding: chunked") + b"ZZ\r\n")
        assert [read_answer(wire)[0] for _ in range(2)] == [200, 400]
        wire.expect_closed()


def test_another_protocol_is_not_agreed_to(inside: Inside) -> None:
    """As clients ask that would rather speak HTTP/2: they are answered, and go on."""
    upgrade = (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    )
    with inside.connect() as wire:
        for _ in range(2):
            wire.send(LIST[:-2] + upgrade)
            assert read_answer(wire)[0] == 200
        body = post("/v1/queues/q/items", b"x")
        wire.send(body.replace(b"\r\n\r\nx", b"\r\n" + upgrade + b"x"))
        assert read_answer(wire)[0] == 201
        wire.send(LIST)
        assert read_answer(wire)[0] == 200


# --- in order


def test_pipelined_requests_are_answered_in_order(inside: Inside) -> None:
    with inside.connect() as wire:
        items = [b"%d" % number for number in range(1000)]
        wire.send(b"".join(post("/v1/queues/q/items", item) for item in items))
        ids = [read_answer(wire) for _ in items]
        assert ids == [(201, b'{"ids":[%d]}' % number) for number in range(1, 1001)]
        wire.send(post("/v1/queues/q/take") * 1001)
        assert [read_answer(wire)[1] for _ in items] == items
        assert read_answer(wire) == (204, b"")


@pytest.mark.parametrize("how", ["Content-Length: 9000", "Transfer-Encoding: chunked"])
def test_pipelined_requests_that_do_not_come_at_once(inside: Inside, how: str) -> None:
    body = b"x" * 9000
    if how.startswith("Transfer"):
        body = b"2328\r\n" + body + b"\r\n0\r\n\r\n"
    with inside.connect() as wire:
        wire.send(post("/v1/queues/q/items", body, how) * 30)
        assert [read_answer(wire)[0] for _ in range(30)] == [201] * 30
        wire.send(LIST + post("/v1/queues/q/items", bytes(100_000)) + LIST)
        assert [read_answer(wire)[0] for _ in range(3)] == [200, 201, 200]


def test_what_is_sent_behind_a_poll_is_not_kept(inside: Inside) -> None:
    with inside.connect() as wire, Web(inside.address) as web:
        wire.send(LIST + post("/v1/queues/q/take?wait=20s") + LIST * 1000)
        wait_until(lambda: in_line(inside) == 1)
        wire.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            wire.socket.sendall(LIST * 1_000_000)
        wire.socket.settimeout(TIMEOUT)
        (connection,) = inside.front._inside
        assert len(connection._unparsed) <= 256 * 1024
        web.post("/v1/queues/q/items", b"x")
        assert [read_answer(wire)[0] for _ in range(2000)] == [200] * 2000


def test_bytes_one_by_one(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send_bytewise(post("/v1/queues/q/items", b"one") + LIST)
        assert read_answer(wire)[0] == 201
        assert read_answer(wire)[0] == 200


def test_an_old_client(inside: Inside) -> None:
    with inside.connect() as wire:
        wire.send(b"GET /v1/queues HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b'"queues"' in wire.read_to_end()
    with inside.connect() as wire:
        wire.send(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = wire.read_to_end().partition(b"\r\n\r\n")
        assert b"\r\nconnection: close" in head
        assert b"transfer-encoding" not in head
        assert body.startswith(b"# HELP darnerpy_")
        assert body.endswith(b"\n")
        assert b"\r" not in body
    with inside.connect() as wire:
        wire.send(LIST[:-2] + b"Connection: close\r\n\r\n" + LIST)
        assert read_answer(wire)[0] == 200
        wire.expect_closed()


def test_an_old_client_is_not_told_to_go_on(inside: Inside) -> None:
    with inside.connect() as wire:
        head = post("/v1/queues/q/items", b"", "Content-Length: 1", "Expect: 100-continue")
        wire.send(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
        wait_until(
            lambda: any(each.exchange and each.exchange.wants for each in list(inside.front._open))
        )
        wire.send(b"x")
        assert wire.read_to_end().startswith(b"HTTP/1.1 201 ")


# --- gone


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_who_hangs_up_while_waiting_takes_nothing(inside: Inside, how: str) -> None:
    with Web(inside.address) as web:
        for path in ("take?wait=20s", "leases?wait=20s"):
            for _ in range(3):
                wire = inside.connect()
                wire.send(post(f"/v1/queues/q/{path}"))
                wait_until(lambda: in_line(inside) > 0)
                if how == "close":
                    wire.close()
                elif how == "reset":
                    wire.reset()
                else:
                    wire.end_input()
                web.post("/v1/queues/q/items", b"x")
                said = web.post("/v1/queues/q/take?wait=10s")
                assert (said.body, said.headers["darnerpy-attempts"]) == (b"x", "0")
                wire.close()


@pytest.mark.parametrize("rest", [LIST, LIST * 4000])
def test_who_hangs_up_with_more_sent_than_is_read_is_missed(hasty: Inside, rest: bytes) -> None:
    with hasty.connect() as wire:
        wire.send(post("/v1/queues/q/take?wait=20s") + rest)
        wait_until(lambda: in_line(hasty) == 1)
        time.sleep(0.1)
    wait_until(lambda: in_line(hasty) == 0, 1.0)
    wait_until(lambda: not hasty.front._open)


def test_a_client_that_goes_while_it_is_sent_a_large_item(inside: Inside) -> None:
    with Web(inside.address) as web:
        web.post("/v1/queues/q/items", bytes(32 << 20))
    before = set(os.listdir("/proc/self/fd"))
    with inside.connect() as wire:
        wire.send(LIST.replace(b"/v1/queues", b"/v1/queues/q/items/peek"))
        wire.read(100_000)
        wire.reset()
    wait_until(lambda: not inside.front._open)
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= len(before))


# --- many


def test_many_at_once(inside: Inside) -> None:
    wires = [inside.connect() for _ in range(300)]
    for number, wire in enumerate(wires):
        wire.send(post("/v1/queues/q/items", b"%d" % number))
    ids = sorted(read_answer(wire)[1] for wire in wires)
    assert len(set(ids)) == 300
    for wire in wires:
        wire.send(post("/v1/queues/q/take"))
    assert {read_answer(wire)[1] for wire in wires} == {b"%d" % number for number in range(300)}
    for wire in wires:
        wire.close()
    wait_until(lambda: not inside.front._open)
    assert inside.server.flow.reserved == inside.server.flow.unsent == 0


def test_few_of_those_who_are_refused_are_waited_for(loop: str, tmp_path: Path) -> None:
    with (
        Inside(tmp_path / "data", loop, LONG, max_connections="1") as inside,
        ExitStack() as stack,
    ):
        admission, connections = inside.server.admission, inside.front._open
        admission.most_closing = 2
        stack.enter_context(inside.connect())
        wait_until(lambda: len(connections) == 1)
        for _ in range(10):
            wire = stack.enter_context(inside.connect())
            assert read_answer(wire)[0] == 503
            wire.expect_closed()
        wait_until(lambda: len(connections) == 3, 2.0)
        assert admission.closing == 2
        stack.close()
        wait_until(lambda: not connections)
        assert admission.closing == 0


def test_waiters_are_served_in_order(inside: Inside) -> None:
    with inside.connect() as first, inside.connect() as second:
        for wire in (first, second):
            before = in_line(inside)
            wire.send(post("/v1/queues/q/take?wait=20s"))
            wait_until(lambda before=before: in_line(inside) > before)  # type: ignore[misc]
        with Web(inside.address) as web:
            web.post(
                "/v1/queues/q/items", '{"text":"1"}\n{"text":"2"}', content_type="application/jsonl"
            )
        assert (read_answer(first)[1], read_answer(second)[1]) == (b"1", b"2")


def test_a_stop_ends_polls_and_drops_half_uploads(loop: str, tmp_path: Path) -> None:
    polls: list[int] = []
    with ExitStack() as wires:
        with Inside(tmp_path / "data", loop, LONG) as inside:
            wire, upload, idle = (wires.enter_context(inside.connect()) for _ in range(3))
            wire.send(post("/v1/queues/q/take?wait=20s"))
            upload.send(post("/v1/queues/u/items", b"", "Content-Length: 1000000") + bytes(500_000))
            wait_until(lambda: inside.server.broker.queues.keys() == {b"q", b"u"})
            wait_until(lambda: in_line(inside) == 1)
            reader = threading.Thread(target=lambda: polls.append(read_answer(wire)[0]))
            reader.start()
            begun = time.monotonic()
        assert time.monotonic() < begun + 5
        reader.join()
        assert polls == [204]
        upload.expect_closed()
        idle.expect_closed()
    assert not half_uploads(tmp_path / "data")
