"""`darnerpy purge`: throw away items that wait: the first ones, those that are too old, or all."""

import argparse
import json
import os

from ..units import counted, write_duration
from .arguments import count, duration, queue_name
from .busy import Busy
from .confirming import add_yes_argument, confirm, waiting_in
from .terminal import say
from .web import split_consumer
from .web_arguments import add_web_arguments
from .web_queues import connected, described, emptying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    parser.add_argument("--first", type=count, metavar="COUNT", help="the first COUNT items")
    parser.add_argument(
        "--older-than",
        type=duration(least_ms=1, most_ms=36_500 * 86_400_000),
        metavar="DURATION",
        help="items that were put longer ago, such as 1h; with --first, so many of these",
    )
    parser.add_argument("--all", action="store_true", help="all that waits")
    add_yes_argument(parser)
    add_web_arguments(parser, timeout="24h")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    if args.all == bool(args.first or args.older_than):
        args.usage_error("either --all, or --first or --older-than, is expected")
    name = os.fsdecode(args.queue)
    queue, consumer = split_consumer(args.queue)
    older = write_duration(args.older_than) if args.older_than else None
    with connected(args) as server:
        waiting = described(server, args.queue).get("items", 0)
        server.close()  # it would be gone before somebody who thinks has typed a name
        old = f", put more than {older} ago" if older else ""
        confirm(args, args.queue, f"This throws away {waiting_in(name, args.first)}{old}")
        with Busy(f"purging {name}", emptying(args, waiting, args.first)):
            done = server.json(
                "DELETE",
                *("v1", "queues", queue, "items"),
                query={
                    "first": args.first,
                    "older_than": older,
                    "all": args.all or None,
                    "consumer": consumer,
                },
            )
    if args.json:
        print(json.dumps({"queue": name, **done}))
    else:
        say(f"{counted(done['purged'], 'item')} thrown away")
    return 0
