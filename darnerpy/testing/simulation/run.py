"""One simulated history from one seed, judged."""

import random
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from ...config import QueueRule, Settings, SyncPolicy
from ..accounting import check_accounting
from ..history import Finding, History
from ..order import check_order
from .clients import Client, Traffic
from .world import World

__all__ = ["Outcome", "simulate"]

_SYNCS = (SyncPolicy(True), SyncPolicy(False), SyncPolicy(False, 20))


class Outcome(NamedTuple):
    """counts: of commands answered, kills, power cuts, injected failures."""

    seed: int
    history: History
    findings: list[Finding]
    counts: Counter[str]


def simulate(seed: int, length: int = 400, engine: str = "leveldb") -> Outcome:
    """Run a server, a few clients and some misfortune for about so many actions, and judge it.

    engine: of all queues.
    """
    chance = random.Random(seed)
    counts: Counter[str] = Counter(histories=1)
    sync = chance.choice(_SYNCS)
    settings = replace(
        Settings(),
        queue_rules=(QueueRule(b"*", {"sync": sync, "engine": engine, "arena_size": 4096}),),
        min_free_disk=None,
        max_open_journals=chance.choice((1, 64)),
        window_memory=chance.choice((1_000, 4_000, 1 << 24)),
    )
    world = World(chance, settings, engine)
    named = chance.choice(([], ["audit"], ["audit", "log"]))
    queues = ["work", "mail"][: chance.choice((1, 2))]
    traffic = Traffic(world, chance, queues, named, discards=chance.random() < 0.2)
    traffic.history.about = f"seed {seed}"
    _found_consumers(world, traffic)
    clients = [Client(traffic) for _ in range(chance.choice((1, 2, 4)))]
    if chance.random() < 0.1:
        # Only now does a new consumer depend on its own sync: every later one makes it last as well.
        _die(world, traffic, clients, sync, counts)
    world.disk.fault_rate = chance.choice((0, 0, 0.002, 0.02))
    for _ in range(length):
        dice = chance.random()
        if dice < 0.004:
            _die(world, traffic, clients, sync, counts)
        elif dice < 0.4:
            chance.choice(clients).act()
        for _ in range(chance.choice((0, 1, 3, 10))):
            world.step(chance.choice((0.1, 5, 50)))
    world.disk.fault_rate = 0
    _die(world, traffic, clients, sync, counts)
    stuck = _drain(world, traffic)
    counts["commands"] += traffic.answers
    counts["failures"] += world.disk.faults
    findings = check_accounting(traffic.history, tolerance_ms=5)
    findings += check_order(traffic.history, tolerance_ms=5)
    if counts["power cuts"]:
        # A confirmation is written, not synced: what a power cut takes back comes again.
        repeats = ("delivered twice", "out of order")
        findings = [found for found in findings if found.what not in repeats]
    if stuck:
        findings.append(Finding("no answer", stuck))
    return Outcome(seed, traffic.history, findings, counts)


def _found_consumers(world: World, traffic: Traffic) -> None:
    client = Client(traffic)
    for queue in traffic.queues:
        for name in traffic.named:
            client.read(queue, name, "/peek")
            world.settle(lambda: not client.busy)
    world.settle(lambda: world.broker.idle)


def _die(
    world: World, traffic: Traffic, clients: list[Client], sync: SyncPolicy, counts: Counter[str]
) -> None:
    power = sync.always and traffic.chance.random() < 0.5
    traffic.event("killed")
    world.kill(power)
    counts["power cuts" if power else "kills"] += 1
    for client in clients:
        client.end()
    world.clock.now += 1
    world.start()
    traffic.event("started")
    for client in clients:
        client.connect()


def _drain(world: World, traffic: Traffic) -> str:
    """Read everything there is; returns what was not answered, "" if all was."""
    client = Client(traffic)
    for queue in traffic.queues:
        for name in ["", *traffic.named]:
            while True:
                client.drain(queue, name)
                if not world.settle(lambda: not client.busy):
                    return f"get {queue} {name}"
                if client.last is None:
                    break
            traffic.history.drained.append((queue, name))
    return ""
