"""Which commands there are, and the parser of their command lines.

A command's arguments are declared in its own file, and read from there by whoever needs them: `main` those
of the one that runs, `completion` and the manual those of all.
"""

from collections.abc import Iterable
from importlib import import_module

from .. import build
from ..nearest import nearest
from ..version import __version__
from .terminal import CommandParser, Parser

__all__ = ["COMMANDS", "parser_of", "refuse_unknown"]

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
    "tail": "follow a queue without taking anything",
    "lease": "take an item that comes back unless it is confirmed",
    "queues": "list the queues",
    "purge": "throw away the first items of a queue, old ones, or all",
    "move": "move what waits in a queue to another",
    "redrive": "move dead letters back to where they came from",
    "pause": "have a queue refuse puts, give nothing away, or both",
    "resume": "end a pause",
    "settings": "show the settings of a queue, or change them until the next reload",
    "top": "watch all queues in a live table",
    "completion": "print what has a shell complete these commands",
}


def parser_of(
    listed: Iterable[str], declared: bool = True
) -> tuple[Parser, dict[str, CommandParser]]:
    """The parser of these commands, and by name those of each; declared: with what they declare.

    Each costs time, also without: who wants one command lists it alone.
    """
    parser = Parser(
        prog="darnerpy",
        description="A persistent queue server, and commands to use one.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"darnerpy {__version__} ({build.description()})"
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=CommandParser
    )
    parsers = {}
    for name in listed:
        purpose = COMMANDS[name]
        command = commands.add_parser(
            name, help=purpose, description=f"{purpose.capitalize()}.", allow_abbrev=False
        )
        if declared:
            module = import_module(f"darnerpy.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
        parsers[name] = command
    return parser, parsers


def refuse_unknown(parser: Parser, command: str) -> None:
    """Leave, as argparse does, if there is no such command."""
    if command not in COMMANDS:
        near = nearest(command, COMMANDS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(COMMANDS)}"
        parser.error(f"there is no command {command!r}; {hint}")
