"""What the server says on standard error, and that nobody need listen."""

import json
import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import MakeServer, loops
from tests.servers import DARNERPY, LOOPS, PYTHON, ServerProcess, Wire, wait_until

SERVE = (*DARNERPY, "serve", "--http=off")
MANY = 6000


@contextmanager
def serving(command: tuple[str, ...], directory: Path, **streams: int) -> Iterator[Wire]:
    """A server whose log is not looked at; it must stop well when asked."""
    path = directory / "socket"
    flags = (f"--data={directory / 'data'}", f"--listen=unix:{path}", "--log-level=debug")
    with subprocess.Popen((*command, *flags), **streams) as process:  # type: ignore[call-overload]
        try:
            wait_until(lambda: can_connect(path) or process.poll() is not None)
            with Wire(f"unix:{path}") as wire:
                yield wire
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


# --- Nobody listens


@loops
def test_a_log_that_nobody_reads(tmp_path: Path, loop: str) -> None:
    reading, writing = os.pipe()
    with serving((*SERVE, *LOOPS[loop]), tmp_path, stderr=writing) as wire:
        for _ in range(MANY):
            assert can_connect(tmp_path / "socket")
        wire.put("work", b"x")
        assert wire.get("work") == b"x"
        wire.wait_until("", curr_connections=1)
        assert int(wire.stats()["log_lines_lost"]) > 0
    os.close(writing)
    os.close(reading)


