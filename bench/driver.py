"""Compiles the two C programs and runs the load, pinned, as one call that returns an outcome."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from bench.machine import Placement

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"

Mode = Literal["set", "get", "pair", "closeopen"]
Protocol = Literal["memcache", "darner", "resp", "beanstalk"]


def compile_programs() -> None:
    """Builds what is missing or older than a source."""
    BUILD.mkdir(exist_ok=True)
    newest = max(path.stat().st_mtime for path in HERE.glob("*.[ch]"))
    for name in ("load", "canned"):
        program = BUILD / name
        if not program.exists() or program.stat().st_mtime < newest:
            made = BUILD / f"{name}.{os.getpid()}"  # whoever compiles at the same time does no harm
            subprocess.run(["cc", "-O2", "-o", made, HERE / f"{name}.c"], check=True)
            made.replace(program)


@dataclass(frozen=True)
class Load:
    """What the load is asked to do. It ends after `seconds`, or after `count` commands."""

    mode: Mode
    connections: int = 10
    size: int = 64
    depth: int = 1
    seconds: float = 1.0
    warmup: float = 0.0
    count: int | None = None
    queue: str = "bench"
    queues: int = 1
    big_connections: int = 0
    big_size: int = 8 << 20

    def arguments(self) -> list[str]:
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [f"--{name.replace('_', '-')}={value}" for name, value in given if value is not None]


@dataclass(frozen=True)
class Outcome:
    """What the load saw. `ops` counts right replies only, within the measured time."""

    connections: int
    seconds: float
    ops: int
    ops_per_s: float
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    replies: int
    misses: int
    errors: int
    unanswered: int
    warmed: bool  # the warm-up was over before there was nothing left to do
    big_bytes_per_s: float
    cpu_seconds: float
    elapsed: float  # with the warm-up and the end, as `cpu_seconds`
    server_cpu_seconds: float  # within the measured time, all threads
    first_error: str

    @property
    def cpu_us(self) -> float:
        """What the server spent on one operation, user and system."""
        return self.server_cpu_seconds / self.ops * 1e6

    @property
    def trouble(self) -> str | None:
        """Why this run's figures are not to be trusted, if they are not."""
        if self.errors:
            return f"{self.errors} wrong replies or lost connections, first: {self.first_error}"
        if self.unanswered:
            return f"{self.unanswered} commands unanswered 5 s after the end"
        if not self.warmed:
            return "it ended before the warm-up was over"
        return None


@dataclass(frozen=True)
class Target:
    """The server that a load is for."""

    protocol: Protocol
    port: int
    pid: int
    placement: Placement

    def command(self, *arguments: str) -> list[str]:
        load = [str(BUILD / "load"), f"--protocol={self.protocol}", f"--port={self.port}"]
        return [*self.placement.load, *load, f"--pid={self.pid}", *arguments]


def start(target: Target, load: Load) -> subprocess.Popen[str]:
    """Starts the load and returns at once; `finish` waits for its outcome."""
    command = target.command(*load.arguments())
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )


def finish(process: subprocess.Popen[str], timeout: float) -> Outcome:
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"the load did not end within {timeout:.0f} s") from None
    if process.returncode:
        raise RuntimeError(f"the load failed: {err.strip()}")
    return Outcome(**json.loads(out))


def run(target: Target, load: Load) -> Outcome:
    return finish(start(target, load), load.seconds + load.warmup + 40)


@contextmanager
def idle_connections(target: Target, count: int) -> Iterator[int]:
    """Holds open connections that say nothing."""
    command = target.command("--mode=idle", f"--connections={count}")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            if not line:
                raise RuntimeError(f"could not open {count} connections")
            yield json.loads(line)["connections"]
        finally:
            process.stdin.close()
