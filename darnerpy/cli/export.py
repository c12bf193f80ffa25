"""`darnerpy export`: write a queue of a data directory into a file, from which `import` makes it again.

For a directory that no server has open; changes nothing there. 1: something of the queue is damaged and
not in the file.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..brokers.datadir import DataDir
from ..clock import SystemClock
from ..errors import DarnerError
from ..inspection.export import FORMATS, export
from ..inspection.findings import QueueCheck
from ..inspection.offline import open_queue
from ..journals.durable import sync_directory
from ..units import counted
from .arguments import add_data_argument, plain_queue_name
from .owner import as_owner
from .progress import Bar
from .terminal import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=plain_queue_name, metavar="QUEUE")
    add_data_argument(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="jsonl",
        help="JSON lines, for people and programs, or binary, which is smaller; default jsonl",
    )


def run(args: argparse.Namespace) -> int:
    # What is written is of whoever asked for it, so it is opened first.
    with (
        _output(args.output) as file,
        as_owner(args.data),
        closing(DataDir(args.data, as_it_is=True)) as data,
    ):
        directory = data.directory(args.queue)
        if not directory.exists():
            raise DarnerError(f"{data.path}: there is no queue {os.fsdecode(args.queue)}")
        check = QueueCheck(directory.name, args.queue)
        with open_queue(directory) as queue, Bar(directory.name) as bar:
            end = export(queue, check, FORMATS[args.format], file, SystemClock(), bar.show)
    written = f"{counted(end.items, 'item')}, {counted(end.bytes, 'byte')}"
    if check.is_clean:
        print(written, file=sys.stderr)
        return 0
    print("\n".join(map(printable, check.lines())), file=sys.stderr)
    print(f"{written} were written; what is damaged is not among them", file=sys.stderr)
    return 1


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """A file that is there, and on disk, only when all of it is."""
    if path is None:
        yield sys.stdout.buffer
        return
    draft = Path(f"{path}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_directory(path.parent)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError) and error.filename in (draft, str(draft)):
            error.filename = str(path)  # nobody knows of the other one
        raise
