"""`darnerpy check`: whether the queues of a data directory are whole, and making them so.

For a directory that no server has open. Without --repair it changes nothing there. 0: all is whole;
1: something is not, or was not before the repair.
"""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..brokers.datadir import DataDir
from ..clock import SystemClock
from ..config import SYNC, SyncPolicy
from ..errors import DarnerError
from ..inspection.check import check_queue
from ..inspection.findings import QueueCheck
from ..inspection.repair import Repair
from .arguments import data_directory, plain_queue_name
from .owner import as_owner
from .progress import Bar
from .terminal import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        type=Path,
        nargs="?",
        default=data_directory(),
        metavar="DIR",
        help="the data directory; no server may have it open",
    )
    parser.add_argument(
        "queues", type=plain_queue_name, nargs="*", metavar="QUEUE", help="only these; default all"
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="rewrite queues that are damaged, after a copy of each to DIR/repair-TIME",
    )
    parser.add_argument(
        "--sync",
        type=_sync,
        default=os.environ.get("DARNERPY_SYNC") or "always",
        metavar="POLICY",
        help="the server's sync policy, which decides what it serves behind a gap; default "
        "DARNERPY_SYNC, then always",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one queue a line")


def _sync(text: str) -> SyncPolicy:
    try:
        return SYNC.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{SYNC.expected} was expected, not {text!r}") from None


def run(args: argparse.Namespace) -> int:
    with as_owner(args.data):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    clean = True
    with closing(DataDir(args.data, as_it_is=True)) as data:
        directories = list(_directories(data, args.queues))
        checks = (_check(directory, args.sync.always) for directory in directories)
        if not args.repair:
            for check in checks:
                _print(check, args.json)
                clean = clean and check.is_clean
            return 0 if clean else 1
        damaged = []
        for check in checks:
            if check.is_clean:
                _print(check, args.json)
            else:
                damaged.append(check)
    if damaged:
        _repair(args.data, damaged, args.json)
    return 1 if damaged else 0


def _directories(data: DataDir, queues: list[bytes]) -> Iterator[Path]:
    if not queues:
        yield from data.found()
    for queue in queues:
        directory = data.directory(queue)
        if not directory.exists():
            raise DarnerError(f"{data.path}: there is no queue {os.fsdecode(queue)}")
        yield directory


def _check(directory: Path, synced: bool) -> QueueCheck:
    with Bar(directory.name) as bar:
        return check_queue(directory, bar.show, synced)


def _repair(path: Path, damaged: list[QueueCheck], as_json: bool) -> None:
    with closing(DataDir(path)) as data:
        repair = Repair(data, SystemClock())
        for check in damaged:
            with Bar(f"repair {check.directory}") as bar:
                repair.mend(data.queues / check.directory, check, bar.show)
            _print(check, as_json)


def _print(check: QueueCheck, as_json: bool) -> None:
    say(json.dumps(check.as_dict()) if as_json else "\n".join(check.lines()))
