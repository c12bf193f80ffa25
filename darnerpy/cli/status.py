"""`darnerpy status`: show what a running server allows at the moment, or change that.

A server may put off a stricter status for a while (`status_grace_period`); until then it shows the one
before.
"""

import argparse
import json

from .arguments import add_connection_arguments
from .client import Client
from .terminal import say

_STATUSES = ("up", "writeavoid", "readonly", "quiescent")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "status",
        nargs="?",
        choices=_STATUSES,
        help="up; writeavoid asks clients to store elsewhere; readonly refuses what stores, deletes or "
        "flushes, quiescent what reads, too. Without it the status is shown",
    )
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server, args.timeout) as server:
        if args.status:
            server.ask(b"status", args.status.encode(), among=(b"END",))
        shown = server.ask(b"status", among=[status.upper().encode() for status in _STATUSES])
    if args.json:
        print(json.dumps({"status": shown.decode().lower()}))
    elif not args.status:
        say(shown.decode().lower())
    return 0
