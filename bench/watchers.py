"""`make bench-watchers`: what it costs a server to be watched.

1 000 queues, of which a client uses 200 twice a second each: their journals stay open, and none is left
alone for so long that it is trimmed, since both cost far more than being watched. Ten dashboards follow
the events and a scraper asks for the metrics once a second. In turn with and without them: processor time
of the server, and how long gets take. In a process of its own: how long the slices are in which the loop
does it all, and what a command costs when turns are metered. Is started as a file, so that `darnerpy` is
the one that the interpreter has.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from darnerpy import build
from darnerpy.brokers.datadir import DataDir
from darnerpy.brokers.local import LocalBroker
from darnerpy.clock import SystemClock
from darnerpy.config import QueueRule, Settings
from darnerpy.http.monitoring.exposition import PROMETHEUS
from darnerpy.http.monitoring.monitor import Monitor
from darnerpy.sessions.contract import Host
from darnerpy.sessions.guard import Guard

BUSY = 200
_TICK = os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _cpu(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


class Client:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._file = self._socket.makefile("rb")

    def ask(self, request: bytes, end: bytes) -> None:
        self._socket.sendall(request)
        while not self._file.readline().startswith(end):
            pass


@contextmanager
def running(directory: Path, http: str) -> Iterator[tuple[int, int]]:
    """A server; its port and process."""
    port = _free_port()
    where = ("--data", str(directory), "--listen", f"127.0.0.1:{port}", "--http", http)
    how = ("--sync", "never", "--max-open-journals", str(BUSY + 56))
    command = [sys.executable, "-P", "-m", "darnerpy", "serve", *how, *where]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(1000):
                try:
                    Client(port)
                    break
                except OSError:
                    time.sleep(0.01)
            yield port, process.pid
        finally:
            process.terminate()


@contextmanager
def watched(address: str, streams: int) -> Iterator[None]:
    """Dashboards and a scraper, until it is left."""
    over = threading.Event()

    def follow() -> None:
        connection = HTTPConnection(address, timeout=30)
        connection.request("GET", "/v1/events")
        response = connection.getresponse()
        while not over.is_set() and response.readline():
            pass
        connection.close()

    def scrape() -> None:
        connection = HTTPConnection(address, timeout=30)
        while not over.wait(1):  # as Prometheus does
            connection.request("GET", "/metrics")
            connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=follow, daemon=True) for _ in range(streams)]
    threads.append(threading.Thread(target=scrape, daemon=True))
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)  # the first event has everything, and comes once
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(5)


def phase(port: int, pid: int, queues: int, seconds: float) -> tuple[float, list[float]]:
    """Milliseconds of processor time that the server took a second, and how many each get took."""
    client, took, rate = Client(port), [], 2 * BUSY
    began, before = time.perf_counter(), _cpu(pid)
    for number in range(int(seconds * rate)):
        due = began + number / rate
        time.sleep(max(0, due - time.perf_counter()))
        name = b"queue-%05d" % (number % min(queues, BUSY))
        client.ask(b"set %b 0 0 64\r\n%b\r\n" % (name, b"x" * 64), b"STORED")
        asked = time.perf_counter()
        client.ask(b"get %b\r\n" % name, b"END")
        took.append((time.perf_counter() - asked) * 1000)
    passed = time.perf_counter() - began
    return (_cpu(pid) - before) * 1000 / passed, sorted(took)


def told(name: str, cpu: list[float], took: list[float]) -> str:
    took = sorted(took)
    middle, late = took[len(took) // 2], took[len(took) * 99 // 100]
    spent = sorted(cpu)[len(cpu) // 2]
    return f"| {name} | {spent:.1f} | {middle:.3f} | {late:.3f} |"


def servers(arguments: argparse.Namespace, directory: Path) -> None:
    web = f"127.0.0.1:{_free_port()}"
    rows: dict[str, tuple[list[float], list[float]]] = {}

    def note(name: str, found: tuple[float, list[float]]) -> None:
        cpu, took = rows.setdefault(name, ([], []))
        cpu.append(found[0])
        took += found[1]

    with running(directory / "on", web) as on, running(directory / "off", "off") as off:
        for port, _ in (on, off):
            client = Client(port)
            for number in range(arguments.queues):
                client.ask(b"set queue-%05d 0 0 1\r\nx\r\n" % number, b"STORED")
        time.sleep(2)
        for _ in range(arguments.rounds):
            note("HTTP off", phase(*off, arguments.queues, arguments.seconds))
            note("HTTP on, nobody looks", phase(*on, arguments.queues, arguments.seconds))
            with watched(web, arguments.streams):
                name = f"{arguments.streams} dashboards and Prometheus"
                note(name, phase(*on, arguments.queues, arguments.seconds))
    print("| server | ms of processor time a second | get, median ms | get, p99 ms |")
    print("|---|---|---|---|")
    for name, (cpu, took) in rows.items():
        print(told(name, cpu, took))


# -- slices, in this process -----------------------------------------------------------------------


def measured(steps: Iterable[Any]) -> list[float]:
    """Milliseconds of processor time of each slice."""
    found: list[float] = []
    rest = iter(steps)
    while True:
        began = time.thread_time()
        try:
            next(rest)
        except StopIteration:
            return found
        finally:
            found.append((time.thread_time() - began) * 1000)


def say(what: str, runs: list[list[float]]) -> None:
    every = sorted(each for run in runs for each in run)
    whole = sorted(sum(run) for run in runs)[len(runs) // 2]
    late = every[len(every) * 99 // 100]
    print(f"| {what} | {whole:.1f} | {late:.2f} | {every[-1]:.2f} |")


async def slices(queues: int, directory: Path) -> None:
    rules = (QueueRule(b"*", {"engine": "memory"}),)
    settings = replace(Settings(data=directory), queue_rules=rules)
    loop, clock, data = asyncio.get_running_loop(), SystemClock(), DataDir(directory)
    broker = LocalBroker(settings, data, clock, loop)
    host = Host(broker, settings, clock, loop, Guard(directory / "STATUS", broker.space, loop, 0))
    monitor = Monitor(host, settings.history_memory)
    every = [broker.create(b"queue-%05d" % number) for number in range(queues)]
    for stored in every:
        if not stored.ready:
            ready = asyncio.Event()
            stored.when_ready(ready.set)
            await ready.wait()
        stored.queue.put(b"x" * 64, 64, 0, 0)
    list(monitor.watch.look())

    async def looks(times: int) -> list[list[float]]:
        found = []
        for _ in range(times):
            for stored in every[: BUSY + 1]:
                stored.queue.put(b"x" * 64, 64, 0, 0)
                stored.queue.take(stored.queue.own)
            await asyncio.sleep(0.01)
            found.append(measured(monitor.watch.look()))
        return found

    say(f"a look at {queues} queues", await looks(20))

    async def follow() -> None:
        async for _ in monitor.events.follow(b""):
            pass

    tasks = [asyncio.create_task(follow()) for _ in range(10)]
    await asyncio.sleep(0.2)
    say(f"the same, {BUSY} changed, told to 10 streams", await looks(20))
    scrapes = [measured(monitor.metrics.text(PROMETHEUS, b"")) for _ in range(10)]
    say(f"a scrape of {queues} queues", scrapes)
    for task in tasks:
        task.cancel()
    broker.close()
    data.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queues", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("servers", "slices"))
    arguments = parser.parse_args()
    print(f"darnerpy is {build.kind()}\n")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        if arguments.only != "servers":
            print("| on the loop | ms in all | slices, p99 ms | longest ms |\n|---|---|---|---|")
            for queues in (arguments.queues, 10 * arguments.queues):
                (directory / str(queues)).mkdir()
                asyncio.run(slices(queues, directory / str(queues)))
            print()
        if arguments.only != "slices":
            servers(arguments, directory)


if __name__ == "__main__":
    main()
