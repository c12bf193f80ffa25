"""`darnerpy push`: put a file, or each of its lines, into a queue.

A whole file is sent in pieces and never held in memory. What comes through a pipe is put aside in
a temporary file first, because the protocol wants to know the size before the bytes.
"""

import argparse
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from typing import IO

from ..clock import SystemClock
from ..errors import DarnerError
from .arguments import add_connection_arguments, duration, number, queue_name
from .client import MAX_BATCH, PIECE_BYTES, Client, Refused
from .progress import Bar, following
from .request import exptime
from .terminal import complain

_SPOOL_BYTES = 8 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="what to push; -, the default: stdin"
    )
    parser.add_argument(
        "--lines", action="store_true", help="each line is an item, without its line end"
    )
    parser.add_argument(
        "--expire",
        type=duration(least_ms=1),
        metavar="DURATION",
        help="discard it when not taken within this time, such as 10s or 60d; in whole seconds, "
        "what is begun counts",
    )
    parser.add_argument(
        "--flags",
        type=number(0, 2**32 - 1),
        default=0,
        metavar="NUMBER",
        help="a number of 32 bits that is kept with the item",
    )
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    name = 0 if args.file == "-" else args.file
    outcome = _Outcome()
    with open(name, "rb") as source, Client(args.server, args.timeout) as server:
        if source.isatty():
            complain("what is typed is pushed, until Ctrl-D at the beginning of a line")
        push = _push_lines if args.lines else _push_whole
        try:
            push(server, source, args, outcome)
        finally:
            if args.json:
                counts = {"stored": outcome.stored, "refused": outcome.refused}
                print(json.dumps({"queue": os.fsdecode(args.queue)} | counts), flush=True)
            elif args.lines:
                complain(f"{outcome.stored} stored")
    if outcome.failed:
        return 3
    return 1 if outcome.refused else 0


@dataclass
class _Outcome:
    """Of the items so far. failed: one was refused for another reason than a full queue."""

    stored: int = 0
    refused: int = 0
    failed: bool = False


def _push_whole(
    server: Client, source: BufferedReader, args: argparse.Namespace, outcome: _Outcome
) -> None:
    with ExitStack() as stack:
        file: IO[bytes] = source
        status = os.fstat(source.fileno())
        size = status.st_size - source.tell() if stat.S_ISREG(status.st_mode) else None
        if size is None:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_BYTES))
            # Not `read`, which at a terminal goes on after the end that was typed.
            for piece in iter(lambda: source.read1(PIECE_BYTES), b""):
                file.write(piece)
            size = file.tell()
            file.seek(0)
        pieces = iter(lambda: file.read(PIECE_BYTES), b"")
        with Bar(args.file) as bar:
            try:
                sent = following(pieces, bar, size)
                stored = server.put(args.queue, sent, size, args.flags, _exptime(args))
            except ValueError as error:
                raise DarnerError(f"{args.file}: {error}; nothing was stored") from None
    outcome.stored += stored
    outcome.refused += not stored
    if not stored:
        complain("NOT_STORED: the queue is full")


def _push_lines(
    server: Client, source: BufferedReader, args: argparse.Namespace, outcome: _Outcome
) -> None:
    """Push until the end, or to the end of the batch in which a line is not stored."""
    with Bar(args.file) as bar:
        complaint = _push_batches(server, source, args, outcome, bar)
    if complaint:
        complain(complaint)


def _push_batches(
    server: Client,
    source: BufferedReader,
    args: argparse.Namespace,
    outcome: _Outcome,
    bar: Bar,
) -> str:
    """Returns which line was not stored, and why."""
    status = os.fstat(source.fileno())
    for batch in _lines(source):
        first: bool | Refused = True
        behind = 0
        for answer in server.put_all(args.queue, batch, args.flags, _exptime(args)):
            if answer is True:
                outcome.stored += 1
                behind += first is not True
                continue
            outcome.refused += 1
            outcome.failed = outcome.failed or isinstance(answer, Refused)
            if first is True:
                first, line = answer, outcome.stored + 1
        if first is not True:
            also = f"; {behind} of those behind it are stored" if behind else ""
            return f"line {line}: {first or 'NOT_STORED: the queue is full'}{also}"
        if stat.S_ISREG(status.st_mode):
            bar.show(source.tell(), status.st_size)
        else:
            bar.count(outcome.stored, "items")
    return ""


def _exptime(args: argparse.Namespace) -> int:
    return exptime(args.expire, SystemClock().now_ms())


def _lines(source: BufferedReader) -> Iterator[list[bytes]]:
    """Yield the lines that have come so far, as soon as they have: `tail -f` may be the source.

    Not more than `MAX_BATCH` at once.
    """
    begun: list[bytes] = []
    while data := source.read1(PIECE_BYTES):
        first, *others = data.split(b"\n")
        begun.append(first)
        if others:
            whole = [b"".join(begun), *others[:-1]]
            begun = [others[-1]]
            for start in range(0, len(whole), MAX_BATCH):
                yield whole[start : start + MAX_BATCH]
    if last := b"".join(begun):
        yield [last]
