"""A client's machine that dies without a word, in network namespaces: its link is taken down.

What it held comes back, and it takes no item that somebody else waits for. A machine that lives but
whose program does not read is left alone.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from typing import Any, NamedTuple, Self

import pytest

from darnerpy.server.pump import AVAILABLE
from tests.conftest import EVERY_LOOP
from tests.servers import LOOPS, ServerProcess, Wire, wait_until

FAST: dict[str, Any] = {"keepalive_idle": "2s", "keepalive_interval": "1s", "keepalive_probes": "2"}


def why_not() -> str:
    """Why no network namespaces can be made here; empty if, as far as can be seen, they can."""
    if sys.platform != "linux" or which("ip") is None:
        return "needs Linux and the command ip"
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True)


class Machine:
    """A network namespace that is joined to ours by a cable; sockets made in it stay in it."""

    _count = 0

    def __init__(self) -> None:
        Machine._count += 1
        number = Machine._count
        self.name = f"darnerpy-{os.getpid()}-{number}"
        self._ours, self._its = f"dpy{os.getpid() % 10**6}-{number}", "cable"
        # Of the block that is kept for tests of networks, a piece of our own.
        base = 4 * (os.getpid() * 7 % 4096 * 8 + number % 8)
        net = f"198.{18 + base // 65536 % 2}.{base // 256 % 256}"
        self.host, self._address = f"{net}.{base % 256 + 1}", f"{net}.{base % 256 + 2}"

    def __enter__(self) -> Self:
        ip("netns", "add", self.name)
        try:
            self._plug_in()
        except BaseException:
            ip("netns", "del", self.name)
            raise
        return self

    def _plug_in(self) -> None:
        cable = ("type", "veth", "peer", "name", self._its, "netns", self.name)
        ip("link", "add", self._ours, *cable)
        ip("addr", "add", f"{self.host}/30", "dev", self._ours)
        ip("link", "set", self._ours, "up")
        ip("-n", self.name, "addr", "add", f"{self._address}/30", "dev", self._its)
        ip("-n", self.name, "link", "set", self._its, "up")

    def __exit__(self, *exception: object) -> None:
        subprocess.run(("ip", "link", "del", self._ours), capture_output=True)
        ip("netns", "del", self.name)

    def die(self) -> None:
        """Nothing that it sends or is sent arrives any more."""
        ip("-n", self.name, "link", "set", self._its, "down")

    def revive(self) -> None:
        ip("-n", self.name, "link", "set", self._its, "up")

    def connect(self, port: int) -> Wire:
        with self._inside():
            return Wire(f"{self.host}:{port}")

    @contextmanager
    def _inside(self) -> Iterator[None]:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/var/run/netns/{self.name}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(home)
            os.close(there)


def _enter(namespace: int) -> None:
    """os.setns is there from Python 3.12 on."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


@pytest.fixture
def machine() -> Iterator[Machine]:
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(Machine())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error}")
        yield machine


class Served(NamedTuple):
    """A server, a connection to it from here, and where it listens for the machine."""

    loop: str
    server: ServerProcess
    live: Wire
    port: int


@contextmanager
def serving(machine: Machine, directory: Path, loop: str, **settings: Any) -> Iterator[Served]:
    listen = ("127.0.0.1:0", f"{machine.host}:0")
    given = FAST | settings
    with (
        ServerProcess(directory, sync="never", loop=loop, listen=listen, **given) as server,
        server.connect() as live,
    ):
        yield Served(loop, server, live, int(server.addresses[1].rpartition(":")[2]))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def every_loop(machine: Machine, tmp_path: Path, stack: ExitStack) -> Callable[..., list[Served]]:
    """Start a server by each event loop: what takes the kernel seconds takes it only once."""

    def start(**settings: Any) -> list[Served]:
        return [
            stack.enter_context(serving(machine, tmp_path / loop, loop, **settings))
            for loop in LOOPS
            if loop != "pump" or AVAILABLE
        ]

    return start


def test_what_a_dead_machine_held_comes_back(
    machine: Machine, every_loop: Callable[..., list[Served]], stack: ExitStack
) -> None:
    servers = every_loop()
    for each in servers:
        each.live.put("work", b"a")
        lost = stack.enter_context(machine.connect(each.port))
        assert lost.get("work/open") == b"a"
    machine.die()
    for each in servers:
        assert each.live.get("work") is None, each.loop
    for each in servers:
        assert each.live.get("work/t=20000") == b"a", each.loop
        each.live.wait_until("", curr_connections=1)


def test_also_when_its_answer_was_still_under_way(
    machine: Machine, every_loop: Callable[..., list[Served]], stack: ExitStack
) -> None:
    """The kernel sends that again for a quarter of an hour, and does not probe meanwhile."""
    servers = every_loop()
    for each in servers:
        each.live.make("work")
        lost = stack.enter_context(machine.connect(each.port))
        lost.send(b"get work/open/t=600000\r\n")
        each.live.wait_until("work", waiters=1)
    machine.die()
    for each in servers:
        each.live.put("work", b"a")
        assert each.live.get("work") is None, "the first it takes: nobody can know yet"
    for each in servers:
        assert each.live.get("work/t=20000") == b"a", each.loop
        each.live.wait_until("", curr_connections=1)
        each.server.wait_for_log("no answer from its machine")


