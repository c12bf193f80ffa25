"""The scenarios about engines: what each costs by the size of items, and with many queues in turn."""

from __future__ import annotations

from dataclasses import replace

from bench.context import Bench
from bench.driver import Load
from bench.floods import flood
from bench.servers import (
    CANNED,
    DARNERPY,
    DARNERPY_ARENA,
    DARNERPY_ARENA_SYNC,
    DARNERPY_SYNC,
    REDIS,
    REDIS_SYNC,
    Server,
)

SIZES = "By the size of items, unsynced"
SIZES_SYNCED = "By the size of items, synced"
FLOODS = (SIZES, SIZES_SYNCED)
TURNS = "Queues in turn"
SCENARIOS = (*FLOODS, TURNS)

_SIZES = {"64 B": 64, "1 KiB": 1 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20, "8 MiB": 8 << 20}
_MOST_BYTES = 512 << 20
_FEW = 60


def sizes(bench: Bench) -> None:
    for scenario, recipes in (
        (SIZES, [CANNED, DARNERPY, DARNERPY_ARENA, REDIS]),
        (SIZES_SYNCED, [CANNED, DARNERPY_SYNC, DARNERPY_ARENA_SYNC, REDIS_SYNC]),
    ):
        for name, size in _SIZES.items():
            load = Load(
                "pair", size=size, seconds=bench.settings.seconds, count=_MOST_BYTES // size
            )
            if size < 64 << 10:
                load = replace(load, warmup=bench.settings.warmup)
            flood(bench, scenario, recipes, {f"set+get pairs of {name}, 10 connections": load})


def cell_of(queues: int) -> str:
    return f"sets to {queues:,} queues, 100 connections"


def turns(bench: Bench) -> None:
    def body(server: Server) -> None:
        for count in (min(_FEW, bench.settings.queues), bench.settings.queues):
            server.run(Load("set", count=count, queues=count, seconds=90))
            for turn in range(bench.settings.rounds):
                load = Load("set", connections=100, queues=count, seconds=bench.settings.seconds)
                outcome = server.run(load)
                if bench.sound(outcome, f"{TURNS}: {cell_of(count)}: {server.name}"):
                    values = {"ops_per_s": outcome.ops_per_s, "cpu_us": outcome.cpu_us}
                    bench.results.add(TURNS, cell_of(count), server.name, values, turn)

    bench.each(TURNS, [DARNERPY, DARNERPY_ARENA], body)
