"""`darnerpy queues`: which queues there are, and what is in each."""

import argparse
import json

from .busy import Busy
from .table import table
from .terminal import say
from .web_arguments import add_web_arguments
from .web_queues import connected, name_of

_COLUMNS = {
    "items": "items",
    "bytes": "bytes",
    "open": "open_transactions",
    "waiters": "waiters",
    "delayed": "delayed",
    "age": "age",
    "paused": "paused",
    "state": "state",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--glob", metavar="PATTERN", default="", help="only these, such as 'mail-*'"
    )
    add_web_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with connected(args) as server, Busy("asking"):
        found = list(server.queues(args.glob))
    if args.json:
        print(json.dumps({"queues": [each | {"name": name_of(each)} for each in found]}))
    elif found:
        rows = [
            [name_of(each), *(str(each.get(c, "")) for c in _COLUMNS.values())] for each in found
        ]
        say(table([["queue", *_COLUMNS], *rows]))
    return 0
