"""How many instructions a command has: the counts as they are kept, shown and compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.tables import table

__all__ = ["KEPT", "Counts", "committed", "grown", "keep", "table_of"]

KEPT = Path(__file__).with_name("instructions.json")
MOST = 1.1


@dataclass(frozen=True)
class Counts:
    """about: the interpreter, and whether it ran compiled code. stretches: `set:4` is set, 4 a turn."""

    about: str
    stretches: dict[str, int]

    def as_json(self) -> str:
        return json.dumps({"about": self.about, "stretches": self.stretches}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Counts:
        return cls(**json.loads(text))


def table_of(now: Counts, before: Counts | None = None) -> list[str]:
    """A kind a row, commands a turn in the columns; with what they were before in percent."""
    kinds = dict.fromkeys(stretch.partition(":")[0] for stretch in now.stretches)
    batches = dict.fromkeys(stretch.partition(":")[2] for stretch in now.stretches)
    rows = []
    for kind in kinds:
        cells = []
        for batch in batches:
            value = now.stretches[f"{kind}:{batch}"]
            old = before.stretches.get(f"{kind}:{batch}") if before else None
            cells.append(f"{value:,}" + (f" ({value / old - 1:+.1%})" if old else ""))
        rows.append((kind, *cells))
    return table(["instructions", *(f"{batch} a turn" for batch in batches)], rows)


def grown(now: Counts, before: Counts) -> list[str]:
    """What has grown by more than a tenth, in words."""
    return [
        f"{stretch}: {before.stretches[stretch]:,} instructions before, {value:,} now"
        for stretch, value in now.stretches.items()
        if stretch in before.stretches and value > before.stretches[stretch] * MOST
    ]


def committed() -> list[Counts]:
    """Those of every interpreter they were last counted on."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return [Counts(about, stretches) for about, stretches in kept.items()]


def keep(now: Counts) -> None:
    kept = {counts.about: counts.stretches for counts in committed()} | {now.about: now.stretches}
    KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
