"""`python -m bench.profile`: the instructions of one command, by kind and by commands a turn.

With `--against REVISION` those of that revision are counted in the same run, by its own
`bench/profile` on its own package, and the exit status is 1 if any command has grown by more than a
tenth. `--source DIR` counts the package of another checkout by the code of this one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.machine import REPOSITORY
from bench.profile import callgrind, counts
from bench.profile.callgrind import CannotCount
from bench.profile.counts import Counts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kinds", default=",".join(callgrind.KINDS))
    parser.add_argument("--batches", default=",".join(map(str, callgrind.BATCHES)))
    parser.add_argument("--commands", type=int, default=1000, help="counted in each stretch")
    parser.add_argument("--python", default=sys.executable, help="another interpreter")
    parser.add_argument("--source", type=Path, help="a checkout; default: what is installed")
    parser.add_argument("--against", metavar="REVISION", help="the parent is HEAD^")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help=f"into {counts.KEPT.name}")
    return parser.parse_args()


def unpack(repository: Path, revision: str, tree: Path) -> str | None:
    """The files of a revision; why there is nothing to compare with, if there is not."""
    git = ["git", "-C", str(repository)]
    known = subprocess.run([*git, "cat-file", "-e", f"{revision}^{{commit}}"], capture_output=True)
    if known.returncode:
        return f"{revision} is not in this clone"
    tree.mkdir()
    archive = subprocess.run([*git, "archive", revision], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    if not (tree / "bench" / "profile" / "__main__.py").exists():
        return f"{revision} has no bench/profile"
    return None


def _before(arguments: argparse.Namespace) -> Counts | None:
    """The counts of a revision by its own code; None, with the reason said, if it has none."""
    with tempfile.TemporaryDirectory(prefix="profile-") as directory:
        tree, told = Path(directory) / "tree", Path(directory) / "counts.json"
        if reason := unpack(REPOSITORY, arguments.against, tree):
            print(f"nothing to compare with: {reason}")
            return None
        options = [
            f"--{name}={getattr(arguments, name)}" for name in ("kinds", "batches", "python")
        ]
        options += [f"--commands={arguments.commands}", f"--source={tree}", f"--json={told}"]
        command = [sys.executable, "-m", "bench.profile", *options]
        done = subprocess.run(command, cwd=tree, text=True, capture_output=True)
        if done.returncode:
            raise CannotCount(f"{arguments.against}: {done.stdout}{done.stderr}")
        return Counts.from_json(told.read_text())


def main() -> int:
    arguments = _arguments()
    batches = tuple(int(batch) for batch in arguments.batches.split(","))
    wanted = callgrind.stretches(tuple(arguments.kinds.split(",")), batches)
    source = arguments.source and arguments.source.resolve()
    try:
        before = _before(arguments) if arguments.against else None
        now = callgrind.count(arguments.python, source, wanted, arguments.commands)
    except CannotCount as error:
        print(error, file=sys.stderr)
        return 2
    if before and before.about != now.about:
        print(f"{arguments.against} ran as {before.about}, this as {now.about}", file=sys.stderr)
        return 2
    print(f"{now.about}:\n")
    print("\n".join(counts.table_of(now, before)))
    if arguments.json:
        arguments.json.write_text(now.as_json())
    if arguments.write:
        counts.keep(now)
    worse = counts.grown(now, before) if before else []
    for line in worse:
        print(f"grown by more than a tenth: {line}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
