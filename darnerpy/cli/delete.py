"""`darnerpy delete`: delete a queue with all it holds, or one consumer of it."""

import argparse
import json
import os

from .client import Client, Refused, add_connection_arguments, queue_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server) as server:
        answer = server.command(b"delete " + args.queue)
    if answer not in (b"DELETED", b"NOT_FOUND"):
        raise Refused(answer.decode("utf-8", "backslashreplace"))
    deleted = answer == b"DELETED"
    if args.json:
        print(json.dumps({"queue": os.fsdecode(args.queue), "deleted": deleted}))
    return 0 if deleted else 1
