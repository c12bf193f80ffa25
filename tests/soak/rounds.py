"""What the parts of the soak have in common: a round of one, and how it went."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

__all__ = ["Part", "Round", "Setting", "line"]


@dataclass
class Round:
    """counts: what was done, to be added up. wrong: what must not be. note: what else is worth a word."""

    counts: Counter[str]
    wrong: list[str] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Setting:
    """Where and how a part runs.

    home: a directory of its own. until: when to end (monotonic). environ: variables for the servers.
    """

    home: Path
    chance: Random
    until: float
    environ: Mapping[str, str] = field(default_factory=dict)


Part = Callable[[Setting], Iterator[Round]]


def line(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())
