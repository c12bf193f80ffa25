"""The command line tools of libmemcached, which people use to look whether a server is well."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import ServerProcess, Wire

SERVERS = {
    "uvloop": {"loop": "uvloop"},
    "asyncio-kestrel": {"loop": "asyncio", "dialect": "kestrel"},
    "pump": {"loop": "pump"},
}


class Tools:
    """Runs a tool against one server; returns what it printed."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server

    def __call__(self, name: str, *words: str, code: int = 0) -> str:
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed (libmemcached-tools)")
        command = (program, f"--servers={self._server.address}", *words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == code, f"{done.returncode}: {done.stdout} {done.stderr}"
        return done.stdout


@pytest.fixture
def tool(server: ServerProcess) -> Tools:
    return Tools(server)


def test_ping(tool: Tools) -> None:
    tool("memcping")


def test_stat(tool: Tools, wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    shown = tool("memcstat")
    assert "version: 1.0.0" in shown
    assert f"queue_{queue}_items: 1" in shown


def test_copy_and_cat(tool: Tools, tmp_path: Path, queue: str) -> None:
    data = "two\nlines " * 50_000
    (tmp_path / queue).write_text(data)
    tool("memccp", str(tmp_path / queue))
    tool("memccp", "--flag=7", str(tmp_path / queue))
    assert tool("memccat", queue).rstrip("\n") == data
    assert tool("memccat", f"{queue}/peek").rstrip("\n") == data
    assert "7" in tool("memccat", "--flags", queue)
    assert tool("memccat", queue, code=1) == ""


def test_remove(tool: Tools, wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    tool("memcrm", queue)
    assert wire.get(queue) is None


def test_flush(tool: Tools, server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"x")
    kestrel = "--dialect=kestrel" in server.flags
    tool("memcflush", code=1 if kestrel else 0)
    assert wire.get(queue) is None


def test_exist(tool: Tools, wire: Wire, queue: str) -> None:
    """It sends an add; NOT_STORED means to it that the key is there."""
    tool("memcexist", queue)
    assert wire.get(queue) is None
