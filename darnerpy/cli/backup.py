"""`darnerpy backup`: have a running server write a copy of its queues, from which a server can start.

The copy is made by the server, on its own disk, in `backups` of its data directory.
"""

import argparse
import json
import os

from .client import Client, Refused, add_connection_arguments, queue_name

_PATIENCE_S = 24 * 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "queues", type=queue_name, nargs="*", metavar="QUEUE", help="only these; default all"
    )
    parser.add_argument(
        "--name", required=True, help="of the new directory: letters, digits, `.`, `_` and `-`"
    )
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    queues = b" ".join(args.queues) or b"*"
    with Client(args.server) as server:
        answer = server.command(b"backup %b %b" % (queues, os.fsencode(args.name)), _PATIENCE_S)
    if answer != b"OK":
        raise Refused(answer.decode("utf-8", "backslashreplace"))
    if args.json:
        print(json.dumps({"backup": args.name}))
    return 0
