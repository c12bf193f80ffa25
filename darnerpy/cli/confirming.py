"""Asking before much is thrown away or changed, once for all commands that do.

Who sits at a terminal types the name of the queue. A script is taken at its word, as it always was.
"""

import argparse
import os
import sys

from ..errors import DarnerError
from ..units import counted
from .terminal import printable

__all__ = ["add_yes_argument", "confirm", "waiting_in"]


def add_yes_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--yes", action="store_true", help="do not ask, as is done where there is a terminal"
    )


def confirm(args: argparse.Namespace, queue: bytes, what: str) -> None:
    """Return if that is to be done. what: it would do, in words. Raises `DarnerError`."""
    if args.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    name = printable(os.fsdecode(queue))
    print(f"{printable(what)}.\nType {name} to go on: ", end="", file=sys.stderr, flush=True)
    # Bytes, as the name is: they may be no text, and a blank beyond ASCII may be the last of them.
    typed = sys.stdin.buffer.readline()
    if not typed.endswith(b"\n"):
        print(file=sys.stderr)
    if printable(os.fsdecode(typed.strip())) != name:
        raise DarnerError("that is not its name: nothing is done")


def waiting_in(name: str, first: int | None) -> str:
    """These items of a queue, in words: the first so many, or all."""
    which = f"the first {counted(first, 'item')}" if first else "all items"
    return f"{which} waiting in {name}"
