"""The real server as a child process, and a raw client that sees every byte it answers."""

import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = [
    "DARNERPY",
    "LOOPS",
    "PYTHON",
    "TIMEOUT",
    "ServerProcess",
    "Wire",
    "free_port",
    "half_uploads",
    "wait_until",
]

PYTHON = os.path.abspath(os.environ.get("TEST_PYTHON", sys.executable))
"""Runs whatever a user would run: this interpreter, or that of an environment with another build."""

# -P: what is installed there, and not what lies in the current directory.
DARNERPY = (PYTHON, "-P", "-m", "darnerpy.cli.main")

TIMEOUT = 20.0
"""Seconds anything may take before a test gives up: generous, for a machine with other work."""

LOOPS = {
    "uvloop": ("--loop=uvloop",),
    "asyncio": ("--loop=asyncio", "--pump=off"),
    "pump": ("--loop=auto", "--pump=auto"),
}
"""Every way to serve sockets, and how it is asked for."""

_LISTENING = re.compile(r" listening address=(\S+) ")


def wait_until(reached: Callable[[], object], timeout: float = TIMEOUT) -> None:
    """Ask again and again until it is so, for what cannot be waited for in a better way."""
    deadline = time.monotonic() + timeout
    while not reached():
        assert time.monotonic() < deadline, f"not reached within {timeout} s"
        time.sleep(0.002)


def half_uploads(data: Path) -> list[str]:
    """Files of items that are not whole. What goes away meanwhile, as a deleted queue does, has none."""
    return [name for _, _, names in os.walk(data) for name in names if name.endswith(".part")]


