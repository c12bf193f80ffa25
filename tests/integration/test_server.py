"""The life of the server: how it starts, where it listens, what it tells, how it stops."""

import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeServer, loops
from tests.dialogues import END, STORED, hit
from tests.servers import DARNERPY, LOOPS, PYTHON, ServerProcess, Wire, wait_until

SERVE = (*DARNERPY, "serve", "--http=off")
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) \S.*")


def refused(*flags: str, code: int = 2, as_user: tuple[str, ...] = (), **environ: str) -> str:
    """Start a server that must not start; returns why not, its last line or the last of its log."""
    done = subprocess.run(
        (*as_user, *SERVE, *flags),
        capture_output=True,
        text=True,
        env=os.environ | environ,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    lines = done.stderr.splitlines()
    if len(lines) == 1 and lines[0].startswith("darnerpy: "):
        return lines[0].removeprefix("darnerpy: ")
    assert all(LOG_LINE.fullmatch(line) for line in lines), done.stderr
    assert [line.split()[1] for line in lines].count("error") == 1, done.stderr
    _, level, why = lines[-1].split(" ", 2)
    assert level == "error"
    return why


# --- refused starts


def test_a_data_directory_serves_one_server(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as wire:
        wire.put("work", b"kept")
    told = refused(f"--data={server.data}", "--listen=127.0.0.1:0", code=5)
    assert (
        told == f"data directory {server.data} is in use by another darnerpy (process {server.pid})"
    )
    with server.connect() as wire:
        assert wire.get("work") == b"kept"
    server.kill()
    server.start()  # what a killed server leaves behind is no obstacle


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "data"):
        told = refused(f"--data={path}", "--listen=127.0.0.1:0", code=5)
        assert told.startswith(f"data directory {path}: {file}")
        assert told.endswith(" is no directory")


def test_a_data_directory_of_a_later_version(make_server: MakeServer) -> None:
    server = make_server()
    server.stop()
    (server.data / "FORMAT").write_text("3\n")
    told = refused(f"--data={server.data}", "--listen=127.0.0.1:0")
    assert "FORMAT" in told
    assert "format 3 is of a newer darnerpy" in told


def test_an_address_that_is_taken(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    told = refused(f"--data={tmp_path}/other", f"--listen={server.address}", code=5)
    assert told == f"listen: cannot listen on {server.address}: Address already in use"


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('listen = ["nowhere"]', "listen: expected addresses"),
        ('sync = "often"', 'sync: expected "always", "never" or a duration'),
        (
            '[queues."*"]\nengine = "rocks"',
            'queues."*".engine: expected "leveldb" or "arena" or "memory"',
        ),
        ("windowmemory = 5", "windowmemory: unknown key; did you mean window_memory?"),
        ("sync = ", "(at line 1, "),
    ],
)
def test_a_bad_configuration_file(tmp_path: Path, toml: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(toml)
    complaint = refused(f"--config={path}", f"--data={tmp_path / 'data'}")
    assert complaint.startswith(f"{path}: ")
    assert told in complaint
    assert not (tmp_path / "data").exists()


def test_bad_flags_and_variables(tmp_path: Path) -> None:
    data = f"--data={tmp_path / 'data'}"
    told = refused(data, "--max-connections=-1")
    assert told == "--max-connections: expected a whole number, at least 0, not '-1'"
    told = refused(data, DARNERPY_LOOP="trio")
    assert told == 'DARNERPY_LOOP: expected "auto" or "uvloop" or "asyncio", not \'trio\''
    assert "No such file" in refused(data, f"--config={tmp_path}/none.toml")


# --- listening


def test_several_addresses(make_server: MakeServer, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listen = ("127.0.0.1:0", "[::1]:0", f"unix:{path}")
    server = make_server(listen=listen)
    assert [re.sub(r":\d+$", ":0", address) for address in server.addresses] == list(listen)
    for number, address in enumerate(server.addresses):
        with Wire(address) as wire:
            wire.put("work", b"%d" % number)
    with server.connect() as wire:
        assert [wire.get("work") for _ in range(3)] == [b"0", b"1", b"2"]


@loops
def test_a_unix_socket(make_server: MakeServer, tmp_path: Path, loop: str) -> None:
    path = tmp_path / "socket"
    server = make_server(listen=[f"unix:{path}"], loop=loop)
    with server.connect() as wire, server.connect() as waiter:
        wire.make("work")
        waiter.send(b"get work/t=60000\r\n")
        wire.wait_until("work", waiters=1)
        waiter.close()
        wire.put("work", b"kept", b"large" * 200_000)
        assert wire.get("work/open") == b"kept"
        assert wire.get("work/close/open") == b"large" * 200_000
    server.kill()
    assert path.is_socket()  # stale: nobody listens on it any more
    with server.restart().connect() as wire:
        assert wire.get("work/t=20000") == b"large" * 200_000
    server.stop()
    assert not path.exists()


def test_a_unix_socket_of_someone_else(make_server: MakeServer, tmp_path: Path) -> None:
    path, file = tmp_path / "socket", tmp_path / "file"
    file.write_text("mine")
    server = make_server(listen=[f"unix:{path}"])
    for taken in (path, file):
        told = refused(f"--data={tmp_path / 'other'}", f"--listen=unix:{taken}", code=5)
        assert told == f"listen: cannot listen on unix:{taken}: Address already in use"
    assert file.read_text() == "mine"
    with server.connect() as wire:
        assert wire.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@loops
def test_who_may_connect_to_a_unix_socket(
    make_server: MakeServer, tmp_path: Path, loop: str
) -> None:
    memcache, text = tmp_path / "memcache", tmp_path / "text"
    listen = [f"unix:{memcache}"]
    group = os.getgid() or 1
    server = make_server(
        listen=listen,
        text_listen=f"unix:{text}",
        loop=loop,
        listen_mode="0660",
        listen_group=group,
    )
    for path in (memcache, text):
        assert (mode(path), path.stat().st_gid) == (0o660, group)
    with server.connect() as wire:
        assert wire.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"
    server.stop()
    server = make_server(listen=listen, loop=loop, listen_mode="606")
    assert mode(memcache) == 0o606
    server.stop()
    make_server(listen=listen, loop=loop)
    assert mode(memcache) == 0o777 & ~umask()


def umask() -> int:
    (found,) = re.findall(r"Umask:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found, 8)


def test_a_group_that_the_user_is_not_in(nobody: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as path:
        os.chown(path, 65534, 65534)
        flags = (f"--data={path}/data", f"--listen=unix:{path}/socket")
        told = refused(*flags, "--listen-group=1", code=5, as_user=nobody)
        assert told.startswith(f"listen: cannot listen on unix:{path}/socket: this user may not")
        told = refused(*flags, "--listen-group=no-such-group", as_user=nobody)
        assert told == "listen_group: there is no group 'no-such-group'"


# --- stopping


@loops
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_clean_stop(make_server: MakeServer, loop: str, number: signal.Signals) -> None:
    server = make_server(loop=loop, sync="never")
    wire, waiter, holder, sender, idle = (server.connect() for _ in range(5))
    wire.make("other")
    wire.put("work", b"held", b"waits")
    assert holder.get("work/open") == b"held"
    waiter.send(b"get other/t=60000\r\nversion\r\n")
    sender.send(b"set work 0 0 1000000\r\nhalf of it")
    wire.send(b"set work 0 0 4\r\nlast\r\n" * 100)
    wire.expect(STORED * 100)
    wire.wait_until("other", waiters=1)
    server.stop(number)
    assert waiter.read_to_end() == END
    for client in (wire, holder, sender, idle):
        client.expect_closed()
        client.close()
    waiter.close()
    with server.restart().connect() as wire:
        assert [wire.get("work") for _ in range(2)] == [b"held", b"waits"]
        assert wire.ask(b"gets work\r\n") == hit("work", b"last", id=3) + END
        assert wire.stats("work")["items"] == "99"


def test_a_second_signal_ends_it_at_once(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as slow:
        data = b"x" * (32 << 20)
        slow.put("work", data)
        slow.send(b"get work\r\n")
        slow.read(1000)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopping")
        server.stop(signal.SIGTERM, expected=1)


LATE_SIGNALS = """
import os, signal, sys
from darnerpy.cli.main import main
from darnerpy.server.logs import Log

stop = Log.stop


def signals_come_now(lines, timeout_s):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    stop(lines, timeout_s)


Log.stop = signals_come_now
sys.exit(main())
"""


@loops
def test_a_signal_after_all_is_done_changes_nothing(tmp_path: Path, loop: str) -> None:
    path = tmp_path / "socket"
    flags = (f"--data={tmp_path / 'data'}", f"--listen=unix:{path}", *LOOPS[loop])
    command = (PYTHON, "-P", "-c", LATE_SIGNALS, "serve", "--http=off", *flags)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: path.is_socket() or process.poll() is not None)
        process.terminate()
        log = process.communicate(timeout=20)[1]
        assert process.returncode == 0, log
    assert log.splitlines()[-1].endswith(" info stopped")


def test_replies_that_are_being_read_are_sent_whole(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        data = b"0123456789abcdef" * (1 << 20)
        wire.put("work", data)
        wire.send(b"get work\r\n")
        begin = wire.read(1000)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopping")
        assert begin + wire.read_to_end() == hit("work", data) + END
    server.wait_for_exit(0)


# --- what it tells


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """What systemd listens on."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(20)
        yield listener, path


def test_systemd_is_told(make_server: MakeServer, manager: tuple[socket.socket, str]) -> None:
    listener, path = manager
    server = make_server(environ={"NOTIFY_SOCKET": path})
    assert listener.recv(1000) == b"READY=1"
    server.stop()
    assert listener.recv(1000) == b"STOPPING=1"


def test_logs_are_lines(make_server: MakeServer) -> None:
    server = make_server(log_level="debug")
    with server.connect() as wire:
        wire.put("work", b"x")
        wire.send(b"set \r\n")
        assert wire.read_to_end().startswith(b"CLIENT_ERROR ")
    server.stop()
    lines = server.log().splitlines()
    assert all(LOG_LINE.fullmatch(line) for line in lines), lines
    assert lines[0].split()[2] == "starting"
    assert lines[-1].split()[2] == "stopped"


def test_a_quiet_log(tmp_path: Path) -> None:
    """Not through `ServerProcess`: it needs the line that is left out here."""
    path = tmp_path / "socket"
    flags = (f"--data={tmp_path / 'data'}", f"--listen=unix:{path}", "--log-level=warning")
    with subprocess.Popen((*SERVE, *flags), stderr=subprocess.PIPE) as process:
        wait_until(lambda: path.is_socket() or process.poll() is not None)
        process.terminate()
        assert process.communicate(timeout=20)[1] == b""
        assert process.returncode == 0


def test_settings_rise_from_file_to_variable_to_flag(make_server: MakeServer) -> None:
    server = make_server(
        toml='dialect = "kestrel"\nmax_open_reads = 1\nsync = "never"\n',
        environ={"DARNERPY_MAX_OPEN_READS": "2", "DARNERPY_SYNC": "always"},
        sync="20ms",
    )
    with server.connect() as wire:
        assert wire.ask(b"flush_all\r\n") == b"Flushed all queues.\r\n"
        wire.put("work", b"1", b"2")
        for item in (b"1", b"2"):
            assert wire.ask(b"get work/open\r\n") == hit("work", item) + END
        assert wire.stats()["sync"] == "20ms"


def test_it_dies_with_nothing_left_when_killed_all_the_time(make_server: MakeServer) -> None:
    server: ServerProcess = make_server(sync="never")
    for number in range(4):
        with server.connect() as wire:
            wire.put("work", b"%d" % number)
        server.kill()
        server.start()
    with server.connect() as wire:
        assert [wire.get("work") for _ in range(5)] == [b"0", b"1", b"2", b"3", None]
