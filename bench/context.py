"""What every scenario is given: the settings, the results, fresh servers and the time left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import driver
from bench.driver import Load, Outcome
from bench.machine import APART, Placement, free_port
from bench.results import Results
from bench.servers import Recipe, Server, Weight


@dataclass(frozen=True)
class Settings:
    """How much is done."""

    rounds: int = 5
    seconds: float = 0.4
    warmup: float = 0.15
    backlog: int = 10_000_000
    idle: int = 10_000
    queues: int = 10_000
    uploads: int = 100
    upload_size: int = 64 << 20


QUICK = Settings(1, 0.5, 0.1, 100_000, 1_000, 200, 20, 8 << 20)


@dataclass
class Bench:
    settings: Settings
    directory: Path
    deadline: float
    placement: Placement = APART
    results: Results = field(default_factory=Results)
    _started: int = 0

    @contextmanager
    def running(self, recipe: Recipe, size: int = 64) -> Iterator[Server]:
        """A server in a directory of its own; afterwards both are gone."""
        directory = self.directory / f"{self._started:03}-{recipe.name.replace(' ', '-')}"
        server = Server(recipe, free_port(), directory, size, self.placement)
        self._started += 1
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(directory, ignore_errors=True)

    @contextmanager
    def together(self, recipes: list[Recipe], size: int) -> Iterator[list[Server]]:
        """All that can be run here, paused."""
        with ExitStack() as stack:
            servers = []
            for recipe in self._available(recipes):
                with self.noting(recipe.name):
                    servers.append(stack.enter_context(self.running(recipe, size)))
                    servers[-1].pause()
            yield servers

    def each(self, what: str, recipes: list[Recipe], body: Callable[[Server], None]) -> None:
        """One after the other; if one breaks off, the others still have their turn."""
        for recipe in self._available(recipes):
            place = f"{what}: {recipe.name}"
            if not self.out_of_time(place):
                with self.noting(place), self.running(recipe) as server:
                    body(server)

    @contextmanager
    def noting(self, place: str) -> Iterator[None]:
        """What breaks off is told in the report; it does not end the run."""
        try:
            yield
        except (RuntimeError, OSError, ValueError) as error:
            self.results.note(f"{place}: {error}")

    def _available(self, recipes: list[Recipe]) -> list[Recipe]:
        for recipe in recipes:
            if reason := recipe.missing():
                self.results.absent[recipe.name] = reason
                self.results.note(f"{recipe.name}: skipped, {reason}")
        return [recipe for recipe in recipes if not recipe.missing()]

    def out_of_time(self, what: str) -> bool:
        if time.monotonic() < self.deadline:
            return False
        self.results.note(f"{what}: not run or cut short, the time for the whole run was used up")
        return True

    def sound(self, outcome: Outcome, what: str, wanted: int = 1) -> bool:
        """A run with wrong or missing replies is told in the report, and its figures left out."""
        trouble = outcome.trouble
        if not trouble and outcome.ops < wanted:
            trouble = f"only {outcome.ops:,} of {wanted:,} were done in time"
        if trouble:
            self.results.note(f"{what}: {trouble}")
        return not trouble


def run_weighed(server: Server, load: Load) -> tuple[Outcome, Weight]:
    """The outcome, and the most the server held at any moment of it."""
    server.forget_highest()
    process = driver.start(server.target, load)
    peak = server.weigh()
    ended = False
    while not ended:
        ended = process.poll() is not None  # and a last look after the end
        now = server.weigh()
        peak = Weight(
            max(peak.rss, now.highest_rss),
            max(peak.highest_rss, now.highest_rss),
            max(peak.anonymous, now.anonymous),
            max(peak.descriptors, now.descriptors),
        )
        time.sleep(0.05)
    return driver.finish(process, 10), peak
