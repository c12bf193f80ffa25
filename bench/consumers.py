"""What named consumers cost: a put to a queue that has ten, and the memory for a hundred."""

from __future__ import annotations

import socket
from dataclasses import replace

from bench.context import Bench, run_weighed
from bench.driver import Load
from bench.footprints import held
from bench.servers import DARNERPY, Server

CONSUMERS = "Named consumers"
SCENARIOS = (CONSUMERS,)

ONE, TEN = "sets to a queue with 1 consumer", "sets to a queue with 10 consumers"
DEEP_ONE, DEEP_TEN = f"{ONE}, 32 deep", f"{TEN}, 32 deep"
HUNDRED = 100


def _found(server: Server, queue: str, count: int) -> None:
    """So many consumers, the queue's own counted."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as wire:
        for number in range(1, count):
            wire.sendall(b"get %b+c%d\r\n" % (queue.encode(), number))
            _expect(wire, b"END\r\n")


def _expect(wire: socket.socket, start: bytes) -> None:
    answer = wire.recv(1000)
    if not answer.startswith(start):
        raise RuntimeError(f"answered {answer!r}, {start!r} was expected")


def consumers(bench: Bench) -> None:
    settings, results = bench.settings, bench.results

    def body(server: Server) -> None:
        _found(server, "ten", 10)
        shape = Load("set", connections=10, seconds=settings.seconds, warmup=settings.warmup)
        for turn in range(settings.rounds):
            for depth, cells in ((1, (ONE, TEN)), (32, (DEEP_ONE, DEEP_TEN))):
                for queue, cell in zip(("one", "ten"), cells, strict=True):
                    outcome, peak = run_weighed(server, replace(shape, depth=depth, queue=queue))
                    if bench.sound(outcome, f"{CONSUMERS}: {cell}"):
                        values = {"ops_per_s": outcome.ops_per_s} | held(peak)
                        results.add(CONSUMERS, cell, server.name, values, turn)
        items = min(1_000_000, settings.backlog)
        fill = Load("set", connections=20, depth=32, count=items, seconds=120)
        for queue, count in (("alone", 1), ("shared", HUNDRED + 1)):
            _found(server, queue, count)
            outcome, _ = run_weighed(server, replace(fill, queue=queue))
            cell = f"{items:,} items, {count} consumers"
            if bench.sound(outcome, f"{CONSUMERS}: {cell}", items):
                values = {"ops_per_s": outcome.ops_per_s} | held(server.weigh())
                results.add(CONSUMERS, cell, server.name, values)
        with socket.create_connection(("127.0.0.1", server.port), 10) as wire:
            for number in range(1, HUNDRED + 1):  # each begins to read: it is in memory now
                wire.sendall(b"get shared+c%d\r\n" % number)
                _expect(wire, b"VALUE")
        cell = f"{items:,} items, {HUNDRED + 1} consumers, all reading"
        results.add(CONSUMERS, cell, server.name, held(server.weigh()))

    bench.each(CONSUMERS, [DARNERPY], body)
