"""`python -P bench/ring.py [--write]`: the ring beside what else carries messages between two processes.

One process sends 64 B messages and another receives them, each on a core of its own where there are two. All
ways are gone in every round, one right after the other. A rate is that of the best round, a cost the mean of
the two cheapest and a latency the least, as what else the machine does only makes each of them worse.
--write puts the page in docs/. The ring is that of the environment it is run in; --beside names the Python of
another one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

# Behind what the environment has: that is what is measured.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from bench.machine import CORES, REPOSITORY, facts
from bench.tables import NONE, Held, numbers_to_hold, show, table
from darnerpy import ClosedError, Empty, Ring
from darnerpy.build import kind

Send = Callable[[Any], object]
"""Given one message, or a list of them."""

Receive = Callable[[], Any]
"""Gives one, or a list of at least one."""

Figures = dict[str, dict[str, list[float]]]
"""Of each way, by name, what was found in each round."""

PAGE = REPOSITORY / "docs" / "benchmarks-ring.md"
SINGLE, BATCHES = "Ring, publish and read", "Ring, publish_many of 100 and read_many"
RINGS = SINGLE, "Ring, publish_many of 100 and read", BATCHES
QUEUE = "multiprocessing.Queue"
BATCH = 100
SIZE = "64MiB"
FOLDER = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
processes = multiprocessing.get_context("fork")


class Way:
    """How messages get across. Made before the processes are forked; then each opens its own end."""

    batch = 1
    """How many are sent at once; 1 if it is not a list."""

    many = 1
    """How many are received at once, at most; 1 if it is not a list."""

    def sender(self) -> Send:
        raise NotImplementedError

    def receiver(self) -> Receive:
        raise NotImplementedError

    def flush(self) -> None:
        """Have all sent that was given to the sender."""

    def missed(self) -> int:
        """How many the receiver will never get."""
        return 0

    def close(self) -> None:
        """Leave nothing behind."""


class Rings(Way):
    """Of a size that a receiver which keeps pace is never lapped in."""

    def __init__(self, batch: int = 1, many: int = 1) -> None:
        self.batch, self.many = batch, many
        self.path = FOLDER / f"bench-ring-{os.getpid()}"

    def sender(self) -> Send:
        writer = self.writer = Ring.create(self.path, SIZE)
        return writer.publish_many if self.batch > 1 else writer.publish

    def receiver(self) -> Receive:
        reader = self.reader = Ring.open(self.path, on_lag="skip")
        return partial(reader.read_many, self.many) if self.many > 1 else reader.read

    def flush(self) -> None:
        self.writer.close()

    def missed(self) -> int:
        return self.reader.missed

    def close(self) -> None:
        self.path.unlink()


class Queues(Way):
    """A batch is one item."""

    def __init__(self, batch: int = 1) -> None:
        self.batch = self.many = batch
        self.queue: Any = processes.Queue()

    def sender(self) -> Send:
        put: Send = self.queue.put
        return put

    def receiver(self) -> Receive:
        get: Receive = self.queue.get
        return get

    def flush(self) -> None:
        self.queue.close()
        self.queue.join_thread()


class Pipes(Way):
    def __init__(self) -> None:
        self.out, self.into = processes.Pipe(duplex=False)

    def sender(self) -> Send:
        return self.into.send_bytes

    def receiver(self) -> Receive:
        return self.out.recv_bytes


class Sockets(Way):
    """Of the Unix domain, which keep the bounds of what is sent."""

    def __init__(self) -> None:
        self.out, self.into = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def sender(self) -> Send:
        return self.into.send

    def receiver(self) -> Receive:
        return partial(self.out.recv, 64)

    def close(self) -> None:
        self.out.close()
        self.into.close()


class PosixQueues(Way):
    def __init__(self) -> None:
        ipc = import_module("posix_ipc")
        self.queue = ipc.MessageQueue(None, ipc.O_CREX, max_message_size=64)

    def sender(self) -> Send:
        send: Send = self.queue.send
        return send

    def receiver(self) -> Receive:
        receive = self.queue.receive
        return lambda: receive()[0]

    def close(self) -> None:
        self.queue.close()
        self.queue.unlink()


WAYS: dict[str, Callable[[], Way]] = {
    SINGLE: Rings,
    RINGS[1]: lambda: Rings(BATCH),
    BATCHES: lambda: Rings(BATCH, 1000),
    QUEUE: Queues,
    "multiprocessing.Queue, lists of 100": lambda: Queues(BATCH),
    "multiprocessing.Pipe, send_bytes": Pipes,
    "socket.socketpair, SOCK_SEQPACKET": Sockets,
}
if find_spec("posix_ipc"):
    WAYS["posix_ipc.MessageQueue"] = PosixQueues


def in_two_processes(
    way: Way, send: Callable[[Send], float], receive: Callable[[Receive], list[float]]
) -> tuple[float, list[float]]:
    """What both say of themselves. The sender opens its end first; nothing is sent before both are open."""
    opened, started = processes.Barrier(2), processes.Barrier(2)

    def sending(result: Connection) -> None:
        os.sched_setaffinity(0, {CORES[0]})
        end = way.sender()
        opened.wait()
        started.wait()
        result.send(send(end))

    def receiving(result: Connection) -> None:
        os.sched_setaffinity(0, {CORES[-1]})
        opened.wait()
        end = way.receiver()
        started.wait()
        result.send(receive(end))

    def run(work: Callable[[Connection], None]) -> tuple[Connection, BaseProcess]:
        mine, others = processes.Pipe(duplex=False)
        process = processes.Process(target=work, args=[others])
        process.start()
        return mine, process

    try:
        (sent, sender), (received, receiver) = run(sending), run(receiving)
        said = sent.recv(), received.recv()
        sender.join()
        receiver.join()
        return said
    finally:
        way.close()


def rate(way: Way, count: int) -> dict[str, float]:
    """Messages a second, and what each costs both sides."""
    batch = [os.urandom(64) for _ in range(way.batch)]
    given = batch if way.batch > 1 else batch[0]

    def sending(send: Send) -> float:
        began = time.process_time()
        for _ in range(count // way.batch):
            send(given)
        way.flush()
        return time.process_time() - began

    def receiving(receive: Receive) -> list[float]:
        spent, began = time.process_time(), time.perf_counter()
        with suppress(ClosedError):  # before all is received, if some were missed
            if way.many > 1:
                got = 0
                while got < count:
                    got += len(receive())
            else:
                for _ in range(count):
                    receive()
        took = time.perf_counter() - began
        return [(count - way.missed()) / took, time.process_time() - spent, way.missed()]

    sent, (received, spent, missed) = in_two_processes(way, sending, receiving)
    each = 1e6 / count
    return {"rate": received, "send": sent * each, "receive": spent * each, "missed": missed}


def latency(way: Way, count: int, least_s: float, most_s: float) -> float:
    """The median of the microseconds that a message takes, with such gaps between one and the next."""
    chance = random.Random(1)

    def sending(send: Send) -> float:
        for _ in range(count):
            until = time.perf_counter() + chance.uniform(least_s, most_s)
            if most_s > 0.001:
                time.sleep(least_s)
            while time.perf_counter() < until:
                pass
            send(time.monotonic_ns().to_bytes(64, "big"))
        way.flush()
        return 0

    def receiving(receive: Receive) -> list[float]:
        took: list[float] = []
        for _ in range(count):
            message = receive()
            took.append(time.monotonic_ns() - int.from_bytes(message, "big"))
        return took

    return statistics.median(in_two_processes(way, sending, receiving)[1]) / 1000


def waiting(seconds: float) -> float:
    """How much of a core a reader takes for which nothing comes."""
    way = Rings()
    with Ring.create(way.path, SIZE), Ring.open(way.path) as reader:
        began = time.process_time()
        with suppress(Empty):
            reader.read(timeout=seconds)
        spent = time.process_time() - began
    way.close()
    return spent / seconds


def cheapest(figures: list[float]) -> float:
    return statistics.fmean(sorted(figures)[:2])


def page(figures: Figures, idle: float) -> str:
    """All that was found, and the numbers to hold, as Markdown."""
    rows = []
    peer = max(figures[QUEUE]["rate"])
    for name, found in figures.items():
        rows.append(
            [
                name,
                show("per_s", max(found["rate"])),
                f"{max(found['rate']) / peer:.1f}",
                show("cpu_us", cheapest(found["send"])),
                show("cpu_us", cheapest(found["receive"])),
                *(
                    show("_us", min(found[gap])) if gap in found else NONE
                    for gap in ("near", "far")
                ),
                f"{max(found['missed']):,.0f}",
            ]
        )
    heads = ["64 B messages", "a second", "times Queue", "CPU µs to send", "to receive"]
    heads += ["latency, gaps of 50 µs", "of 10 ms", "missed at most"]
    single, batches = figures[SINGLE], figures[BATCHES]
    held = [
        Held("messages a second, singly", "per_s", max(single["rate"]), 300_000),
        Held("messages a second, in batches of 100", "per_s", max(batches["rate"]), 1_000_000),
        Held("times multiprocessing.Queue, singly", "times", max(single["rate"]) / peer, 5),
        Held("median latency while it looks without a pause", "_us", min(single["near"]), 50, True),
        Held("median latency after pauses", "_us", min(single["far"]), 2000, True),
    ]
    known = facts(FOLDER)
    return "\n".join(
        [
            "# How fast the ring is",
            "",
            "One process sends messages of 64 bytes, another receives them, each on a core of its own. In a "
            "row that says *of 100* so many are sent at once, and all is counted by message. What sends "
            "never waits for the ring's reader, so a reader that was too slow would have *missed* some. The "
            "latencies are medians, with such gaps between one message and the next: in the shorter ones "
            "the ring's reader looks without a pause, in the longer ones it sleeps between looks. A rate is "
            "that of the best round, a cost the mean of the two cheapest and a latency the least: what else "
            "the machine does only makes each of them worse.",
            "",
            *table(heads, rows),
            f"A reader of a ring for which nothing comes takes {idle:.1%} of a core.",
            "",
            *numbers_to_hold(held),
            "## Where this was measured",
            "",
            *(f"- {name}: {known[name]}" for name in ("processor", "kernel", "Python")),
            f"- darnerpy: {kind()}, where nothing else is said",
            "",
            f"Written by `make bench-ring` on {datetime.now(UTC):%Y-%m-%d}.",
            "",
        ]
    )


def measured(name: str, count: int) -> dict[str, float]:
    make = WAYS[name]
    way = make()
    found = rate(way, count * (5 if way.batch > 1 else 1))
    if way.batch == 1:
        found["near"] = latency(make(), 4000, 0.00002, 0.00008)
        found["far"] = latency(make(), 200, 0.005, 0.015)
    return found


def measured_by(python: Path, name: str, count: int) -> tuple[str, dict[str, float]]:
    """The same in another environment; its build, and what was found."""
    command = [str(python), "-P", __file__, "--only", name, "--count", str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    build, found = json.loads(done.stdout)
    return build, found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -P bench/ring.py", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"to docs/{PAGE.name}")
    parser.add_argument("--rounds", type=int, default=5, help="how often all is run (5)")
    parser.add_argument("--count", type=int, default=400_000, help="messages each (400 000)")
    parser.add_argument("--beside", type=Path, help="a Python whose ring is measured, too")
    parser.add_argument("--only", choices=WAYS, help="one of them, once; the figures as JSON")
    options = parser.parse_args()

    if options.only:
        print(json.dumps((kind(), measured(options.only, options.count))))
        return
    figures: Figures = defaultdict(lambda: defaultdict(list))
    for turn in range(options.rounds):
        for name in WAYS:
            print(f"{turn + 1}/{options.rounds} {name}", file=sys.stderr)
            found = {name: measured(name, options.count)}
            if options.beside and name in RINGS:
                build, other = measured_by(options.beside, name, options.count)
                found[f"{name} ({build})"] = other
            for each, values in found.items():
                for metric, value in values.items():
                    figures[each][metric].append(value)
    text = page(figures, waiting(3))
    if options.write:
        PAGE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
