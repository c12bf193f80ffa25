"""`python -m bench.run`: runs the scenarios within the time given and writes the report."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench import consumers, driver, engines, floods, footprints, machine, report
from bench.context import QUICK, Bench, Settings

REPORT = machine.REPOSITORY / "docs" / "benchmarks.md"
SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "small": floods.small,
    "synced": floods.synced,
    "pipelined": floods.pipelined,
    "backlog": footprints.backlog,
    "idle": footprints.idle,
    "beside": footprints.beside,
    "uploads": footprints.uploads,
    "queues": footprints.many_queues,
    "turns": engines.turns,
    "consumers": consumers.consumers,
    "kib": floods.kib,
    "kib64": floods.kib64,
    "sizes": engines.sizes,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="one short round, small numbers")
    parser.add_argument("--write", nargs="?", type=Path, const=REPORT, help="default %(const)s")
    parser.add_argument("--json", type=Path, help="every figure of every round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--backlog", type=int, help="items in the deepest backlog")
    parser.add_argument("--minutes", type=float, default=27, help="what does not fit is left out")
    parser.add_argument("--directory", type=Path, help="where the servers keep their data")
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = QUICK if arguments.quick else Settings()
    if arguments.rounds is not None:
        settings = replace(settings, rounds=arguments.rounds)
    if arguments.backlog is not None:
        settings = replace(settings, backlog=arguments.backlog)
    return settings


def _run(bench: Bench, names: list[str]) -> None:
    for name in names:
        if bench.out_of_time(f"scenario {name}"):
            continue
        began = time.monotonic()
        with bench.noting(f"scenario {name}"):
            SCENARIOS[name](bench)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)


def main() -> None:
    arguments = _arguments()
    names = arguments.only or list(SCENARIOS)
    driver.compile_programs()
    machine.keep_off_the_servers_core()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as directory:
        deadline = time.monotonic() + arguments.minutes * 60
        bench = Bench(_settings(arguments), Path(directory), deadline)
        facts = machine.facts(bench.directory)
        began = time.monotonic()
        _run(bench, names)
    how = f"{'quick; ' if arguments.quick else ''}rounds: {bench.settings.rounds}"
    if arguments.only:
        how += f"; only {', '.join(names)}"
    how += f"; {(time.monotonic() - began) / 60:.0f} minutes"
    if not bench.results.scenarios():
        sys.exit("\n".join(["nothing was measured", *bench.results.notes]))
    text = report.markdown(bench.results, facts, how)
    if arguments.json:
        arguments.json.write_text(json.dumps(bench.results.raw(), indent=1))
    if arguments.write:
        arguments.write.parent.mkdir(exist_ok=True)
        arguments.write.write_text(text)
        print("\n".join(report.verdicts(bench.results)))
    else:
        print(text)


if __name__ == "__main__":
    main()
