"""The entry of `darnerpy`: finds the command, runs it, and turns what it raises into an exit code.

The codes are in `codes`, once for all commands.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .. import build
from ..errors import DarnerError
from ..version import __version__
from .codes import INTERRUPTED, LEFT, NOTHING, USAGE, exit_code
from .streams import open_standard_streams
from .terminal import Parser, complain

COMMANDS = {
    "serve": "run the server",
    "push": "put items into a queue",
    "get": "take items from a queue",
    "peek": "show items and leave them there",
    "stats": "show what the server counts",
    "tap": "show what happens to items, as it happens",
    "flush": "throw away all that waits in a queue",
    "delete": "delete a queue, or a consumer",
    "consumers": "show the consumers of a queue, or delete one",
    "status": "show what the server allows, or change that",
    "reload": "have the server read its configuration again",
    "shutdown": "stop the server",
    "import": "take over the queues that another server left on disk, or one from a file",
    "backup": "have the server copy its queues; list and prune the copies",
    "export": "write a queue on disk into a file",
    "check": "tell whether the queues on disk are whole, and repair those that are not",
    "convert": "have queues on disk kept by another engine",
    "config": "check a configuration, or show where each of its values comes from",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, or raises SystemExit as argparse does."""
    open_standard_streams()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args = _parse(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.filename:
            return _complain(f"{os.fsdecode(error.filename)}: {error.strerror}", USAGE)
        # What standard output did not take, Python would try to write once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return LEFT
        return _complain(f"cannot write: {error.strerror}", NOTHING)
    except DarnerError as error:
        return _complain(str(error), exit_code(error))


def _parse(words: list[str]) -> argparse.Namespace:
    chosen = next((word for word in words if not word.startswith("-")), None)
    parser = Parser(
        prog="darnerpy",
        description="A persistent queue server, and commands to use one.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"darnerpy {__version__} ({build.description()})"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=f"{purpose.capitalize()}.", allow_abbrev=False
        )
        if name == chosen:
            module = import_module(f"darnerpy.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser.parse_args(words)


def _complain(text: str, code: int) -> int:
    complain(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
