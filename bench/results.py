"""What was measured: figures by scenario, cell and server, one set a round, and what went wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean, median


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


class Results:
    """notes: what a reader of the figures has to know. absent: servers that could not run, and why."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str, str], dict[int, dict[str, float]]] = defaultdict(dict)
        self.notes: list[str] = []
        self.absent: dict[str, str] = {}

    def add(
        self, scenario: str, cell: str, server: str, values: dict[str, float], turn: int = 0
    ) -> None:
        self._rounds[scenario, cell, server].setdefault(turn, {}).update(values)

    def note(self, text: str) -> None:
        """Something a reader of the figures has to know."""
        if text not in self.notes:
            self.notes.append(text)

    def scenarios(self) -> list[str]:
        return _unique(scenario for scenario, _, _ in self._rounds)

    def cells(self, scenario: str) -> list[str]:
        return _unique(cell for found, cell, _ in self._rounds if found == scenario)

    def servers(self, scenario: str) -> list[str]:
        return _unique(server for found, _, server in self._rounds if found == scenario)

    def metrics(self, scenario: str) -> list[str]:
        kept = [turns for key, turns in self._rounds.items() if key[0] == scenario]
        return _unique(name for turns in kept for values in turns.values() for name in values)

    def value(self, scenario: str, cell: str, server: str, metric: str) -> float | None:
        """The median over the rounds."""
        turns = self._rounds.get((scenario, cell, server), {})
        found = [values[metric] for values in turns.values() if metric in values]
        return median(found) if found else None

    def undisturbed(self, scenario: str, cell: str, server: str, metric: str) -> float | None:
        """A cost: the mean of the two cheapest rounds. What else the machine does only adds to it."""
        turns = self._rounds.get((scenario, cell, server), {})
        found = sorted(values[metric] for values in turns.values() if metric in values)
        return mean(found[:2]) if found else None

    def worst(self, scenario: str, cell: str | None, server: str, metric: str) -> float | None:
        """The highest value in any round of one cell, or of all."""
        found = [
            values[metric]
            for (kept, place, name), turns in self._rounds.items()
            if kept == scenario and name == server and cell in (None, place)
            for values in turns.values()
            if metric in values
        ]
        return max(found, default=None)

    def ratio(
        self,
        scenario: str,
        cell: str,
        server: str,
        base: str,
        base_cell: str | None = None,
        metric: str = "ops_per_s",
    ) -> float | None:
        """The median of the rounds' ratios: the machine's mood changes between rounds."""
        above = self._rounds.get((scenario, cell, server), {})
        below = self._rounds.get((scenario, base_cell or cell, base), {})
        found = [
            above[turn][metric] / below[turn][metric]
            for turn in above.keys() & below.keys()
            if metric in above[turn] and below[turn].get(metric)
        ]
        return median(found) if found else None

    def raw(self) -> list[dict[str, object]]:
        """Everything, for a JSON file."""
        return [
            {"scenario": scenario, "cell": cell, "server": server, "rounds": list(turns.values())}
            for (scenario, cell, server), turns in self._rounds.items()
        ]
