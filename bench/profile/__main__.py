"""`python -m bench.profile`: the instructions of one command, by kind and by commands a turn.

With `--against REVISION` those of that revision are counted in the same run, by its own
`bench/profile` on its own package, and the exit status is 1 if any command has grown by more than a
tenth. `--source DIR` counts the package of another checkout by the code of this one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.machine import REPOSITORY
from bench.profile import counts
from bench.profile.counts import CannotCount, Counts

COMMITTED = REPOSITORY / "bench" / "instructions.json"
MOST = 1.1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", default=",".join(counts.KINDS))
    parser.add_argument("--batches", default=",".join(map(str, counts.BATCHES)))
    parser.add_argument("--commands", type=int, default=2000, help="counted in each stretch")
    parser.add_argument("--python", default=sys.executable, help="another interpreter")
    parser.add_argument("--source", type=Path, help="a checkout; default: what is installed")
    parser.add_argument("--against", metavar="REVISION", help="the parent is HEAD^")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help=f"into {COMMITTED.name}")
    return parser.parse_args()


def _before(revision: str, python: str, options: list[str]) -> Counts | None:
    """The counts of a revision by its own code; None, with the reason said, if it has none."""
    git = ["git", "-C", str(REPOSITORY)]
    known = subprocess.run([*git, "cat-file", "-e", f"{revision}^{{commit}}"], capture_output=True)
    if known.returncode:
        print(f"nothing to compare with: {revision} is not in this clone")
        return None
    with tempfile.TemporaryDirectory(prefix="profile-") as directory:
        tree = Path(directory) / "tree"
        tree.mkdir()
        archive = subprocess.run([*git, "archive", revision], capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
        if not (tree / "bench" / "profile" / "__main__.py").exists():
            print(f"nothing to compare with: {revision} has no bench/profile")
            return None
        told = Path(directory) / "counts.json"
        command = [sys.executable, "-m", "bench.profile", "--python", python, "--source", str(tree)]
        done = subprocess.run([*command, "--json", str(told), *options], cwd=tree, text=True, capture_output=True)
        if done.returncode:
            raise CannotCount(f"{revision}: {done.stdout}{done.stderr}")
        return Counts(**json.loads(told.read_text()))


def table(now: Counts, before: Counts | None) -> list[str]:
    """Lines of Markdown: a kind a row, commands a turn in the columns."""
    kinds = dict.fromkeys(stretch.partition(":")[0] for stretch in now.stretches)
    batches = dict.fromkeys(stretch.partition(":")[2] for stretch in now.stretches)
    lines = ["| instructions | " + " | ".join(f"{batch} a turn" for batch in batches) + " |"]
    lines.append("|---" * (1 + len(batches)) + "|")
    for kind in kinds:
        cells = []
        for batch in batches:
            value = now.stretches[f"{kind}:{batch}"]
            old = before.stretches.get(f"{kind}:{batch}") if before else None
            cells.append(f"{value:,}" + (f" ({value / old - 1:+.1%})" if old else ""))
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return lines


def grown(now: Counts, before: Counts) -> list[str]:
    """What has grown by more than a tenth, in words."""
    return [
        f"{stretch}: {before.stretches[stretch]:,} instructions before, {value:,} now"
        for stretch, value in now.stretches.items()
        if stretch in before.stretches and value > before.stretches[stretch] * MOST
    ]


def _write(now: Counts) -> None:
    kept = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {}
    kept[now.about] = now.stretches
    COMMITTED.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def main() -> int:
    arguments = _arguments()
    batches = tuple(int(batch) for batch in arguments.batches.split(","))
    wanted = counts.stretches(tuple(arguments.kinds.split(",")), batches)
    options = [f"--{name}={getattr(arguments, name)}" for name in ("kinds", "batches", "commands")]
    try:
        source = arguments.source and arguments.source.resolve()
        now = counts.count(arguments.python, source, wanted, arguments.commands)
        before = None
        if arguments.against:
            before = _before(arguments.against, arguments.python, options)
    except CannotCount as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{now.about}:\n")
    print("\n".join(table(now, before)))
    if arguments.json:
        arguments.json.write_text(json.dumps({"about": now.about, "stretches": now.stretches}))
    if arguments.write:
        _write(now)
    worse = grown(now, before) if before else []
    for line in worse:
        print(f"grown by more than a tenth: {line}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
