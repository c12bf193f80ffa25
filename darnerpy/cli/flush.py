"""`darnerpy flush`: throw away all that waits in a queue. Items held open are not touched."""

import argparse
import json
import os

from .client import Client, Refused, add_connection_arguments, queue_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server) as server:
        answer = server.command(b"flush " + args.queue)
    if answer != b"END":
        raise Refused(answer.decode("utf-8", "backslashreplace"))
    if args.json:
        print(json.dumps({"queue": os.fsdecode(args.queue), "flushed": True}))
    return 0
