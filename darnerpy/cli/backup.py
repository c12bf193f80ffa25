"""`darnerpy backup`: have a running server copy its queues, from which a server can start.

The copies are the server's: in `backups` of its data directory, on its own disk, and it is asked which
there are and to remove those that are too many.
"""

import argparse
import json
import os
from datetime import UTC, datetime
from typing import NamedTuple

from ..units import counted
from .arguments import add_connection_arguments, backup_name, count, plain_queue_name
from .busy import Busy
from .client import Client, Unreachable
from .known import why_not_there
from .table import table
from .terminal import complain, say


class _Backup(NamedTuple):
    name: str
    created: int
    queues: int
    items: int
    bytes: int
    path: str

    def as_row(self) -> list[str]:
        made = f"{datetime.fromtimestamp(self.created / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return [self.name, made, f"{self.queues:,}", f"{self.items:,}", f"{self.bytes:,}"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "queues", type=plain_queue_name, nargs="*", metavar="QUEUE", help="only these; default all"
    )
    parser.add_argument(
        "--name",
        type=backup_name,
        help="make a backup of this name: letters, digits, `.`, `_` and `-`",
    )
    parser.add_argument(
        "--prune",
        type=count,
        metavar="KEEP",
        help="remove all backups but the KEEP newest; with --name, after that one is made",
    )
    parser.add_argument("--list", action="store_true", help="show the backups that there are")
    add_connection_arguments(parser, timeout="24h")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    if not (args.name or args.list or args.prune):
        args.usage_error("one of --name, --list and --prune is expected")
    if args.queues and not args.name:
        args.usage_error("queues are for --name, the name of a backup that is to be made")
    with Client(args.server, args.timeout) as server:
        if args.name:
            missing = [why for queue in args.queues if (why := why_not_there(server, queue))]
            for why in missing:
                complain(why)
            if missing:
                return 1
            with Busy(f"making {os.fsdecode(args.name)}"):
                server.ask(b"backup", *(args.queues or [b"*"]), args.name, among=(b"OK",))
        backups = _kept(server)
        made = [each for each in backups if each.name.encode() == args.name]
        pruned = _too_many(backups, made, args.prune) if args.prune else []
        for each in pruned:
            with Busy(f"removing {each.name}"):
                server.ask(b"delete_backup", each.name.encode(), among=(b"DELETED", b"NOT_FOUND"))
    kept = [each for each in backups if each not in pruned]
    if args.json:
        said = {"made": made, "pruned": pruned} | ({"backups": kept} if args.list else {})
        print(json.dumps({word: [each._asdict() for each in some] for word, some in said.items()}))
        return 0
    for each in made:
        say(f"{each.path}: {_contents(each)}")
    for each in pruned:
        say(f"{each.path}: removed")
    if args.list and kept:
        head = ["backup", "created", "queues", "items", "bytes"]
        say(table([head, *(each.as_row() for each in kept)]))
    return 0


def _too_many(backups: list[_Backup], made: list[_Backup], keep: int) -> list[_Backup]:
    """All but so many of the newest; never one that was just made, whatever the clock says."""
    others = [each for each in backups if each not in made]
    return others[: max(0, len(backups) - keep)]


def _kept(server: Client) -> list[_Backup]:
    """The server's backups, the oldest first."""
    found = []
    for line in server.report(b"list_backups"):
        try:
            word, name, *numbers, path = os.fsdecode(line).split(" ", 6)
            if word != "BACKUP":
                raise ValueError(word)
            created, queues, items, size = map(int, numbers)
        except ValueError:
            raise Unreachable(f"not a line about a backup: {os.fsdecode(line)[:100]}") from None
        found.append(_Backup(name, created, queues, items, size, path))
    return found


def _contents(backup: _Backup) -> str:
    counts = ((backup.queues, "queue"), (backup.items, "item"), (backup.bytes, "byte"))
    return ", ".join(counted(number, what) for number, what in counts)
