"""The scenarios about what a server holds and how soon it is back: memory, descriptors, restart."""

from __future__ import annotations

import resource
import shutil
import time
from dataclasses import replace

from bench.context import Bench, run_weighed
from bench.driver import Load, idle_connections
from bench.servers import (
    BEANSTALKD,
    DARNERPY,
    MEMCACHED,
    REDIS,
    Server,
    Weight,
)

BACKLOG = "Backlog of 64 B items"
IDLE = "Connections opened and never used"
BESIDE = "Small items beside 8 MiB ones"
UPLOADS = "Large uploads at once"
QUEUES = "Many queues"
SCENARIOS = (BACKLOG, IDLE, BESIDE, UPLOADS, QUEUES)

ALONE, WITH_BIG = "10 connections alone", "beside 2 connections with 8 MiB items"
PUT, TAKEN = "one item put in each", "and taken out again"
_PEER_BACKLOG = 1_000_000  # Redis and beanstalkd hold it in memory


def held(weight: Weight) -> dict[str, float]:
    """What a process holds, as figures of a report."""
    return {
        "rss_bytes": weight.rss,
        "anonymous_bytes": weight.anonymous,
        "descriptors": weight.descriptors,
    }


def _restart(bench: Bench, server: Server) -> float:
    """Seconds from the start after a kill -9 until an item of the backlog can be had."""
    server.kill()
    began = time.monotonic()
    server.start()
    while server.recipe is DARNERPY and not server.ask(b"get bench/peek\r\n").startswith(b"VALUE"):
        if time.monotonic() - began > 30:
            bench.results.note(f"{BACKLOG}: {server.name} served no item 30 s after its restart")
            break
        time.sleep(0.002)
    return time.monotonic() - began


def _timed(server: Server, question: bytes, start: bytes) -> float:
    began = time.monotonic()
    answer = server.ask(question, 30)
    took = (time.monotonic() - began) * 1000
    if not answer.startswith(start):
        raise RuntimeError(f"{question!r} was answered with {answer[:100]!r}")
    return took


def _level(bench: Bench, server: Server, level: int, before: int) -> None:
    cell = f"{level:,} items"
    settings, results = bench.settings, bench.results
    shape = Load("pair", connections=100, seconds=settings.seconds, warmup=settings.warmup)
    queues = [("bench", "ops_per_s")]
    if server.recipe is DARNERPY:
        queues.insert(0, ("empty", "empty_ops_per_s"))  # the same process, the same minute
    if level > before:
        wanted = level - before
        fill = Load("set", connections=20, depth=32, count=wanted, seconds=120)
        outcome, peak = run_weighed(server, fill)
        if not bench.sound(outcome, f"{BACKLOG}: filling {server.name} to {cell}", wanted):
            raise RuntimeError("given up")
        results.add(BACKLOG, cell, server.name, {"fill_per_s": outcome.ops_per_s} | held(peak))
    for turn in range(settings.rounds):
        for queue, metric in queues:
            outcome, peak = run_weighed(server, replace(shape, queue=queue))
            if not bench.sound(outcome, f"{BACKLOG}: {cell}: {server.name}"):
                continue
            values = {metric: outcome.ops_per_s} | held(peak)
            if queue == "bench":
                values["p99_us"] = outcome.p99_us
            results.add(BACKLOG, cell, server.name, values, turn + 1)
    if level:
        values = {"restart_s": _restart(bench, server)} | held(server.weigh())
        if server.recipe is DARNERPY:
            values["peek_ms"] = _timed(server, b"get bench/peek\r\n", b"VALUE")
        results.add(BACKLOG, cell, server.name, values, settings.rounds + 1)


def backlog(bench: Bench) -> None:
    most = bench.settings.backlog

    def body(server: Server) -> None:
        ours = server.recipe is DARNERPY
        levels = {0, min(_PEER_BACKLOG, most)}
        if ours:
            levels |= {min(10_000, most), most}
        reached = 0
        for level in sorted(levels):
            if bench.out_of_time(f"{BACKLOG}: {server.name}"):
                return
            _level(bench, server, level, reached)
            reached = level
        if ours:
            took = {"flush_ms": _timed(server, b"flush bench\r\n", b"END")}
            bench.results.add(BACKLOG, f"{reached:,} items", server.name, took)

    bench.each(BACKLOG, [DARNERPY, REDIS, BEANSTALKD], body)


def idle(bench: Bench) -> None:
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    count = min(bench.settings.idle, room)
    if count < bench.settings.idle:
        bench.results.note(f"{IDLE}: only {count:,}, the limit on open files allows no more")

    def body(server: Server) -> None:
        fresh = server.weigh()
        with idle_connections(server.target, count):
            until = time.monotonic() + 20
            while server.weigh().descriptors < count:
                if time.monotonic() > until:
                    raise RuntimeError("did not accept all of them")
                time.sleep(0.05)
            time.sleep(0.5)
            values = {"fresh_bytes": float(fresh.rss)} | held(server.weigh())
            bench.results.add(IDLE, f"{count:,} connections", server.name, values)

    bench.each(IDLE, [DARNERPY, MEMCACHED, BEANSTALKD, REDIS], body)


def beside(bench: Bench) -> None:
    seconds = max(2.0, bench.settings.seconds)

    def body(server: Server) -> None:
        for cell, big in ((ALONE, 0), (WITH_BIG, 2)):
            for turn in range(bench.settings.rounds):
                load = Load("pair", seconds=seconds, warmup=0.2, big_connections=big)
                outcome, peak = run_weighed(server, load)
                if not bench.sound(outcome, f"{BESIDE}: {cell}: {server.name}"):
                    continue
                values = {
                    "ops_per_s": outcome.ops_per_s,
                    "p99_us": outcome.p99_us,
                    "p999_us": outcome.p999_us,
                    "max_us": outcome.max_us,
                    "big_bytes_per_s": outcome.big_bytes_per_s,
                }
                bench.results.add(BESIDE, cell, server.name, values | held(peak), turn)

    bench.each(BESIDE, [DARNERPY, REDIS], body)


def uploads(bench: Bench) -> None:
    count, size = bench.settings.uploads, bench.settings.upload_size
    cell = f"{count} uploads of {size >> 20} MiB"
    if shutil.disk_usage(bench.directory).free < 2 * count * size:
        bench.results.note(f"{UPLOADS}: skipped, too little room on the disk")
        return

    def body(server: Server) -> None:
        load = Load("set", connections=count, size=size, count=count, seconds=90)
        outcome, peak = run_weighed(server, load)
        if bench.sound(outcome, f"{UPLOADS}: {cell}: {server.name}", count):
            values = {"bytes_per_s": outcome.ops_per_s * size} | held(peak)
            bench.results.add(UPLOADS, cell, server.name, values)

    bench.each(UPLOADS, [DARNERPY], body)


def many_queues(bench: Bench) -> None:
    count = bench.settings.queues

    def body(server: Server) -> None:
        for cell, load in (
            (f"{count:,} queues: {PUT}", Load("set", count=count, queues=count, seconds=90)),
            (f"{count:,} queues: {TAKEN}", Load("get", count=count, queues=count, seconds=90)),
        ):
            outcome, peak = run_weighed(server, load)
            if bench.sound(outcome, f"{QUEUES}: {cell}: {server.name}", count):
                values = {"ops_per_s": outcome.ops_per_s} | held(peak)
                bench.results.add(QUEUES, cell, server.name, values)

    bench.each(QUEUES, [DARNERPY], body)
