"""Converts a queue again and again, killed at its first, second, third … change of the disk, until one run
gets through; after each, looks whether all of the queue is there.

`python -m tests.crash.convert_steps DATA WORK ENGINE` copies DATA to WORK for each run, and prints how often
the queue was found as it was before and as it should be after. Nothing is opened in this process, so that
those it forks have no threads that are not theirs.
"""

import os
import pickle
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

from darnerpy.brokers.datadir import DataDir
from darnerpy.cli.main import main
from darnerpy.journals.engines import DISK_ENGINES, engine_in
from tests.inspection.everything import everything

__all__ = ["KILLED", "in_child"]

CHANGES = ("rename", "link", "mkdir", "rmdir", "unlink", "fsync", "fdatasync", "truncate")
KILLED = -signal.SIGKILL
AGAIN = 7
"""After every so many kills it is converted once more."""


def in_child(work: Callable[[], int]) -> int:
    """Have something done by a process of its own; returns its exit code, or minus the signal it died by."""
    child = os.fork()
    if not child:
        try:
            os._exit(work())
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(number: int) -> None:
    """Have this process killed when it is about to make that change of the disk."""
    left = number

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **named: Any) -> Any:
            nonlocal left
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return call(*args, **named)

        return instead

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))


def convert(work: Path, engine: str) -> int:
    return main(["convert", "work", "--engine", engine, "--data", os.fspath(work), "--json"])


def remember(data: Path, expected: Path) -> int:
    expected.write_bytes(pickle.dumps(everything(data / "queues/work")))
    return 0


def is_whole(work: Path, expected: Path) -> int:
    with closing(DataDir(work)):  # as the next server, or command, does first
        pass
    left = [path for name in (".ready", ".trash", ".scratch") for path in (work / name).glob("*")]
    assert not left, left
    assert everything(work / "queues/work") == pickle.loads(expected.read_bytes())
    return 0


def run(data: Path, work: Path, engine: str) -> NoReturn:
    found: Counter[str] = Counter()
    expected = work.with_suffix(".expected")
    assert in_child(lambda: remember(data, expected)) == 0
    for number in count():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(data, work)

        def cut_off(number: int = number) -> int:
            kill_at(number)
            return convert(work, engine)

        code = in_child(cut_off)
        assert code in (0, KILLED), code
        assert in_child(lambda: is_whole(work, expected)) == 0, f"killed at change {number}"
        kept_by = engine_in(work / "queues/work", DISK_ENGINES.values())
        assert kept_by is not None
        found["after" if kept_by.name == engine else "before"] += 1
        if number % AGAIN and code:
            continue
        assert in_child(lambda: convert(work, engine)) == 0
        assert in_child(lambda: is_whole(work, expected)) == 0
        if code == 0:
            print(f"{number} {found['before']} {found['after']}")
            sys.exit(0)
    raise AssertionError


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
