"""`darnerpy flush`: throw away all that waits in a queue. Items held open are not touched."""

import argparse
import os

from .arguments import add_connection_arguments, queue_name
from .client import Client
from .confirming import add_yes_argument, confirm
from .known import ended, why_not_there


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    add_yes_argument(parser)
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server, args.timeout) as server:
        missing = why_not_there(server, args.queue)
        if not missing:
            confirm(args, args.queue, f"All that waits in {os.fsdecode(args.queue)} is thrown away")
            server.ask(b"flush", args.queue, among=(b"END",))
    return ended(args, args.queue, "flushed", missing)
