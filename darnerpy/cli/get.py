"""`darnerpy get`: take items from a queue and write them out.

An item is confirmed to the server only after it has been written. When writing fails, or this
process is killed, it goes back to its place in the queue.
"""

import argparse

from .arguments import add_connection_arguments, count, queue_name
from .client import Client
from .items import Output, add_output_arguments
from .known import tell_a_person


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument(
        "-n",
        type=count,
        dest="count",
        metavar="COUNT",
        help="take up to COUNT items, a line end after each; without it one, written as it is",
    )
    amount.add_argument("--all", action="store_true", help="take items until there are none")
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    wanted = float("inf") if args.all else args.count or 1
    several = args.all or args.count is not None
    taken = 0
    with Client(args.server, args.timeout) as server, Output(args.output, args.json, several) as to:
        options = [b"open"]
        while taken < wanted and (item := server.get(args.queue, *options, wait_ms=args.wait)):
            to.write(args.queue, item)
            taken += 1
            options = [b"close", b"open"]
        if taken:
            server.get(args.queue, b"close")
        else:
            tell_a_person(server, args.queue)
    return 0 if taken else 1
