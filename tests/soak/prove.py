"""Servers that are broken on purpose: a soak that does not find them out is worth nothing."""

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path

from tests.soak.rounds import Part, Setting

__all__ = ["FAULTS", "inside", "prove"]

FAULTS = {
    "answers_early": "kills",
    "no_sync": "power",
    "ignores_errors": "disks",
    "keeps_open_reads": "hostile",
    "leaks": "hostile",
    "blocks": "hostile",
    "forgets_by_name": "mixed",
}
"""What is broken (see `inside/sitecustomize.py`), and the part that must notice."""


def inside(**variables: str) -> dict[str, str]:
    """Variables that get `sitecustomize.py` into a server."""
    paths = [str(Path(__file__).parent / "inside"), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **variables}


def prove(parts: Mapping[str, Part], home: Path, chance: random.Random, seconds: float) -> int:
    """Run each broken server until it is found out; returns how many were not."""
    missed = 0
    for fault, name in FAULTS.items():
        begin = time.monotonic()
        environ = inside(SOAK_FAULT=fault)
        setting = Setting(home / fault, chance, begin + seconds, environ)
        wrong = next((each.wrong[0] for each in parts[name](setting) if each.wrong), None)
        missed += wrong is None
        verdict = f"found out by {name}: {wrong[:200]}" if wrong else f"NOT NOTICED by {name}"
        print(f"{fault}: {verdict} ({time.monotonic() - begin:.0f} s)", flush=True)
    return missed
