"""`darnerpy redrive`: move what waits in a queue of dead letters back to where it came from."""

import argparse
import os

from .arguments import plain_queue_name
from .move import add_moving_arguments, carry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=plain_queue_name, metavar="QUEUE")
    parser.add_argument(
        "--to",
        type=plain_queue_name,
        metavar="QUEUE",
        help="where all go instead; without it, items stay of which it is not known where they came from",
    )
    add_moving_arguments(parser)


def run(args: argparse.Namespace) -> int:
    where = f"to {os.fsdecode(args.to)}" if args.to else "back to where each came from"
    return carry(args, "redrive", where)
