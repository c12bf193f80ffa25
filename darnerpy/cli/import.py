"""`darnerpy import`: take over the queues that another server left on disk, or one from a file.

For a data directory that no server has open. Only reads in the source. On a terminal it shows how
far it is; at the end it reports what was taken, queue by queue, and what was not.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

from ..clock import SystemClock
from ..errors import ConfigError
from ..inspection.export import FORMATS, ExportedSource
from ..journals.engines import DEFAULT, DISK_ENGINES
from ..migration.darner import DarnerSource
from ..migration.kestrel import KestrelSource
from ..migration.report import text
from ..migration.siberite import SiberiteSource
from ..migration.source import Source
from ..migration.transfer import transfer
from .arguments import add_data_argument
from .owner import as_owner
from .progress import Bar
from .terminal import say

SOURCES: dict[str, Callable[[Path], Source]] = {
    "darner": DarnerSource,
    "kestrel": KestrelSource,
    "siberite": SiberiteSource,
    "jsonl": partial(ExportedSource, form=FORMATS["jsonl"]),
    "binary": partial(ExportedSource, form=FORMATS["binary"]),
}
_STANDARD_INPUT = Path("-")

_PARTS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="the other server's data directory, or the file that `darnerpy export` wrote; for a "
        "file - is standard input",
    )
    parser.add_argument(
        "--from",
        dest="kind",
        choices=SOURCES,
        required=True,
        help="whose directory it is, or in which format the file is",
    )
    add_data_argument(parser)
    parser.add_argument(
        "--engine",
        choices=DISK_ENGINES,
        default=DEFAULT.name,
        help=f"how the queues are to be kept on disk; default {DEFAULT.name}",
    )
    parser.add_argument("--dry-run", action="store_true", help="read and report, write nothing")
    parser.add_argument("--json", action="store_true", help="report as JSON")


def run(args: argparse.Namespace) -> int:
    _check_apart(args.source, args.data)
    with _source(args.kind, args.source) as source, as_owner(args.data), Bar("") as bar:

        def show(queue: bytes, items: int, part: float) -> None:
            bar.title = f"{text(queue)}: {items:,} items"
            bar.show(round(part * _PARTS), _PARTS)

        engine = DISK_ENGINES[args.engine]
        report = transfer(source, args.data, engine, SystemClock(), args.dry_run, show)
    if args.json:
        print(json.dumps(report.as_dict(args.dry_run), indent=2))
    else:
        say(report.as_text(args.dry_run))
    return 0 if report.is_whole else 1


@contextmanager
def _source(kind: str, path: Path) -> Iterator[Source]:
    if path != _STANDARD_INPUT:
        yield SOURCES[kind](path)
    elif kind not in FORMATS:
        raise ConfigError(
            f"SOURCE -: --from {kind} expects a directory; "
            f"only {' and '.join(FORMATS)} are read from standard input"
        )
    else:
        # It is read twice: once to see what there is.
        with NamedTemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.flush()
            yield ExportedSource(Path(spool.name), FORMATS[kind], "standard input")


def _check_apart(source: Path, data: Path) -> None:
    """Nothing is ever written in the source: the data directory may not be in it."""
    if source.is_dir() and data.resolve().is_relative_to(source.resolve()):
        raise ConfigError(f"--data {data}: a directory outside of {source} was expected")
