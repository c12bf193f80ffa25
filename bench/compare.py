"""`python -m bench.compare PROGRAM ...`: the CPU time a command, of checkouts or programs side by side.

A PROGRAM is a checkout or a `darnerpy`, and options of `serve` after it in the same argument:

    python -m bench.compare ../before . ". --loop asyncio"

Each cell runs on all of them one right after the other, in rounds; a figure is the mean of the two
cheapest rounds, as what else the machine does only adds to it. Server and load share a core and take
turns, so that a turn of the loop has exactly as many commands as there are connections. `--apart` gives
them a core each, as `make bench` does; there a busy machine changes that number.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import driver, floods, machine
from bench.context import Bench, Settings
from bench.driver import Load
from bench.results import Results
from bench.servers import CANNED, Recipe, darnerpy
from bench.tables import table

SCENARIO = "programs"


def _command(place: Path) -> tuple[str, ...]:
    """How the darnerpy there is started: a checkout without an environment of its own uses ours."""
    if place.is_file():
        return (str(place),)
    own = place / ".venv" / "bin" / "darnerpy"
    if own.exists():
        return (str(own),)
    if not (place / "darnerpy").is_dir():
        sys.exit(f"{place}: neither a darnerpy program nor a checkout")
    here = ("env", f"PYTHONPATH={place}", "PYTHONDONTWRITEBYTECODE=1")
    return (*here, sys.executable, "-m", "darnerpy")


def _recipe(name: str, text: str, sync: str) -> Recipe:
    """Says what the program is."""
    place, *options = shlex.split(text)
    command = _command(Path(place).absolute())
    version = subprocess.run([*command, "--version"], capture_output=True, text=True)
    print(f"{name}: {version.stdout.strip() or version.stderr.strip()}", file=sys.stderr)
    return darnerpy(name, *options, sync=sync, command=command)


def _recipes(programs: list[str], sync: str) -> list[Recipe]:
    """The same may be named again, to see how much alike its figures are."""
    before: Counter[str] = Counter()
    recipes = []
    for text in programs:
        before[text] += 1
        name = text if before[text] == 1 else f"{text} ({before[text]})"
        recipes.append(_recipe(name, text, sync))
    return recipes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programs", nargs="+", metavar="PROGRAM")
    parser.add_argument("--modes", default="set,get,pair,closeopen")
    parser.add_argument("--connections", default="10,100")
    parser.add_argument("--depth", type=int, default=1, help="commands in flight on each")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--sync", default="never")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.15)
    parser.add_argument("--apart", action="store_true", help="server and load on a core each")
    parser.add_argument("--json", type=Path, help="every figure of every round")
    return parser.parse_args()


def _cells(arguments: argparse.Namespace) -> dict[str, Load]:
    shape = Load(
        "pair",
        size=arguments.size,
        depth=arguments.depth,
        seconds=arguments.seconds,
        warmup=0.05,
    )
    modes = arguments.modes.split(",")
    if unknown := set(modes) - set(floods.MODES):
        sys.exit(f"--modes: {', '.join(unknown)}: not of {', '.join(floods.MODES)}")
    connections = tuple(int(count) for count in arguments.connections.split(","))
    return floods.cells_of(tuple(modes), connections, shape)


def rows(results: Results, names: list[str]) -> Iterator[tuple[str, ...]]:
    """A cell a row; every program after canned and the first in percent of the first, too."""
    for cell in results.cells(SCENARIO):
        costs = [results.undisturbed(SCENARIO, cell, name, "cpu_us") for name in names]
        shown = ["-" if cost is None else f"{cost:.2f}" for cost in costs]
        for place, cost in enumerate(costs[2:], start=2):
            if cost and costs[1]:
                shown[place] += f" ({cost / costs[1] - 1:+.1%})"
        yield (cell, *shown)


def main() -> None:
    arguments = _arguments()
    cells = _cells(arguments)
    recipes = [CANNED, *_recipes(arguments.programs, arguments.sync)]
    driver.compile_programs()
    machine.keep_off_the_servers_core()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        settings = Settings(rounds=arguments.rounds)
        deadline = time.monotonic() + 3600
        placement = machine.APART if arguments.apart else machine.IN_TURN
        bench = Bench(settings, Path(directory), deadline, placement)
        floods.flood(bench, SCENARIO, recipes, cells)
    names = [recipe.name for recipe in recipes]
    print("CPU µs a command:\n")
    print("\n".join(table(["", *names], rows(bench.results, names))))
    for note in bench.results.notes:
        print(f"- {note}")
    if arguments.json:
        arguments.json.write_text(json.dumps(bench.results.raw(), indent=1))
    if bench.results.notes and not bench.results.cells(SCENARIO):
        sys.exit(1)


if __name__ == "__main__":
    main()
