"""`darnerpy delete`: delete a queue with all it holds, or one consumer of it."""

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
        missing = delete(server, args, args.queue)
    return ended(args, args.queue, "deleted", missing)


def delete(server: Client, args: argparse.Namespace, queue: bytes) -> str:
    """Delete a queue or a consumer; returns why there was nothing to delete, "" if there was."""
    missing = why_not_there(server, queue)
    if not missing:
        what = "what is before it" if b"+" in queue else "all it holds"
        confirm(args, queue, f"{os.fsdecode(queue)} is deleted with {what}")
        server.ask(b"delete", queue, among=(b"DELETED",))
    return missing
