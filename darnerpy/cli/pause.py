"""`darnerpy pause`: have a queue refuse puts, give nothing away, or both, until `darnerpy resume`."""

import argparse
import json
import os

from .arguments import plain_queue_name
from .web_arguments import add_web_arguments
from .web_queues import connected, described

__all__ = ["add_arguments", "change", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=plain_queue_name, metavar="QUEUE")
    parser.add_argument(
        "--what", choices=("puts", "gets"), help="only these; default both, and open reads go on"
    )
    add_web_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return change(args, "pause")


def change(args: argparse.Namespace, act: str) -> int:
    with connected(args) as server:
        described(server, args.queue)
        query = {"what": args.what}
        done = server.json("POST", "v1", "queues", args.queue, act, query=query)
    if args.json:
        print(json.dumps({"queue": os.fsdecode(args.queue), **(done or {})}))
    return 0