def test_lost_lines_are_counted_and_told(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    heard = b""

    def lost() -> int:
        """Reads what there is."""
        nonlocal heard
        while select.select([reading], [], [], 0)[0]:
            heard += os.read(reading, 1 << 16)
        return sum(map(int, re.findall(rb"warning (\d+) log lines were lost\n", heard)))

    with serving(SERVE, tmp_path, stderr=writing) as wire:
        for _ in range(MANY):
            assert can_connect(tmp_path / "socket")
        wire.wait_until("", curr_connections=1)
        counted = int(wire.stats()["log_lines_lost"])
        assert counted > 0
        wait_until(lambda: lost() >= counted)
        assert lost() == int(wire.stats()["log_lines_lost"]) == counted
        wire.put("work", b"x")
        can_connect(tmp_path / "socket")
        count = heard.count(b"a connection was opened")
        wait_until(lambda: lost() and heard.count(b"a connection was opened") > count)
    os.close(writing)
    os.close(reading)


@pytest.mark.parametrize("closed", ["2>&-", "2>&- 1>&- 0<&-", "1>&- 0<&-"])
def test_closed_descriptors(tmp_path: Path, closed: str) -> None:
    """No file of the database becomes one of the three."""
    shell = ("sh", "-c", f'exec "$@" {closed}', "sh")
    with serving((*shell, *SERVE), tmp_path) as wire:
        wire.put("work", b"x", b"y")
        assert wire.get("work") == b"x"
        directory = Path(f"/proc/{wire.stats()['pid']}/fd")
        first = [os.readlink(directory / str(number)) for number in range(3)]
        assert not any(str(tmp_path) in each or "anon_inode" in each for each in first), first
        assert first.count("/dev/null") >= closed.count("&-")
    with serving(SERVE, tmp_path) as wire:
        assert wire.get("work") == b"y"


def test_a_log_whose_reader_has_left(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with serving(SERVE, tmp_path, stderr=writing) as wire:
        wire.put("work", b"x")
        assert int(wire.stats()["log_lines_lost"]) > 0
    os.close(writing)


# --- What it says


@loops
def test_the_first_line_says_what_started(make_server: MakeServer, loop: str) -> None:
    server = make_server(loop=loop, sync="never")
    with server.connect() as wire:
        wire.put("one", b"x")
        wire.put("two", b"x")
        version = wire.ask(b"version\r\n").split()[1].decode()
    server.restart()
    first = server.log().splitlines()[0]
    assert re.fullmatch(
        rf"starting version={re.escape(version)} build=(pure|compiled) pid={server.pid}"
        rf" data={re.escape(str(server.data))} queues=2 loop={loop}",
        first.partition(" info ")[2],
    )
    assert Path(re.findall(r"data=(\S+)", first)[0]).is_absolute()


def test_names_are_shown_as_their_text(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    names = {"größe".encode(): "größe", b"a\xffb": r"a\xffb", b"\xc2\x9b31m": r"\x9b31m"}
    with server.connect() as wire:
        for name in names:
            wire.send(b"set %b 0 0 1\r\nx\r\ndelete %b\r\n" % (name, name))
            wire.expect(b"STORED\r\nDELETED\r\n")
        peer = "{}:{}".format(*wire.socket.getsockname())
    for text in names.values():
        line = server.wait_for_log(f"asked to delete queue={re.escape(text)} ")
        assert line.endswith(f" asked to delete queue={text} peer={peer}")


def test_who_administers_is_named(make_server: MakeServer) -> None:
    server = make_server(sync="never", toml="max_connections = 9\n")
    with server.connect() as wire:
        peer = "{}:{}".format(*wire.socket.getsockname())
        wire.put("work", b"x")
        wire.get("work+audit")
        for line in ("flush work", "flush_all", "delete work+audit", "status readonly"):
            wire.ask(f"{line}\r\n".encode())
        for line in ("status up", "backup * one", "reload"):
            wire.ask(f"{line}\r\n".encode())
        (server.data.parent / "darnerpy.toml").write_text("max_connections = -1\n")
        wire.ask(b"reload\r\n")
        for line in (
            "info asked to flush queue=work",
            "info asked to flush all queues",
            "info asked to delete queue=work\\+audit",
            "warning status was set status=readonly before=up",
            "info backup written backup=one",
            "info settings reloaded",
            "warning settings are not reloaded, nothing has changed: .*max_connections: expected.*",
        ):
            server.wait_for_log(f"(?m) {line} peer={peer}$")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log(
            "(?m) error settings are not reloaded, nothing has changed: .* signal=SIGHUP$"
        )
        (server.data.parent / "darnerpy.toml").write_text("admin_commands = false\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("(?m) info settings reloaded signal=SIGHUP$")
        for verb in (b"shutdown", b"list_backups"):
            assert wire.ask(verb + b"\r\n").startswith(b"CLIENT_ERROR not allowed")
        server.wait_for_log(f"(?m) warning not allowed command=list_backups peer={peer}$")
        server.wait_for_log(f"(?m) warning not allowed command=shutdown peer={peer}$")
    server.kill()


def test_a_stop_says_who_asked(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as wire:
        wire.send(b"shutdown\r\n")
        server.wait_for_exit(0)
        assert " info asked to stop peer=127.0.0.1:" in server.log()
    server.start()
    server.stop(signal.SIGINT)
    assert " info asked to stop signal=SIGINT\n" in server.log()


def test_a_closed_connection_is_named(make_server: MakeServer, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = make_server(listen=("127.0.0.1:0", f"unix:{path}"), client_timeout="100ms")
    with server.connect() as wire, Wire(f"unix:{path}") as local:
        peer = "{}:{}".format(*wire.socket.getsockname())
        wire.expect_closed()
        local.expect_closed()
    server.wait_for_log(f"(?m) info closing a connection: idle for 100 ms peer={peer}$")
    about = f"peer=unix:{path},pid:{os.getpid()},uid:{os.getuid()}"
    server.wait_for_log(f"(?m) info closing a connection: idle for 100 ms {about}$")


def test_debug_has_something_to_say(make_server: MakeServer) -> None:
    server = make_server(sync="never", log_level="debug")
    with server.connect() as wire:
        peer = "{}:{}".format(*wire.socket.getsockname())
        wire.put("work", b"x")
        server.wait_for_log(f"(?m) debug a connection was opened peer={peer}$")
        server.wait_for_log(" debug journal opened queue=work")
    server.wait_for_log(f"(?m) debug a connection was closed peer={peer}$")


def test_what_clients_can_cause_is_written_at_a_bounded_rate(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        wire.send(b"flush_all\r\n" * 3000)
        wire.expect(b"OK\r\n" * 3000)
    told = r"(\d+) more lines were left out: asked to flush all queues\n"

    def counted() -> int:
        written = server.log().count(" info asked to flush all queues peer=")
        return written + sum(map(int, re.findall(told, server.log())))

    wait_until(lambda: counted() == 3000)
    assert server.log().count(" info asked to flush all queues peer=") < 1000


STRAY = """
import asyncio, gc, logging, sys, threading, warnings
from darnerpy.server.logs import start_logging

lines = start_logging("info", "text")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
warnings.warn("old\\nways")
logging.getLogger("asyncio").error("from the loop")


class Stray:
    def __del__(self):
        raise KeyError("stray")


Stray()
sys.excepthook(ValueError, ValueError("at the top"), None)
logging.getLogger("darnerpy").info("bad", extra={"queue": b"\\x1b[2Jx\\n", "what": "it's so"})
logging.getLogger("darnerpy").info("wrong %d", "x")
lines.stop(10)
"""


def test_what_nobody_meant_to_log_is_logged() -> None:
    done = subprocess.run((PYTHON, "-P", "-c", STRAY), capture_output=True, text=True, check=True)
    lines = [line.split(" ", 1)[1] for line in done.stderr.splitlines()]
    beginnings = (
        r"error an error that nobody caught trace='Traceback .*ZeroDivisionError",
        r"warning .*UserWarning: old\\nways",
        r"error from the loop$",
        r"error an error that nobody caught trace=.*KeyError",
        r"error an error that nobody caught trace=.*at the top",
        r"info bad queue=\\x1b\[2Jx\\n what='it\\'s so'$",
        r"warning a log line could not be made: TypeError",
    )
    assert len(lines) == len(beginnings), done.stderr
    for line, beginning in zip(lines, beginnings, strict=True):
        assert re.match(beginning, line), line


THREADS = """
import logging, threading
from darnerpy.server.logs import start_logging

lines = start_logging("info", "text")
log = logging.getLogger("darnerpy")


def say(name):
    for number in range(500):
        log.info("line", extra={"of": name, "number": number})


threads = [threading.Thread(target=say, args=(name,)) for name in "abcdefgh"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lines.stop(10)
assert not lines.lost
"""


def test_threads_do_not_mix_their_lines() -> None:
    command = (PYTHON, "-P", "-c", THREADS)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [line.split(" ", 1)[1] for line in done.stderr.splitlines()]
    for name in "abcdefgh":
        ours = [line for line in found if f" of={name} " in line]
        assert ours == [f"info line of={name} number={number}" for number in range(500)]
    assert len(found) == 4000


# --- As JSON


def test_json(make_server: MakeServer) -> None:
    server: ServerProcess = make_server(sync="never", log_level="debug")
    with server.connect() as wire:
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("settings reloaded")
        wire.put("größe", b"x")
    flags = ("--listen=unix:/nowhere/socket", "--log-format=json", "--loop=uvloop")
    server.stop()
    done = subprocess.run(
        (*SERVE, f"--data={server.data}", *flags), capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    events = [json.loads(line) for line in done.stderr.splitlines()]
    why = events[-1]
    assert why["level"] == "error"
    assert why["message"].startswith("listen: cannot listen on unix:/nowhere/socket: ")
    assert [each["message"] for each in events][:1] == ["starting"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", events[0].pop("time"))
    pid = events[0].pop("pid")
    assert isinstance(pid, int)
    assert events[0].pop("build") in ("pure", "compiled")
    assert events[0] == {
        "level": "info",
        "message": "starting",
        "version": "1.0.0",
        "data": str(server.data),
        "queues": 1,
        "loop": "uvloop",
    }


def test_the_form_can_be_reloaded(make_server: MakeServer) -> None:
    server = make_server(sync="never", toml='log_format = "text"\n')
    (server.data.parent / "darnerpy.toml").write_text('log_format = "json"\n')
    server.process.send_signal(signal.SIGHUP)
    with server.connect() as wire:
        wire.send(b"set gr\xc3\xb6\xc3\x9fe 0 0 1\r\nx\r\n")
        wire.expect(b"STORED\r\n")
        wire.send(b"set a\xff 0 0 1\r\nx\r\n")
        wire.expect(b"STORED\r\n")
        server.wait_for_log('"settings reloaded"')
        wire.send(b"delete gr\xc3\xb6\xc3\x9fe\r\ndelete a\xff\r\n")
        wire.expect(b"DELETED\r\n" * 2)
        peer = "{}:{}".format(*wire.socket.getsockname())
    lines = [
        server.wait_for_log(f'"message": "asked to delete", "queue": "{n}') for n in ("größe", "a")
    ]
    events = [json.loads(line) for line in lines]
    assert [each["queue"] for each in events] == ["größe", r"a\xff"]
    assert {each["peer"] for each in events} == {peer}
    server.kill()
