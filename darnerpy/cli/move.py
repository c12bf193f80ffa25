"""`darnerpy move`: move what waits in a queue to another, in order."""

import argparse
import json
import os
from typing import Any

from ..errors import ClientError
from ..units import counted
from .arguments import count, plain_queue_name, queue_name
from .busy import Busy
from .confirming import add_yes_argument, confirm, waiting_in
from .terminal import complain, say
from .web import split_consumer
from .web_arguments import add_web_arguments
from .web_queues import connected, described, emptying

__all__ = ["add_arguments", "carry", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    parser.add_argument(
        "to", type=plain_queue_name, metavar="TO", help="the other queue, made if there is none"
    )
    add_moving_arguments(parser)


def run(args: argparse.Namespace) -> int:
    return carry(args, "move", f"to {os.fsdecode(args.to)}")


def add_moving_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", type=count, dest="count", metavar="COUNT", help="the first COUNT items; default all"
    )
    add_yes_argument(parser)
    add_web_arguments(parser, timeout="24h")


def carry(args: argparse.Namespace, act: str, where: str) -> int:
    """Ask for a move or a redrive, and say what became of it. where: the items go, in words."""
    name = os.fsdecode(args.queue)
    queue, consumer = split_consumer(args.queue)
    if args.to == queue:
        raise ClientError(f"to: another queue than {os.fsdecode(queue)} itself was expected")
    with connected(args) as server:
        waiting = described(server, args.queue).get("items", 0)
        server.close()  # it would be gone before somebody who thinks has typed a name
        confirm(args, args.queue, f"This moves {waiting_in(name, args.count)} {where}")
        with Busy(f"{act} {name}", emptying(args, waiting, args.count)):
            done: dict[str, Any] = server.json(
                "POST",
                *("v1", "queues", queue, act),
                query={"to": args.to, "n": args.count, "consumer": consumer},
            )
    wanted = min(waiting, args.count or waiting)
    whole = done["moved"] >= wanted or not done["left"]
    if args.json:
        print(json.dumps({"queue": name, **done}))
    else:
        say(f"{counted(done['moved'], 'item')} moved, {done['left']:,} left")
        if done.get("unknown"):
            complain(f"of {counted(done['unknown'], 'item')} it is not known where from: say --to")
        if done.get("stopped"):
            complain(done["stopped"])
    return 0 if whole else 1