@pytest.mark.parametrize("loop", EVERY_LOOP)
def test_a_dead_waiter_swallows_nothing_while_a_live_one_waits(
    machine: Machine, tmp_path: Path, loop: str
) -> None:
    slow = {"keepalive_interval": "60s", "keepalive_probes": "9"}
    with serving(machine, tmp_path, loop, **slow) as (_, server, live, port):
        live.make("work")
        with machine.connect(port) as lost:
            lost.send(b"get work/t=600000\r\n")
            live.wait_until("work", waiters=1)
            machine.die()
            wait_until(lambda: unanswered_probe(machine, port))
            with server.connect() as second:
                second.send(b"get work/t=600000\r\n")
                live.wait_until("work", waiters=2)
                live.put("work", b"a")
                second.expect(b"VALUE work/t=600000 0 1\r\na\r\nEND\r\n")
            live.put("work", b"b")
            live.wait_until("work", waiters=1, items=1)
            assert live.get("work") == b"b", "nor is it kept from somebody who comes later"
            live.put("work", b"c")
            machine.revive()
            lost.expect(b"VALUE work/t=600000 0 1\r\nc\r\nEND\r\n")


def test_nor_does_one_that_waits_over_http(machine: Machine, tmp_path: Path) -> None:
    slow = {"keepalive_interval": "60s", "keepalive_probes": "9"}
    token = tmp_path / "tokens"
    token.write_text("a-token-for-a-test\n")
    here = f"{machine.host}:0"
    more = {"http": here, "http_token_file": str(token), "http_hosts": "work.test"}
    take = (
        b"POST /v1/queues/work/take?wait=10m HTTP/1.1\r\nHost: work.test\r\n"
        b"Authorization: Bearer a-token-for-a-test\r\n\r\n"
    )
    with serving(machine, tmp_path / "data", "asyncio", **slow, **more) as served:
        live = served.live
        live.make("work")
        port = int(served.server.http_address.rpartition(":")[2])
        with machine.connect(port) as lost:
            lost.send(take)
            live.wait_until("work", waiters=1)
            machine.die()
            wait_until(lambda: unanswered_probe(machine, port))
            live.put("work", b"a")
            live.wait_until("work", waiters=1, items=1)
            assert live.get("work") == b"a"
            live.put("work", b"b")
            machine.revive()
            assert lost.read_until(b"\r\n\r\nb").startswith(b"HTTP/1.1 200 ")


def unanswered_probe(machine: Machine, port: int) -> bool:
    """As the tool ss shows of our side, or the same from /proc."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        probes = int(words[8])  # `timeout`: probes or sends again without an answer
        if int(words[1].rpartition(":")[2], 16) == port and words[3] == "01":
            return probes > 0 or int(words[6], 16) > 0
    return False


def test_a_live_client_that_reads_slowly_is_left_alone(
    machine: Machine, every_loop: Callable[..., list[Served]], stack: ExitStack
) -> None:
    """Longer than the keepalive would take, with a closed window the whole time."""
    item = b"x" * 200_000
    slow: list[Wire] = []
    servers = every_loop()
    for each in servers:
        each.live.put("work", *[item] * 40)
        slow.append(stack.enter_context(machine.connect(each.port)))
        slow[-1].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow[-1].send(b"get work\r\n" * 40)
    time.sleep(12)
    for each, client in zip(servers, slow, strict=True):
        each.live.wait_until("", curr_connections=2)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for _ in range(40):
            client.read_until(b"END\r\n")
        assert "no answer" not in each.server.log(), each.loop


def test_an_idle_live_client_is_left_alone(
    machine: Machine, every_loop: Callable[..., list[Served]], stack: ExitStack
) -> None:
    servers = every_loop()
    idle = [stack.enter_context(machine.connect(each.port)) for each in servers]
    time.sleep(8)
    for each, client in zip(servers, idle, strict=True):
        each.live.wait_until("", curr_connections=2)
        assert client.ask(b"version\r\n") == b"VERSION 1.0.0\r\n"


def test_switched_off_nobody_is_probed(
    machine: Machine, every_loop: Callable[..., list[Served]], stack: ExitStack
) -> None:
    servers = every_loop(keepalive_idle="off")
    for each in servers:
        each.live.put("work", b"a")
        lost = stack.enter_context(machine.connect(each.port))
        assert lost.get("work/open") == b"a"
    machine.die()
    for each in servers:
        each.live.send(b"get work/t=8000\r\n")
    for each in servers:
        assert each.live.read_reply() == b"END\r\n", each.loop
    machine.revive()
