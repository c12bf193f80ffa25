"""`darnerpy peek`: show the next item of a queue and leave it there."""

import argparse

from .client import Client, add_connection_arguments, queue_name
from .items import Output, add_output_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server) as server, Output(args.output, args.json, line_ends=False) as output:
        item = server.get(args.queue + b"/peek", args.wait)
        if item is None:
            return 1
        output.write(args.queue, item)
    return 0
