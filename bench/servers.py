"""How each server is started on its own core, asked whether it is there, weighed and stopped."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench import driver
from bench.driver import BUILD, Load, Outcome, Protocol, Target
from bench.machine import APART, EDITABLE, PROGRAM, Placement

MAX_CONNECTIONS = 12_000
_PROBES: dict[Protocol, tuple[bytes, bytes]] = {
    "memcache": (b"version\r\n", b"VERSION"),
    "darner": (b"version\r\n", b"VERSION"),
    "resp": (b"PING\r\n", b"+PONG"),  # while it loads, Redis answers -LOADING
    "beanstalk": (b"stats\r\n", b"OK"),
}


@dataclass(frozen=True)
class Recipe:
    """One server with one set of options."""

    name: str
    program: str
    protocol: Protocol
    arguments: Callable[[int, Path], list[str]]
    consumes: bool = True  # a get takes the item away
    needs_size: bool = False  # canned: its replies have the size it was started with
    closes: bool = False  # understands get q/close/open

    def missing(self) -> str | None:
        """Why it cannot be run here, if so."""
        return None if shutil.which(self.program) else "not installed"


def darnerpy(
    name: str,
    *options: str,
    sync: str = "never",
    command: tuple[str, ...] = (str(PROGRAM),),
) -> Recipe:
    """The one that is measured, or another one by its command."""

    def arguments(port: int, data: Path) -> list[str]:
        where = ("--data", str(data / "data"), "--listen", f"127.0.0.1:{port}")
        return [*command[1:], "serve", *where, "--sync", sync, *options]

    return Recipe(name, command[0], "memcache", arguments, closes=True)


def _redis(appendfsync: str) -> Callable[[int, Path], list[str]]:
    return lambda port, data: [
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(data), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", appendfsync),
        *("--auto-aof-rewrite-percentage", "0", "--maxclients", str(MAX_CONNECTIONS)),
    ]


def _memcached(port: int, data: Path) -> list[str]:
    return [
        *("-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1", "-m", "256", "-I", "16m"),
        *("-c", str(MAX_CONNECTIONS), "-u", getpass.getuser()),
    ]


def _darner(port: int, data: Path) -> list[str]:
    own = data / "data"  # it takes whatever is in there for a queue
    own.mkdir(exist_ok=True)
    return ["-p", str(port), "-d", str(own)]


def _beanstalkd(port: int, data: Path) -> list[str]:
    return ["-l", "127.0.0.1", "-p", str(port), "-b", str(data), "-z", str(16 << 20)]


CANNED = Recipe(
    *("canned", str(BUILD / "canned"), "memcache", lambda port, data: [str(port)]),
    consumes=False,
    needs_size=True,
    closes=True,
)
DARNERPY = darnerpy("darnerpy")
DARNERPY_SYNC = darnerpy("darnerpy always", sync="always")
DARNERPY_ARENA = darnerpy("darnerpy, arenas", "--engine", "arena")
DARNERPY_ARENA_SYNC = darnerpy("darnerpy, arenas always", "--engine", "arena", sync="always")
DARNERPY_PURE = darnerpy("darnerpy, pure Python", command=(str(EDITABLE),))
DARNERPY_MEMORY = darnerpy("darnerpy in memory", "--engine", "memory")
MEMCACHED = Recipe("memcached", "memcached", "memcache", _memcached, consumes=False)
DARNER = Recipe("Darner", "darner", "darner", _darner, closes=True)
BEANSTALKD = Recipe("beanstalkd", "beanstalkd", "beanstalk", _beanstalkd)
REDIS = Recipe("Redis everysec", "redis-server", "resp", _redis("everysec"))
REDIS_SYNC = Recipe("Redis always", "redis-server", "resp", _redis("always"))


@dataclass(frozen=True)
class Weight:
    """What a process holds."""

    rss: int
    highest_rss: int  # since `forget_highest`, between two looks too
    anonymous: int
    descriptors: int


class Server:
    """A running server. Its directory outlives it, so that it can be started again on its data."""

    def __init__(
        self,
        recipe: Recipe,
        port: int,
        directory: Path,
        size: int = 64,
        placement: Placement = APART,
    ) -> None:
        self.recipe = recipe
        self.port = port
        self.directory = directory
        self._size = size
        self._placement = placement
        self._process: subprocess.Popen[bytes] | None = None
        self.directory.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def target(self) -> Target:
        return Target(self.recipe.protocol, self.port, self.pid, self._placement)

    def start(self, timeout: float = 60) -> float:
        """Returns how many seconds passed until it answered."""
        arguments = self.recipe.arguments(self.port, self.directory)
        command = [*self._placement.server, self.recipe.program, *arguments]
        if self.recipe.needs_size:
            command.append(str(self._size))
        question, answer = _PROBES[self.recipe.protocol]
        if self.ask(question, 0.5):
            raise RuntimeError(f"port {self.port} is taken: something left over answers there")
        began = time.monotonic()
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                # Not a flag: an older program, which has no HTTP, would not know it.
                env=os.environ | {"DARNERPY_HTTP": "off"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        while not self.ask(question).startswith(answer):
            if self._process.poll() is not None or time.monotonic() - began > timeout:
                raise RuntimeError(f"{self.name} did not start: {self._last_words()}")
            time.sleep(0.002)
        return time.monotonic() - began

    def ask(self, question: bytes, timeout: float = 5) -> bytes:
        """The first bytes of the answer on a fresh connection; empty if there is none."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
                connection.sendall(question)
                return connection.recv(65536)
        except OSError:
            return b""

    def run(self, load: Load) -> Outcome:
        return driver.run(self.target, load)

    def fill(self, count: int, size: int = 64) -> None:
        """Puts many items as fast as the server takes them."""
        load = Load("set", connections=20, depth=32, size=size, count=count, seconds=150)
        outcome = self.run(load)
        if outcome.trouble or outcome.ops != count:
            raise RuntimeError(f"{self.name} took {outcome.ops} of {count}: {outcome.trouble}")

    def drain(self, size: int, queues: int) -> None:
        """Takes whatever a scenario left, so that the next one starts from an empty queue."""
        if self.recipe.consumes:
            outcome = self.run(
                Load("get", connections=4, depth=32, size=size, queues=queues, seconds=30)
            )
            if outcome.trouble or not outcome.misses:
                raise RuntimeError(
                    f"{self.name} could not be drained: {outcome.trouble or 'too much'}"
                )

    def weigh(self) -> Weight:
        status = Path(f"/proc/{self.pid}/status").read_text()
        sizes = {name: int(kib) << 10 for name, kib in re.findall(r"(\w+):\s+(\d+) kB", status)}
        descriptors = len(os.listdir(f"/proc/{self.pid}/fd"))
        return Weight(sizes["VmRSS"], sizes["VmHWM"], sizes["RssAnon"], descriptors)

    def forget_highest(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def pause(self) -> None:
        """A server that is not being measured takes no time from the one that is."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Asks it to end, and does not wait long for it."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self.resume()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self.kill()

    def _last_words(self) -> str:
        lines = (self.directory / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
