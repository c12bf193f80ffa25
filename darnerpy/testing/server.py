"""A real darnerpy server for the tests of those who use one.

Owns a process, its port on the loopback and, unless told otherwise, a temporary data directory. The
address stays the same through kill and restart, so that clients under test can find it again. Knows
nothing of any test framework: `darnerpy.testing.pytest_plugin` has a fixture for one.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Self

from ..errors import DarnerError

__all__ = ["RunningServer"]

_TIMEOUT_S = 30.0
_LISTENING = re.compile(r" listening address=(\S+) ")


class RunningServer:
    """A server that runs from `start` to `stop`, or inside of `with`.

    data: the directory that holds the queues; a temporary one, removed when the object goes, if not
    given. settings: options by name, as in `RunningServer(sync="never", max_open_reads=4)`. All
    methods raise `DarnerError`, with what the server has said, if it does not do what it should.
    """

    def __init__(self, data: Path | None = None, **settings: object) -> None:
        temporary = None if data else tempfile.mkdtemp(prefix="darnerpy-")
        self.data = data or Path(str(temporary)) / "data"
        self._settings = settings
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._processes: list[subprocess.Popen[str]] = []
        # Whoever forgets it, or is ended by an exception, leaves nothing behind.
        weakref.finalize(self, _clear_away, self._processes, temporary)
        self._lines: list[str] = []
        self._news = threading.Condition()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        try:
            if self.running:
                self.stop()
        finally:
            self.kill()

    # -- life

    def start(self) -> Self:
        """Start it on the data there is, and wait until it answers."""
        if self.running:
            raise DarnerError(f"already running at {self.address}")
        flags = [f"--data={self.data}", f"--listen=127.0.0.1:{self._port}", "--http=off"]
        flags += [f"--{name.replace('_', '-')}={value}" for name, value in self._settings.items()]
        self._lines.clear()
        process = self._process = subprocess.Popen(
            (*self._program(), "serve", *flags),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._processes[:] = [process]
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        self._port = self._find_port(process)
        self._greet()
        return self

    def stop(self) -> None:
        """Ask it to stop, and wait for that; it must do so without an error."""
        process = self._running_process()
        process.terminate()
        try:
            code = process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise self._error(
                f"still running {_TIMEOUT_S:g} s after it was asked to stop"
            ) from None
        self._reader.join(_TIMEOUT_S)
        if code != 0:
            raise self._error(f"stopped with exit code {code}")

    def kill(self) -> None:
        """kill -9, as a crash does; nothing happens if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_TIMEOUT_S)
            self._reader.join(_TIMEOUT_S)

    def restart(self) -> Self:
        """Stop it if it runs, and start it on the same data at the same address."""
        if self.running:
            self.stop()
        return self.start()

    # -- what it is and says

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._running_process().pid

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """Chosen by the first start."""
        if not self._port:
            raise DarnerError("the server was never started, so it has no address yet")
        return self._port

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def log(self) -> str:
        """What it has said since it was last started."""
        with self._news:
            return "".join(self._lines)

    # -- inside

    def _program(self) -> tuple[str, ...]:
        return sys.executable, "-m", "darnerpy.cli.main"

    def _running_process(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            raise self._error("the server is not running")
        return self._process

    def _error(self, what: str) -> DarnerError:
        return DarnerError(f"{what}\n{self.log()}".rstrip())

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as stream:
            for line in stream:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        process.wait()
        with self._news:
            self._news.notify_all()

    def _find_port(self, process: subprocess.Popen[str]) -> int:
        with self._news:
            self._news.wait_for(
                lambda: _LISTENING.search("".join(self._lines)) or process.poll() is not None,
                _TIMEOUT_S,
            )
            found = _LISTENING.search("".join(self._lines))
        if found is None:
            self.kill()
            raise self._error("the server did not start")
        return int(found[1].rpartition(":")[2])

    def _greet(self) -> None:
        try:
            with socket.create_connection((self.host, self.port), _TIMEOUT_S) as connection:
                connection.sendall(b"version\r\n")
                greeting = connection.recv(100)
        except OSError as error:
            raise self._error(f"the server does not answer: {error}") from None
        if not greeting.startswith(b"VERSION "):
            raise self._error(f"the server answers {greeting!r}")


def _clear_away(processes: list[subprocess.Popen[str]], directory: str | None) -> None:
    for process in processes:
        process.kill()
        process.wait()
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
