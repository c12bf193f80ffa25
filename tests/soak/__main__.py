"""`make soak`: the real server, mistreated for as long as you like. Exits 1 on anything wrong.

python -m tests.soak [--minutes 16] [--seed N] [PART ...]

PART is one or more of kills (kill -9 under load), power (power cuts of a disk image), disks (system
calls that fail), hostile (clients that mean harm), mixed (clients of both protocols, who break off);
all of them, one after another, if none is given. The minutes are shared among them. `prove` runs
broken servers instead: each must be found out.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.soak.disks import failures
from tests.soak.hostile import hostility
from tests.soak.kills import kills
from tests.soak.mixed import mixed
from tests.soak.power import cuts
from tests.soak.prove import FAULTS, prove
from tests.soak.rounds import Part, Setting, line

PARTS: dict[str, Part] = {
    "kills": kills,
    "power": cuts,
    "disks": failures,
    "hostile": hostility,
    "mixed": mixed,
}

MOST_LINES = 5


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--minutes", type=float, default=16, help="of all parts together")
    parser.add_argument("--seed", type=int, default=None, help="of all that is left to chance")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - {*PARTS, "prove"}:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(PARTS)}, prove")
    seed = random.randrange(1 << 30) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    parts = arguments.parts or list(PARTS)
    seconds = arguments.minutes * 60 / len(parts)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="darnerpy-soak-") as directory:
        for name in parts:
            home = Path(directory) / name
            chance = random.Random(f"{seed} {name}")
            if name == "prove":
                wrong += prove(PARTS, home, chance, seconds / len(FAULTS))
            else:
                until = time.monotonic() + seconds
                wrong += soak(name, PARTS[name], Setting(home, chance, until))
    print(f"{f'{wrong} WRONG' if wrong else 'all is well'} (seed {seed})")
    return 1 if wrong else 0


def soak(name: str, part: Part, setting: Setting) -> int:
    """Run a part to its end, and tell how it goes; returns how much was wrong."""
    total: Counter[str] = Counter()
    wrong = 0
    begin = time.monotonic()
    try:
        for number, each in enumerate(part(setting), 1):
            total.update(each.counts)
            wrong += len(each.wrong)
            print(f"{name} {number}: {line(each.counts)}{each.note}", flush=True)
            for what in each.wrong[:MOST_LINES]:
                print(f"  WRONG: {what[:1000]}", flush=True)
            if (more := len(each.wrong) - MOST_LINES) > 0:
                print(f"  and {more} more like these", flush=True)
    except pytest.skip.Exception as reason:
        print(f"{name}: skipped, {reason}")
    minutes = (time.monotonic() - begin) / 60
    print(f"{name}, {minutes:.1f} minutes: {line(total)}, {wrong} wrong", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
