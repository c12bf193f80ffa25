"""`darnerpy push`: put a file, or each of its lines, into a queue.

A whole file is sent in pieces and never held in memory. What comes through a pipe is put aside in
a temporary file first, because the protocol wants to know the size before the bytes.
"""

import argparse
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedReader
from typing import IO, NamedTuple

from ..errors import DarnerError
from .client import PIECE_BYTES, Client, Refused, add_connection_arguments, queue_name

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
        "--expire", type=int, default=0, metavar="SECONDS", help="discard it when not taken by then"
    )
    parser.add_argument("--flags", type=int, default=0, help="a 32 bit number kept with the item")
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    name = 0 if args.file == "-" else args.file
    with open(name, "rb") as source, Client(args.server) as server:
        push = _push_lines if args.lines else _push_whole
        outcome = push(server, source, args)
    if args.json:
        counts = {"stored": outcome.stored, "refused": outcome.refused}
        print(json.dumps({"queue": os.fsdecode(args.queue)} | counts))
    if outcome.failed:
        return 3
    return 1 if outcome.refused else 0


class _Outcome(NamedTuple):
    stored: int
    refused: int
    failed: bool = False  # refused for another reason than a full queue


def _push_whole(server: Client, source: BufferedReader, args: argparse.Namespace) -> _Outcome:
    with ExitStack() as stack:
        file: IO[bytes] = source
        status = os.fstat(source.fileno())
        size = status.st_size - source.tell() if stat.S_ISREG(status.st_mode) else None
        if size is None:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_BYTES))
            shutil.copyfileobj(source, file)
            size = file.tell()
            file.seek(0)
        pieces = iter(lambda: file.read(PIECE_BYTES), b"")
        try:
            stored = server.put(args.queue, pieces, size, args.flags, args.expire)
        except ValueError as error:
            raise DarnerError(f"{args.file}: {error}; nothing was stored") from None
    if not stored:
        print("darnerpy: NOT_STORED", file=sys.stderr)
    return _Outcome(int(stored), int(not stored))


def _push_lines(server: Client, source: BufferedReader, args: argparse.Namespace) -> _Outcome:
    """Push until the end, or to the end of the batch in which the server reports an error."""
    stored = refused = 0
    failed = False
    for batch in _lines(source):
        for answer in server.put_all(args.queue, batch, args.flags, args.expire):
            if answer is True:
                stored += 1
                continue
            refused += 1
            failed = failed or isinstance(answer, Refused)
            reason = answer or "NOT_STORED"
            print(f"darnerpy: line {stored + refused}: {reason}", file=sys.stderr)
        if failed:
            break
    return _Outcome(stored, refused, failed)


def _lines(source: BufferedReader) -> Iterator[list[bytes]]:
    """Yield the lines that have come so far, as soon as they have: `tail -f` may be the source."""
    begun: list[bytes] = []
    while data := source.read1(PIECE_BYTES):
        first, *others = data.split(b"\n")
        begun.append(first)
        if others:
            yield [b"".join(begun), *others[:-1]]
            begun = [others[-1]]
    if last := b"".join(begun):
        yield [last]
