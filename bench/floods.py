"""The scenarios about throughput and latency: the same load on each server in turn, in rounds."""

from __future__ import annotations

from dataclasses import replace

from bench.context import Bench
from bench.driver import Load, Mode, Outcome
from bench.machine import EDITABLE, PROGRAM
from bench.servers import (
    BEANSTALKD,
    CANNED,
    DARNER,
    DARNERPY,
    DARNERPY_ARENA,
    DARNERPY_ARENA_SYNC,
    DARNERPY_MEMORY,
    DARNERPY_PURE,
    DARNERPY_SYNC,
    MEMCACHED,
    REDIS,
    REDIS_SYNC,
    Recipe,
    Server,
)

_PURE = [DARNERPY_PURE] if PROGRAM != EDITABLE else []  # beside a compiled one
PEERS = [DARNER, MEMCACHED, BEANSTALKD, REDIS]
ALL = [CANNED, DARNERPY, *_PURE, DARNERPY_ARENA, DARNERPY_MEMORY, *PEERS]
FLOODED = (10, 100, 1000)
MODES: tuple[Mode, ...] = ("set", "get", "pair", "closeopen")
LABELS: dict[Mode, str] = {
    "set": "set",
    "get": "get",
    "pair": "set+get pairs",
    "closeopen": "close/open",
}

SMALL = "64 B items, unsynced"
SYNCED = "64 B items, synced"
PIPELINED = "64 B items, 32 commands in flight, unsynced"
KIB = "1 KiB items, unsynced"
KIB64 = "64 KiB items, page cache warm, unsynced"
SCENARIOS = (SMALL, SYNCED, PIPELINED, KIB, KIB64)

PIPELINED_MODES: tuple[Mode, ...] = ("set", "pair")
UNPIPELINED = "set+get pairs, 10 connections, one in flight"
MANY_QUEUES = "set over 8 queues, 100 connections"
_FILL_RATE, _FILL_BYTES = 300_000, 512 << 20  # more than any server takes out in a second


def label(mode: Mode, connections: int) -> str:
    return f"{LABELS[mode]}, {connections} connection{'s' if connections > 1 else ''}"


def cells_of(modes: tuple[Mode, ...], connections: tuple[int, ...], shape: Load) -> dict[str, Load]:
    return {
        label(mode, count): replace(shape, mode=mode, connections=count)
        for mode in modes
        for count in connections
    }


def _prepare(server: Server, load: Load) -> None:
    if load.mode in ("get", "closeopen"):
        items = min(int(_FILL_RATE * (load.seconds + load.warmup)), _FILL_BYTES // load.size)
        server.fill(items if server.recipe.consumes else 1, load.size)


def measured(server: Server, load: Load) -> Outcome:
    """The load on a server that is paused before and afterwards, its queue filled as the mode needs."""
    server.resume()
    try:
        _prepare(server, load)
        outcome = server.run(load)
        server.drain(load.size, load.queues)
    finally:
        server.pause()
    return outcome


def _measure(bench: Bench, scenario: str, cell: str, server: Server, load: Load, turn: int) -> None:
    outcome = measured(server, load)
    if not bench.sound(outcome, f"{scenario}: {cell}: {server.name}"):
        return
    values = {
        "ops_per_s": outcome.ops_per_s,
        "p50_us": outcome.p50_us,
        "p99_us": outcome.p99_us,
        "p999_us": outcome.p999_us,
        "cpu_us": outcome.cpu_us,
    }
    bench.results.add(scenario, cell, server.name, values, turn)
    _suspect_the_load(bench, f"{scenario}: {cell}: {server.name}", load, outcome)


def _suspect_the_load(bench: Bench, place: str, load: Load, outcome: Outcome) -> None:
    """A ratio of rates means nothing where the server waited for the load."""
    busy = outcome.cpu_seconds / outcome.elapsed
    spent = outcome.server_cpu_seconds / outcome.seconds
    if busy > 0.95 and spent < 0.85 and load.depth * load.connections > 1:
        bench.results.note(f"{place}: the load itself was the limit here")


def _fits(recipe: Recipe, load: Load) -> bool:
    return recipe.closes or load.mode != "closeopen"


def flood(bench: Bench, scenario: str, recipes: list[Recipe], cells: dict[str, Load]) -> None:
    """Runs each cell on all servers one right after the other, so that they meet the same mood."""
    size = next(iter(cells.values())).size
    with bench.together(recipes, size) as servers:
        for turn in range(bench.settings.rounds):
            for cell, load in cells.items():
                if bench.out_of_time(scenario):
                    return
                for server in servers if turn % 2 == 0 else reversed(servers):
                    if _fits(server.recipe, load):
                        with bench.noting(f"{scenario}: {cell}: {server.name}"):
                            _measure(bench, scenario, cell, server, load, turn)


def _shape(bench: Bench) -> Load:
    return Load("pair", seconds=bench.settings.seconds, warmup=bench.settings.warmup)


def small(bench: Bench) -> None:
    shape = _shape(bench)
    cells = cells_of(("pair",), (1,), shape) | cells_of(MODES, FLOODED, shape)
    flood(bench, SMALL, ALL, cells)


def synced(bench: Bench) -> None:
    shape = _shape(bench)
    cells = cells_of(("set",), (1, 10, 100), shape) | cells_of(("pair",), (100,), shape)
    cells[MANY_QUEUES] = replace(shape, mode="set", connections=100, queues=8)
    recipes = [CANNED, DARNERPY, DARNERPY_SYNC, DARNERPY_ARENA_SYNC, REDIS_SYNC]
    flood(bench, SYNCED, recipes, cells)


def pipelined(bench: Bench) -> None:
    shape = _shape(bench)
    deep = cells_of(PIPELINED_MODES, (10,), replace(shape, depth=32))
    plain = {UNPIPELINED: shape}
    flood(bench, PIPELINED, ALL, plain | deep)


def kib(bench: Bench) -> None:
    shape = replace(_shape(bench), size=1 << 10)
    cells = cells_of(("set",), (100,), shape) | cells_of(("pair",), (10, 100), shape)
    flood(bench, KIB, [CANNED, DARNERPY, *PEERS], cells)


def kib64(bench: Bench) -> None:
    # No warm-up: half a gigabyte is all a server is given, and a fast one is soon done with it.
    size = 64 << 10
    shape = replace(_shape(bench), size=size, warmup=0, count=_FILL_BYTES // size)
    flood(bench, KIB64, [CANNED, DARNERPY, *PEERS], cells_of(("set", "get", "pair"), (10,), shape))
