"""What concerns all queues while there are many: others are served meanwhile, and the order holds."""

import re

import pytest

from tests.conftest import MakeServer
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {
    "uvloop": {"loop": "uvloop", "max_open_journals": 16},
    "asyncio": {"loop": "asyncio", "max_open_journals": 16},
    "pump": {"loop": "pump", "max_open_journals": 16},
}

MANY = 200
"""More than fit into one slice."""

REPORTS = [b"stats\r\n", b"dump_stats\r\n", b"dump_config\r\n"]


@pytest.fixture
def full(server: ServerProcess, wire: Wire) -> Wire:
    """Each of many queues holds one item, and one that has expired; few journals are open."""
    wire.ask(b"flush_all\r\n")
    for start in range(0, MANY, 100):
        for number in range(start, start + 100):
            wire.send(b"set q%03d 0 -1 4\r\ngone\r\nset q%03d 0 0 1\r\nx\r\n" % (number, number))
        wire.expect(b"STORED\r\n" * 200)
    return wire


def whole(wire: Wire) -> bytes:
    return wire.read_until(b"\r\nEND\r\n")


def test_reports_are_whole_and_in_their_place(full: Wire) -> None:
    for items, report in enumerate(REPORTS, 1):
        full.send(
            b"get q000/peek\r\n" + report + b"get none\r\n"
            b"set q001 0 0 1\r\ny\r\n" + report + b"mn\r\n"
        )
        full.expect(b"VALUE q000/peek 0 1\r\nx\r\nEND\r\n")
        first = whole(full)
        full.expect(b"END\r\nSTORED\r\n")
        second = whole(full)
        full.expect(b"MN\r\n")
        for found in (first, second):
            names = re.findall(rb"queue_(q\d\d\d)_items |queue '(q\d\d\d)' ", found)
            assert [one or other for one, other in names] == [b"q%03d" % n for n in range(MANY)]
        if report == b"stats\r\n":
            assert b"queue_q001_items %d\r\n" % items in first
            assert b"queue_q001_items %d\r\n" % (items + 1) in second
            assert b"STAT curr_items %d\r\n" % (MANY + items) in second


def test_others_are_served_meanwhile(server: ServerProcess, full: Wire) -> None:
    ends = {b"flush_all\r\n": b"OK\r\n", b"flush_all_expired\r\n": b"\r\n"}
    for request_line in (*REPORTS, b"flush_all_expired\r\n", b"flush_all\r\n"):
        with server.connect() as other:
            full.send(request_line * 5)
            for _ in range(100):
                assert other.ask(b"get none\r\n") == b"END\r\n", request_line
        for _ in range(5):
            full.read_until(ends.get(request_line, b"\r\nEND\r\n"))
        assert full.ask(b"mn\r\n") == b"MN\r\n"


def test_flushing_all(full: Wire) -> None:
    full.send(b"flush_all\r\nget q000\r\nget q199\r\n")
    full.expect(b"OK\r\nEND\r\nEND\r\n")
    assert full.stats()["curr_items"] == "0"
    full.send(b"flush_all noreply\r\nset q000 0 0 1\r\nx\r\nget q000\r\nflush_all 0\r\n")
    full.expect(b"STORED\r\nVALUE q000 0 1\r\nx\r\nEND\r\nOK\r\n")
    assert full.stats("q100")["total_flushes"] == full.stats("q199")["total_flushes"]


def test_flushing_what_has_expired(full: Wire) -> None:
    full.send(b"flush_all_expired\r\nflush_all_expired\r\nget q199\r\n")
    number = int(full.read_line())
    assert number <= MANY  # some may have left by themselves
    full.expect(b"0\r\nVALUE q199 0 1\r\nx\r\nEND\r\n")


@pytest.mark.parametrize("end", ["reset", "close", "stop reading"])
def test_a_client_that_goes_away_meanwhile(server: ServerProcess, full: Wire, end: str) -> None:
    for request_line in (*REPORTS, b"flush_all_expired\r\n", b"flush_all\r\n"):
        leaver = server.connect()
        leaver.send(request_line * 5)
        if end != "stop reading":
            leaver.read(1)
            getattr(leaver, end)()
        assert full.ask(b"get none\r\n") == b"END\r\n"
        leaver.close()
    full.wait_until("", curr_connections=1)
    assert server.memory() < 400 << 20


def test_queues_come_and_go_meanwhile(server: ServerProcess, full: Wire) -> None:
    with server.connect() as other:
        full.send(b"stats\r\n" * 10)
        for number in range(0, MANY, 4):
            other.send(b"delete q%03d\r\nset new%03d 0 0 1\r\nx\r\n" % (number, number))
        for _ in range(10):
            *lines, end = whole(full).splitlines()
            assert end == b"END"
            assert all(len(line.split()) == 3 for line in lines)
        other.expect(b"DELETED\r\nSTORED\r\n" * (MANY // 4))


def test_not_known_yet(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        for number in range(MANY):
            wire.send(b"set q%03d 0 0 1\r\nx\r\n" % number)
        wire.expect(b"STORED\r\n" * MANY)
    server.restart()
    seen = set()
    with server.connect() as wire:
        while True:
            # One report: what it says of a queue is the same in all its lines.
            stats = wire.stats()
            names = {name: value for name, value in stats.items() if name.endswith("_state")}
            seen |= set(names.values())
            assert len(names) == MANY
            for name, state in names.items():
                items = stats.get(name.replace("_state", "_items"))
                assert items == ("1" if state == "ready" else None)
            known = MANY - int(stats["loading_queues"])
            assert (stats["curr_items"], stats["total_items"]) == (str(known), str(known))
            if stats["loading"] == "0":
                break
        assert stats["loading_queues"] == "0"
    assert seen <= {"loading", "ready"}
    assert "ready" in seen
    wait_until(lambda: server.running)
