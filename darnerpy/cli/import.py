"""`darnerpy import`: take over the queues that another server left on disk, or one from a file.

For a data directory that no server has open. Only reads in the source. On a terminal it shows how
far it is; at the end it reports what was taken, queue by queue, and what was not.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..clock import SystemClock
from ..errors import ConfigError
from ..inspection.export import FORMATS, ExportedSource
from ..migration.darner import DarnerSource
from ..migration.kestrel import KestrelSource
from ..migration.report import text
from ..migration.siberite import SiberiteSource
from ..migration.source import Source
from ..migration.transfer import transfer
from .owner import as_owner

SOURCES: dict[str, Callable[[Path], Source]] = {
    "darner": DarnerSource,
    "kestrel": KestrelSource,
    "siberite": SiberiteSource,
    "jsonl": partial(ExportedSource, form=FORMATS["jsonl"]),
    "binary": partial(ExportedSource, form=FORMATS["binary"]),
}

_BAR = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=Path,
        metavar="SOURCE",
        help="the other server's data directory, or the file that `darnerpy export` wrote",
    )
    parser.add_argument("--from", dest="kind", choices=SOURCES, required=True, help="whose it is")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("DARNERPY_DATA", "data")),
        metavar="DIR",
        help="darnerpy's data directory, made if need be; no server may have it open",
    )
    parser.add_argument("--dry-run", action="store_true", help="read and report, write nothing")
    parser.add_argument("--json", action="store_true", help="report as JSON")


def run(args: argparse.Namespace) -> int:
    _check_apart(args.source, args.data)
    source = SOURCES[args.kind](args.source)
    progress = _show if sys.stderr.isatty() else _show_nothing
    with as_owner(args.data):
        report = transfer(source, args.data, SystemClock(), args.dry_run, progress)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps(report.as_dict(args.dry_run), indent=2))
    else:
        print(report.as_text(args.dry_run))
    return 0 if report.is_whole else 1


def _check_apart(source: Path, data: Path) -> None:
    """Nothing is ever written in the source: the data directory may not be in it."""
    if source.is_dir() and data.resolve().is_relative_to(source.resolve()):
        raise ConfigError(f"--data {data}: a directory outside of {source} was expected")


def _show(queue: bytes, items: int, part: float) -> None:
    done = round(part * _BAR)
    bar = "#" * done + "-" * (_BAR - done)
    print(
        f"\r\x1b[K[{bar}] {text(queue)[:40]}: {items:,} items", end="", file=sys.stderr, flush=True
    )


def _show_nothing(queue: bytes, items: int, part: float) -> None:
    pass
