"""`darnerpy peek`: show items of a queue, the next one or those behind it, and leave them there."""

import argparse

from ..errors import ClientError
from .arguments import add_connection_arguments, count, number, queue_name
from .client import Client
from .items import Output, add_output_arguments
from .known import tell_a_person, why_not_there
from .terminal import complain

_MAX_OFFSET = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    parser.add_argument(
        "--offset",
        type=number(0, _MAX_OFFSET),
        default=0,
        metavar="N",
        help=f"pass over the first N items that wait, at most {_MAX_OFFSET}",
    )
    parser.add_argument(
        "--count",
        type=count,
        metavar="M",
        help="show up to M items, a line end after each; without it one, written as it is",
    )
    add_output_arguments(parser)
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    places = range(args.offset, args.offset + (args.count or 1))
    if places[-1] > _MAX_OFFSET:
        raise ClientError(f"--offset and --count: at most {_MAX_OFFSET} may be passed over")
    if args.wait and args.offset:
        raise ClientError("--wait is for the next item, and goes with no --offset")
    shown = 0
    several = args.count is not None
    with Client(args.server, args.timeout) as server, Output(args.output, args.json, several) as to:
        # To get a consumer's name makes the consumer, even where the item is only looked at.
        if b"+" in args.queue and (missing := why_not_there(server, args.queue)):
            complain(missing)
            return 1
        for place in places:
            options = (b"peek", b"offset=%d" % place) if place else (b"peek",)
            item = server.get(args.queue, *options, wait_ms=0 if place else args.wait)
            if item is None:
                break
            to.write(args.queue, item)
            shown += 1
        if not shown:
            tell_a_person(server, args.queue)
    return 0 if shown else 1
