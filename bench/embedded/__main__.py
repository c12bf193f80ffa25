"""python -m bench.embedded [--write] [--seconds 2] [--rounds 3] [--only KIND] [--backlog 1000000]

Measures darnerpy's library, compiled and pure, and the others, each in a process and an environment of
its own, one after another in every round; --write puts the page in docs/. Needs `make bench-library`'s
environments.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import machine
from bench.embedded.page import APPEND, COMPILED, PURE, page
from bench.embedded.peers import OURS, PEERS
from bench.embedded.worker import KINDS
from bench.results import Results

HERE = Path(__file__).parent
PAGE = machine.REPOSITORY / "docs" / "benchmarks-library.md"
PYTHONS = {
    COMPILED: machine.REPOSITORY / ".venv-compiled/bin/python",
    PURE: machine.REPOSITORY / ".venv/bin/python",
}
THEIRS = machine.REPOSITORY / ".venv-peers/bin/python"


def _run(python: Path, name: str, kind: str, home: Path, amount: float) -> dict[str, float]:
    """One measurement. Raises `CalledProcessError`, or `TimeoutExpired`."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=home) as path:
        # Nothing of the folder it is started in is imported: the library is the environment's.
        command = [python, "-P", HERE / "worker.py", name, kind, path, amount]
        done = subprocess.run(
            [*machine.APART.server, *map(str, command)],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
            cwd=home,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _append(home: Path, times: int) -> dict[str, float]:
    """What no library can be faster than: a write and an fdatasync, in C."""
    program = home / "append"
    subprocess.run(["cc", "-O2", "-o", program, HERE / "append.c"], check=True)
    found = subprocess.run(
        [*machine.APART.server, program, home / "appended", "128", str(times)],
        capture_output=True,
        text=True,
        check=True,
    )
    wall, cpu = map(float, found.stdout.split())
    return {"put_per_s": times / wall, "cpu_us_put": cpu / times * 1e6}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.embedded")
    parser.add_argument("--write", action="store_true", help=f"to {PAGE.name}")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=KINDS, action="append", help="may be repeated")
    parser.add_argument("--backlog", type=int, default=10_000_000, help="items of the opening")
    arguments = parser.parse_args()
    results = Results()
    home = machine.REPOSITORY / "bench/build"
    home.mkdir(exist_ok=True)
    jobs = [(f"{name}{label}", python, name) for name in OURS for label, python in PYTHONS.items()]
    jobs += [(name, THEIRS, name) for name in PEERS]
    for turn in range(arguments.rounds):
        for kind in arguments.only or KINDS:
            if kind == "synced":
                results.add(kind, "", APPEND, _append(home, 2000), turn)
            if kind in ("zero copy", "opening"):
                amount = arguments.backlog if kind == "opening" else arguments.seconds
                chosen = [job for job in jobs if job[2] == "darnerpy, arena"]
                if turn and kind == "opening":
                    continue
            else:
                amount, chosen = arguments.seconds, jobs
            for label, python, name in chosen if turn % 2 == 0 else reversed(chosen):
                try:
                    figures = _run(python, name, kind, home, amount)
                except subprocess.CalledProcessError as error:
                    why = (error.stderr or "").strip().splitlines()[-1:]
                    results.note(f"{label}, {kind}: {why[0] if why else error.returncode}")
                    continue
                except subprocess.TimeoutExpired:
                    results.note(f"{label}, {kind}: not done in ten minutes")
                    continue
                if figures:
                    results.add(kind, "", label, figures, turn)
                    print(turn + 1, kind, label, figures, file=sys.stderr, flush=True)
    text = page(results, machine.facts(home), arguments.backlog)
    if arguments.write:
        PAGE.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
