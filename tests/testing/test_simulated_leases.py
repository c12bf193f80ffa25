"""Leases in the simulation: whatever fails, is killed or loses power, nobody gets what somebody has."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from darnerpy.config import QueueRule, Settings, SyncPolicy
from darnerpy.errors import DarnerError, LeaseEndedError
from darnerpy.queues import holding, leases
from darnerpy.sessions.lease_ids import LeaseIds
from darnerpy.sessions.requests.given import Given
from darnerpy.sessions.requests.leases import MAX_TTL_MS, abort, confirm, extend, lease
from darnerpy.sessions.steps import Steps
from darnerpy.testing.simulation.world import World
from tests.sessions.driver import Client as Caller

TTLS = (100, 400, 2_000, MAX_TTL_MS)


@dataclass
class Had:
    """A lease that was given. until: it is in force at least until then. unsure: its confirmation failed;
    it is in force as long as the process lives, and on disk it may have succeeded.
    """

    given: Given
    until: float
    unsure: bool = False


class Simulation:
    """One queue, and a few who lease from it; each asks one thing at a time.

    confirmed: what is gone for good, if no power cut took that back.
    """

    def __init__(self, seed: int, engine: str, keys: Path) -> None:
        self.chance = random.Random(seed)
        rules = {"sync": SyncPolicy(True), "engine": engine, "arena_size": 4096}
        settings = replace(Settings(), queue_rules=(QueueRule(b"*", rules),), min_free_disk=None)
        self.keys = keys
        self.world = World(self.chance, settings, engine)
        self.had: dict[int, Had] = {}
        self.confirmed: set[int] = set()
        self.given = self.acts = 0
        self.abandoned: list[object] = []
        self.born()

    def born(self) -> None:
        self.life = object()
        self.busy = 0
        self.world.host.lease_ids = LeaseIds(self.keys / "LEASE_KEY")

    @property
    def now(self) -> float:
        return self.world.clock.now

    def drive(self, steps: Steps[Any], then: Callable[[Any, DarnerError | None], None]) -> None:
        """Until they are over, or the process is."""
        life, clock = self.life, self.world.clock
        self.busy += 1
        self.abandoned.append(steps)  # not closed: a process that is killed does nothing any more

        def end(result: Any, error: DarnerError | None) -> None:
            self.busy -= 1
            then(result, error)

        def go_on() -> None:
            if self.life is not life:
                return
            try:
                until = next(steps)
            except StopIteration as stop:
                end(stop.value, None)
            except DarnerError as error:
                end(None, error)
            else:
                if until is None:
                    clock.call_soon(go_on)
                else:
                    until(lambda: clock.call_soon(go_on))

        go_on()

    # -- what is asked

    def act(self) -> None:
        dice, host = self.chance.random(), self.world.host
        self.acts += 1
        if dice < 0.25:
            stored = self.world.broker.create(b"work")
            if stored.ready:
                stored.queue.put(b"x", 1, 0, 0)
        elif dice < 0.6 or not self.had:
            ttl, wait, asked = self.chance.choice(TTLS), self.chance.choice((0, 50)), int(self.now)
            steps = lease(host, Caller(), b"work", b"", ttl, wait)
            self.drive(steps, lambda given, _: self.got(given, asked + ttl))
        else:
            self.end_one(self.chance.choice(sorted(self.had)))

    def got(self, given: Given | None, until: float) -> None:
        if given is None:
            return
        item_id, other = given.item.id, self.had.get(given.item.id)
        assert other is None or other.until <= self.now, f"item {item_id} is leased to two"
        assert item_id not in self.confirmed, f"item {item_id} was confirmed"
        self.given += 1
        self.had[item_id] = Had(given, until)

    def end_one(self, item_id: int) -> None:
        had, host = self.had.pop(item_id), self.world.host
        in_force, life = had.until, self.life
        how = self.chance.choice(("confirm", "abort", "extend"))

        def ended(result: Any, error: DarnerError | None) -> None:
            over = isinstance(error, LeaseEndedError)
            assert not over or in_force <= self.now, (
                f"the lease of item {item_id} has ended: {error}"
            )
            if how == "confirm" and error is None:
                self.confirmed.add(item_id)
            elif how == "extend" and error is None:
                self.had[item_id] = Had(had.given, asked + ttl)
            elif error is not None and not over and how == "confirm" and self.life is life:
                self.had[item_id] = replace(had, unsure=True)

        text, ttl, asked = had.given.lease, self.chance.choice(TTLS), int(self.now)
        steps: dict[str, Steps[Any]] = {
            "confirm": confirm(host, text),
            "abort": abort(host, text),
            "extend": extend(host, text, ttl),
        }
        self.drive(steps[how], ended)

    # -- what happens to it

    def die(self, power: bool) -> None:
        self.life = object()
        self.world.kill(power)
        self.had = {item_id: had for item_id, had in self.had.items() if not had.unsure}
        if power:
            self.confirmed.clear()
        self.world.clock.now += self.chance.choice((1, 300))
        self.world.start()
        self.born()

    def run(self, length: int, fault_rate: float) -> None:
        world, chance = self.world, self.chance
        world.disk.fault_rate = fault_rate
        for _ in range(length):
            dice = chance.random()
            if dice < 0.01:
                self.die(power=chance.random() < 0.5)
            elif dice < 0.5 and self.busy < 4:
                self.act()
            for _ in range(chance.choice((0, 1, 3, 10))):
                world.step(chance.choice((0.1, 5, 50)))
        world.disk.fault_rate = 0
        self.die(power=False)
        for item_id in list(self.had):
            self.end_one(item_id)
        assert world.settle(lambda: not self.busy), "no answer"


def simulate(seed: int, engine: str, keys: Path) -> Simulation:
    simulation = Simulation(seed, engine, keys)
    fault_rate = random.Random(-seed).choice((0, 0, 0.002, 0.02))
    simulation.run(400, fault_rate)
    return simulation


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
def test_nobody_gets_what_somebody_has(engine: str, tmp_path: Path) -> None:
    given = sum(simulate(seed, engine, tmp_path).given for seed in range(60))
    assert given > 600


def is_found(tmp_path: Path) -> bool:
    try:
        for seed in range(60):
            simulate(seed, "leveldb", tmp_path)
    except AssertionError:
        return True
    return False


def test_a_lease_that_is_not_written_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases.Leases, "told", lambda self, whole: [])
    assert is_found(tmp_path)


def test_one_that_is_not_synced_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = holding.Holding._begin_lease

    def begin_lightly(self: holding.Holding, *args: Any) -> None:
        begin(self, *args)
        assert self.batch is not None
        self.batch.lasting = False

    monkeypatch.setattr(holding.Holding, "_begin_lease", begin_lightly)
    assert is_found(tmp_path)


def test_one_that_is_not_held_again_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding.Holding, "resume_leases", lambda self, items: None)
    assert is_found(tmp_path)
