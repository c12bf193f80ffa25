"""Hostile and unlucky clients beside a good one: what they cost in memory, descriptors and patience.

A cycle is quiet for a while, then under attack, then quiet again. What the server keeps when they are
gone must be the same after every cycle, and the good client must hardly notice.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median, quantiles

from tests.hostile.attacks import KINDS, attack
from tests.servers import ServerProcess, Wire, half_uploads, wait_until
from tests.soak.prove import inside
from tests.soak.rounds import Round, Setting

__all__ = ["hostility"]

QUIET_S, ATTACK_S = 3.0, 10.0
PACE_S = 0.004
MIB = 1 << 20
ALLOWED_MIB, ALLOWED_RATIO = 16, 3.0
LEAST_S = 0.0005
"""A p99 below it is a matter of which processor was asleep, not of the server."""
WARM_CYCLES = 2
"""What the first cycles leave behind is what Python keeps for later."""


@dataclass(frozen=True)
class Kept:
    """What the server has when nobody but the good client is there. objects: ours, by kind."""

    memory: int
    descriptors: int
    threads: int
    objects: Counter[str]


def hostility(setting: Setting) -> Iterator[Round]:
    setting.home.mkdir(parents=True)
    gauge = setting.home / "gauge"
    variables = dict(setting.environ)
    environ = inside(**{**variables, "SOAK_GAUGE": str(gauge)})
    server = ServerProcess(
        setting.home, environ=environ, sync="never", receive_timeout="2s", send_timeout="3s"
    )
    spawn = get_context("spawn")
    try:
        server.start()
        with server.connect() as wire, ProcessPoolExecutor(1, spawn) as pool:
            wire.put("big", b"x" * 100_000)
            pool.submit(time.sleep, 0).result()
            first: Kept | None = None
            ratios: list[float] = []
            number = 0
            while time.monotonic() < setting.until:
                number += 1
                result = Round(Counter(cycles=1))
                quiet = _latencies(wire, QUIET_S)
                seed = setting.chance.randrange(1 << 30)
                address = (server.host, server.port)
                attacking = pool.submit(attack, address, list(KINDS), ATTACK_S, seed)
                beside = _latencies(wire, ATTACK_S)
                result.counts += attacking.result()
                ratios.append(beside / max(quiet, LEAST_S))
                result.wrong += _settle(server, wire)
                kept = _look(server, wire, gauge)
                result.note = (
                    f"; p99 {quiet * 1e3:.2f} ms quiet, {beside * 1e3:.2f} beside them"
                    f" ({ratios[-1]:.1f} times); {kept.memory / MIB:.1f} MiB,"
                    f" {kept.descriptors} descriptors, {kept.threads} threads,"
                    f" {kept.objects['Task']} tasks, {sum(kept.objects.values())} objects"
                )
                if number == WARM_CYCLES:
                    first = kept
                if first is not None:
                    result.wrong += _compare(first, kept)
                if number > WARM_CYCLES and median(ratios) > ALLOWED_RATIO:
                    result.wrong.append(f"p99 is {median(ratios):.1f} times what it is when quiet")
                result.wrong += [f"log: {line}" for line in server.complaints()]
                yield result
    except (AssertionError, OSError) as error:
        yield Round(Counter(), [f"{type(error).__name__}: {error}"])
    finally:
        server.kill()


def _latencies(wire: Wire, seconds: float) -> float:
    """The 99th percentile, in seconds, of what a good client waits for an answer."""
    taken: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for request in (b"set good 0 0 64\r\n" + b"x" * 64 + b"\r\n", b"get good\r\n"):
            begin = time.perf_counter()
            reply = wire.ask(request)
            taken.append(time.perf_counter() - begin)
            assert reply.startswith((b"STORED", b"VALUE")), reply
        time.sleep(PACE_S)
    return quantiles(taken, n=100)[98]


def _settle(server: ServerProcess, wire: Wire) -> Iterator[str]:
    """All are gone: so must be what they began and held."""
    checks = {
        "connections": lambda: wire.stats()["curr_connections"] == "1",
        "half uploads": lambda: not half_uploads(server.data),
        "waiters": lambda: not _sum(wire, "_waiters"),
        "open reads": lambda: not _sum(wire, "_open_transactions"),
    }
    for what, gone in checks.items():
        try:
            wait_until(gone, timeout=5)
        except AssertionError:
            yield f"{what} stay when the clients have gone"
    for queue in ("hostile", "slow", "uploads", "q"):
        wire.ask(b"delete %b\r\n" % queue.encode())


def _sum(wire: Wire, ending: str) -> int:
    return sum(int(value) for name, value in wire.stats().items() if name.endswith(ending))


def _look(server: ServerProcess, wire: Wire, gauge: Path) -> Kept:
    gauge.unlink(missing_ok=True)
    server.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: wire.ask(b"version\r\n") and gauge.exists())
    return Kept(
        server.memory(),
        len(os.listdir(f"/proc/{server.pid}/fd")),
        len(os.listdir(f"/proc/{server.pid}/task")),
        Counter(json.loads(gauge.read_text())),
    )


def _compare(first: Kept, now: Kept) -> Iterator[str]:
    if now.memory > first.memory + ALLOWED_MIB * MIB:
        yield f"memory grew from {first.memory / MIB:.1f} to {now.memory / MIB:.1f} MiB"
    if now.descriptors > first.descriptors + 6:
        yield f"descriptors grew from {first.descriptors} to {now.descriptors}"
    if now.threads > first.threads + 1:  # LevelDB starts its one thread when it first compacts
        yield f"threads grew from {first.threads} to {now.threads}"
    for kind, count in now.objects.items():
        if count > 2 * first.objects[kind] + 20:
            yield f"objects of {kind} grew from {first.objects[kind]} to {count}"
