"""The server's status: what it forbids, what it never forbids, and that it outlives a restart."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, STORED, hit
from tests.servers import ServerProcess, Wire, wait_until

STATUSES = ("up", "writeavoid", "readonly", "quiescent")
READS = {
    b"get work": hit("work", b"3") + END,
    b"get work/t=60000": hit("work/t=60000", b"3") + END,
    b"get work/peek": hit("work/peek", b"3") + END,
    b"get other/open": hit("other/open", b"1") + END,
    b"monitor other 0": hit("other", b"1") + END,
}
WRITES = {
    b"set work 0 0 1\r\nx": STORED,
    b"set work 0 0 300000\r\n" + b"x" * 300_000: STORED,
    b"delete work": b"DELETED\r\n",
    b"flush work": END,
    b"flush_all": b"OK\r\n",
    b"flush_expired work": b"0\r\n",
    b"flush_all_expired": b"0\r\n",
}
ALWAYS = {
    b"get held/close": END,
    b"get held/close=1": END,
    b"get held/abort": END,
    b"get held/abort=1": END,
    b"confirm held 1": END,
    b"version": b"VERSION 1.0.0\r\n",
    b"stats none": END,
}


@pytest.fixture
def strict(make_server: MakeServer) -> Iterator[Wire]:
    """A connection that holds an item of `held`, with more in `held`, `work` and `other`."""
    server = make_server(sync="never", max_open_reads=2)
    with server.connect() as wire:
        wire.put("held", b"1", b"2")
        wire.put("work", b"3", b"4")
        wire.put("other", b"1", b"2")
        assert wire.get("held/open") == b"1"
        yield wire


def set_status(wire: Wire, status: str) -> None:
    assert wire.ask(f"status {status}\r\n".encode()) == END


@pytest.mark.parametrize("status", STATUSES)
def test_what_it_forbids(make_server: MakeServer, status: str) -> None:
    server = make_server(sync="never", max_open_reads=2)
    refusal = f"SERVER_ERROR the server is {status}\r\n".encode()
    no_writes, no_reads = status in ("readonly", "quiescent"), status == "quiescent"
    for table, refused in ((READS, no_reads), (WRITES, no_writes), (ALWAYS, False)):
        for line, answer in table.items():
            with server.connect() as wire:
                set_status(wire, "up")
                assert wire.ask(b"flush_all\r\n") == b"OK\r\n"
                wire.ask(b"delete held\r\n")
                wire.put("held", b"1", b"2")
                wire.put("work", b"3", b"4")
                wire.put("other", b"1", b"2")
                assert wire.get("held/open") == b"1"
                set_status(wire, status)
                assert wire.ask(line + b"\r\n") == (refusal if refused else answer), line
                if line.startswith(b"monitor") and not refused:
                    wire.read_until(END + END)
                assert wire.ask(b"status\r\n") == status.upper().encode() + b"\r\n"
                if table is not WRITES:
                    closed = b"close" in line or b"confirm" in line
                    aborted = b"abort" in line
                    held = 0 if closed or aborted else 1
                    wire.wait_until("held", open_transactions=held, items=1 + aborted)


def test_close_and_open_under_quiescence(strict: Wire) -> None:
    set_status(strict, "quiescent")
    refusal = b"SERVER_ERROR the server is quiescent\r\n"
    assert strict.ask(b"get held/close=2/open\r\n") == refusal
    assert strict.stats("held")["open_transactions"] == "1"
    assert strict.ask(b"get held/close/open\r\n") == refusal
    assert strict.stats("held")["open_transactions"] == "0"
    assert strict.ask(b"get held/close/open/t=60000\r\n") == refusal
    assert strict.ask(b"get work other\r\n") == refusal
    set_status(strict, "up")
    assert strict.get("held") == b"2"


def test_reading_when_it_is_readonly(strict: Wire) -> None:
    set_status(strict, "readonly")
    assert strict.get("held/close/open") == b"2"
    assert [strict.get("work") for _ in range(3)] == [b"3", b"4", None]


@pytest.mark.parametrize("line", [b"get other/t=60000", b"monitor other 60"])
def test_who_waits_when_it_becomes_quiescent(make_server: MakeServer, line: bytes) -> None:
    """Nothing is handed out any more, also of what comes back."""
    server = make_server(sync="never")
    with server.connect() as wire, server.connect() as holder, server.connect() as waiter:
        wire.put("other", b"1")
        assert holder.get("other/open") == b"1"
        waiter.send(line + b"\r\n")
        wire.wait_until("other", waiters=1)
        set_status(wire, "quiescent")
        waiter.expect_silence()
        assert holder.get("other/abort") is None
        assert waiter.read_line() == b"SERVER_ERROR the server is quiescent\r\n"
        wire.wait_until("other", items=1, waiters=0, open_transactions=0)
        set_status(wire, "up")
        assert waiter.get("other") == b"1"


@pytest.mark.parametrize("end", [ServerProcess.stop, ServerProcess.kill])
def test_it_survives_a_restart(
    make_server: MakeServer, end: Callable[[ServerProcess], None]
) -> None:
    server = make_server(sync="never")
    for status in ("readonly", "quiescent", "up"):
        with server.connect() as wire:
            set_status(wire, status)
        end(server)
        server.start()
        with server.connect() as wire:
            assert wire.ask(b"status\r\n") == status.upper().encode() + b"\r\n"
            stored = wire.ask(b"set work 0 0 1\r\nx\r\n")
            assert (stored == STORED) is (status == "up")
            assert wire.stats()["status"] == status


def test_grace_period(make_server: MakeServer) -> None:
    server = make_server(sync="never", status_grace_period="1s")
    with server.connect() as wire, server.connect() as other:
        begin = time.monotonic()
        set_status(wire, "readonly")
        assert wire.ask(b"status\r\n") == b"READONLY\r\n"
        other.put("work", b"1")
        wait_until(lambda: other.ask(b"set work 0 0 1\r\nx\r\n") != STORED)
        assert 0.95 < time.monotonic() - begin < 5
        assert other.get("work") == b"1"
        set_status(wire, "up")  # looser is at once
        other.put("work", b"2")


def test_a_grace_period_that_is_cut_short(make_server: MakeServer) -> None:
    server = make_server(sync="never", status_grace_period="1s")
    with server.connect() as wire:
        set_status(wire, "quiescent")
        set_status(wire, "up")
        time.sleep(1.2)
        wire.put("work", b"1")
        assert wire.get("work") == b"1"


def test_a_grace_period_that_is_reloaded(make_server: MakeServer, tmp_path: Path) -> None:
    path = tmp_path / "server-1" / "darnerpy.toml"
    server = make_server(sync="never", toml='status_grace_period = "1h"\n')
    with server.connect() as wire:
        set_status(wire, "readonly")
        wire.put("work", b"1")
        path.write_text('status_grace_period = "0s"\n')
        assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"
        wire.put("work", b"2")
        set_status(wire, "readonly")
        assert wire.ask(b"set work 0 0 1\r\nx\r\n") == b"SERVER_ERROR the server is readonly\r\n"


def test_a_status_that_cannot_be_kept_is_not_set(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    (server.data / "STATUS.new").mkdir()
    with server.connect() as wire:
        assert wire.ask(b"status readonly\r\n").startswith(b"SERVER_ERROR cannot keep the status")
        assert wire.ask(b"status\r\n") == b"UP\r\n"
        wire.put("work", b"1")
