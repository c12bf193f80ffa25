"""`darnerpy convert`: have queues of a data directory kept by another engine.

For a directory that no server has open. Cut off at any moment, each queue is as it was or as it should
be. 0: all have the engine; 1: some have not.
"""

import argparse
import json
import os
from contextlib import closing
from pathlib import Path

from ..brokers.datadir import DataDir
from ..brokers.formats import check_format
from ..clock import SystemClock
from ..config import QueueRule
from ..errors import DarnerError
from ..inspection.convert import Conversion, convert_queue
from ..journals.engines import DISK_ENGINES, name_in
from .arguments import add_data_argument, plain_queue_name
from .owner import as_owner
from .progress import Bar
from .terminal import complain, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "queues",
        type=plain_queue_name,
        nargs="+",
        metavar="QUEUE",
        help="a name, or a pattern in quotes such as 'mail-*'",
    )
    parser.add_argument(
        "--engine", choices=DISK_ENGINES, required=True, help="what is to keep them from now on"
    )
    add_data_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, one queue a line")


def run(args: argparse.Namespace) -> int:
    engine = DISK_ENGINES[args.engine]
    clock = SystemClock()
    done: list[Conversion] = []
    with as_owner(args.data):
        check_format(args.data)
        with closing(DataDir(args.data)) as data:
            directories, missing = _chosen(data, args.queues)
            for directory in directories:
                with Bar(directory.name) as bar:
                    done.append(convert_queue(data, directory, engine, clock, bar.show))
                say(json.dumps(done[-1].as_dict()) if args.json else str(done[-1]))
    for pattern in missing:
        complain(f"{args.data}: there is no queue {os.fsdecode(pattern)}")
    return 1 if missing or any(each.refused for each in done) else 0


def _chosen(data: DataDir, patterns: list[bytes]) -> tuple[list[Path], list[bytes]]:
    """The directories of the queues that are meant, and the patterns that no queue fits."""
    chosen, fitting = [], set()
    for path, known in data.found().items():
        try:
            name = known or name_in(path)
        except DarnerError as error:
            complain(f"left alone: {error}")
            continue
        fits = {each for each in patterns if name and (each == name or _fits(each, name))}
        fitting |= fits
        if fits:
            chosen.append(path)
    return chosen, [each for each in patterns if each not in fitting]


def _fits(pattern: bytes, name: bytes) -> bool:
    """By the same patterns as tables of settings have."""
    return QueueRule(pattern, {}).matches(name)