def free_port() -> int:
    """One that nobody has at the moment, for a server that is to have it again after a restart."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


class Wire:
    """One connection to a server. What does not come within the timeout fails the test."""

    def __init__(self, address: str, timeout: float = TIMEOUT) -> None:
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(address.removeprefix("unix:"))
        else:
            host, _, port = address.rpartition(":")
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- to the server

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_bytewise(self, data: bytes) -> None:
        """Each byte a segment of its own, as far as the kernel lets us."""
        for number in range(len(data)):
            self.socket.sendall(data[number : number + 1])

    def end_input(self) -> None:
        """Half close: nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Hang up with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.socket.close()

    # -- from the server

    def _more(self) -> bytes:
        """Wait for bytes; none if the server has closed, before or after it read what we sent."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            return b""
        except TimeoutError:
            raise AssertionError(f"no more came after {bytes(self._unread)[-2000:]!r}") from None
        self._unread += data
        return data

    def _take(self, size: int) -> bytes:
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def read(self, size: int) -> bytes:
        """Exactly so many bytes, or fewer if the server closes before."""
        while len(self._unread) < size and self._more():
            pass
        return self._take(size)

    def read_until(self, ending: bytes) -> bytes:
        """Everything up to and with these bytes, or to where the server closes."""
        seen = 0
        while (at := self._unread.find(ending, max(0, seen - len(ending)))) < 0:
            seen = len(self._unread)
            if not self._more():
                return self._take(seen)
        return self._take(at + len(ending))

    def read_line(self) -> bytes:
        return self.read_until(b"\r\n")

    def read_reply(self) -> bytes:
        """One whole reply: a line, or all VALUEs or STATs with the END after them."""
        reply = line = self.read_line()
        while line.startswith((b"VALUE ", b"STAT ")):
            if line.startswith(b"VALUE "):
                reply += self.read(int(line.split()[3]) + 2)
            line = self.read_line()
            reply += line
        return reply

    def read_to_end(self) -> bytes:
        """Everything until the server closes."""
        while self._more():
            pass
        return self._take(len(self._unread))

    def ask(self, request: bytes) -> bytes:
        """Send one command and return its reply."""
        self.send(request)
        return self.read_reply()

    def expect(self, expected: bytes) -> None:
        """These bytes come next."""
        assert self.read(len(expected)) == expected

    def expect_silence(self, seconds: float = 0.05) -> None:
        """Nothing has come, and nothing comes for a while."""
        assert not self._unread
        assert not select.select([self.socket], [], [], seconds)[0], self.socket.recv(1 << 16)

    def expect_closed(self) -> None:
        """The server has sent nothing more and closes, or has closed."""
        assert self.read_to_end() == b""

    # -- what tests say all the time

    def put(self, queue: str, *items: bytes) -> None:
        """Store items, each acknowledged."""
        name = queue.encode()
        self.send(b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (name, len(i), i) for i in items))
        self.expect(b"STORED\r\n" * len(items))

    def get(self, key: str) -> bytes | None:
        """Get by a key with its options; returns the data, None for a miss."""
        reply = self.ask(b"get %b\r\n" % key.encode())
        if reply == b"END\r\n":
            return None
        header, _, rest = reply.partition(b"\r\n")
        word, name, _, size = header.split()
        assert (word, name, rest[int(size) :]) == (b"VALUE", key.encode(), b"\r\nEND\r\n"), reply
        return rest[: int(size)]

    def stats(self, queue: str = "") -> dict[str, str]:
        """The STAT lines by name; of one queue, without `queue_<name>_` before each name."""
        reply = self.ask(f"stats {queue}\r\n".encode()).decode("latin-1")
        assert reply.endswith("END\r\n")
        lines = [line.split(" ", 2) for line in reply.split("\r\n")[:-2]]
        return {name.removeprefix(f"queue_{queue}_" if queue else ""): v for _, name, v in lines}

    def make(self, queue: str) -> None:
        """See to it that a queue exists, empty, so that stats know it."""
        self.put(queue, b"first")
        assert self.get(queue) == b"first"

    def wait_until(self, queue: str, **stats: int) -> None:
        """Until stats of the queue have these values: waiters=1, items=2."""
        expected = {name: str(value) for name, value in stats.items()}
        wait_until(lambda: expected.items() <= self.stats(queue).items())


class ServerProcess:
    """`darnerpy serve` on a free port and a directory of its own; it dies with the test process.

    loop: one of LOOPS, "" for what it takes by itself. settings: other options by name; `flags` as
    they were given. toml: text of the configuration file. environ: variables to add. open_files: its
    soft and hard limit, as 100:200. http: where it listens for HTTP, "" for what it does by itself.
    addresses: where it listens, in order of the log; `host`, `port` and `address` are the first.
    http_address: HOST:PORT of HTTP.
    """

    def __init__(
        self,
        directory: Path,
        toml: str = "",
        environ: Mapping[str, str] | None = None,
        listen: Iterable[str] = ("127.0.0.1:0",),
        open_files: str = "",
        loop: str = "",
        http: str = "off",
        **settings: object,
    ) -> None:
        self._loop = loop
        self._http = http
        self.http_address = ""
        self._limits = ["prlimit", f"--nofile={open_files}"] if open_files else []
        self.data = directory / "data"
        self.addresses: list[str] = []
        self._listen = list(listen)
        self._environ = os.environ | (environ or {})
        self.flags = [f"--data={self.data}", *(f"--listen={one}" for one in self._listen)]
        self.flags += [*LOOPS.get(loop, ()), *([f"--http={http}"] if http else [])]
        for name, value in settings.items():
            self.flags.append(f"--{name.replace('_', '-')}={value}")
        if toml:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "darnerpy.toml").write_text(toml)
            self.flags.append(f"--config={directory / 'darnerpy.toml'}")
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._silent = False
        self._news = threading.Condition()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self.running:
                self.stop()
        finally:
            self.kill()

    # -- life

    def start(self) -> Self:
        """Start it and wait until it listens everywhere it should."""
        command = ("setpriv", "--pdeathsig=KILL", *DARNERPY)
        self._lines.clear()
        self._silent = False
        self._process = subprocess.Popen(
            (*self._limits, *command, "serve", *self.flags),
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=self._environ,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self._wait_for(lambda: len(self._found()) == len(self._listen), "listening")
        self.addresses = self._found()
        if self._http not in ("", "off"):
            line = self.wait_for_log("listening for HTTP")
            self.http_address = re.sub(r".* address=(?:http://)?(.*?)/?$", r"\1", line)
        assert f" loop={self._loop}" in self.log(), self.log()
        return self

    def stop(self, signal: int = signal.SIGTERM, expected: int = 0) -> None:
        """Ask it to stop; it must, with this exit code and without having logged an error."""
        self.process.send_signal(signal)
        self.wait_for_exit(expected)
        assert not self.complaints(), self.log()

    def wait_for_exit(self, expected: int) -> None:
        try:
            code = self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {TIMEOUT} s:\n{self.log()}") from None
        self._reader.join(TIMEOUT)
        assert code == expected, self.log()

    def kill(self) -> None:
        """kill -9; nothing happens if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT)
            self._reader.join(TIMEOUT)

    def restart(self) -> Self:
        """Stop it if it runs, and start it on the same data; the port is a new one."""
        if self.running:
            self.stop()
        return self.start()

    # -- what it is and says

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def log(self) -> str:
        """What it has said on standard error since it was last started."""
        with self._news:
            return "".join(self._lines)

    def complaints(self) -> list[str]:
        """Lines of its log that tell of an error, or are no log lines at all."""
        return [
            line
            for line in self.log().splitlines()
            if not re.match(r"[-0-9]{10}T[0-9:.]{12}Z (debug|info|warning) ", line)
        ]

    def wait_for_log(self, pattern: str) -> str:
        """Wait for a line that matches, and return it."""
        self._wait_for(lambda: re.search(pattern, "".join(self._lines)) is not None, pattern)
        return next(line for line in self.log().splitlines() if re.search(pattern, line))

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes, of a field of /proc/PID/status such as VmRSS, VmHWM or RssAnon."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"{field}:\s+(\d+) kB", status)
        assert found, status
        return int(found[1]) << 10

    def forget_highest_memory(self) -> None:
        """VmHWM counts from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def connect(self, timeout: float = TIMEOUT) -> Wire:
        return Wire(self.address, timeout)

    # -- its log as it comes

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as stream:
            for line in stream:
                with self._news:
                    self._lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()

    def _wait_for(self, reached: Callable[[], bool], what: str) -> None:
        """Look again at every line of the log, until it is so or no more lines will come."""
        with self._news:
            self._news.wait_for(lambda: reached() or self._silent, TIMEOUT)
            if not reached():
                raise AssertionError(f"waited for {what!r} in vain:\n{''.join(self._lines)}")

    def _found(self) -> list[str]:
        return _LISTENING.findall("".join(self._lines))
