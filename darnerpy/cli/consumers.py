"""`darnerpy consumers`: the consumers of a queue and how far each is, or the end of one of them.

The first line is the queue's own consumer, which whoever reads the queue by its name reads for.
"""

import argparse
import json
import os
from collections.abc import Mapping

from ..errors import ClientError
from ..names import split
from .arguments import add_connection_arguments, plain_queue_name
from .client import Client
from .counts import by_queue, numbers
from .delete import delete
from .known import why_not_there
from .table import table
from .terminal import complain, say

_COLUMNS = {
    "waiting": "items",
    "open": "open_transactions",
    "lag": "",
    "age": "age",
    "readers": "waiters",
    "returned": "returned",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=plain_queue_name, metavar="QUEUE")
    parser.add_argument(
        "--drop", metavar="CONSUMER", help="delete this one; the queue and the others stay"
    )
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    name = os.fsdecode(args.queue)
    if args.drop is not None:
        return _drop(args)
    with Client(args.server, args.timeout) as server:
        missing = why_not_there(server, args.queue)
        found = {} if missing else _consumers(server, args.queue)
    if args.json:
        print(json.dumps({"queue": name, "consumers": {k: numbers(v) for k, v in found.items()}}))
    elif found:
        head = ["consumer", *_COLUMNS]
        say(table([head, *([each, *_row(counts)] for each, counts in found.items())]))
    if missing:
        complain(missing)
    return 1 if missing else 0


def _drop(args: argparse.Namespace) -> int:
    consumer = args.queue + b"+" + os.fsencode(args.drop)
    try:
        split(consumer)
    except ClientError as error:
        raise ClientError(f"--drop {args.drop}: {error}") from None
    with Client(args.server, args.timeout) as server:
        missing = delete(server, consumer)
    if args.json:
        print(json.dumps({"queue": os.fsdecode(consumer), "deleted": not missing}))
    if missing:
        complain(missing)
    return 1 if missing else 0


def _consumers(server: Client, queue: bytes) -> dict[str, Mapping[str, str]]:
    """The stats of each consumer by its full name, the queue's own first."""
    name = os.fsdecode(queue)
    own = by_queue(server.stats(queue))[1].get(name, {})
    found: dict[str, Mapping[str, str]] = {name: own}
    children = own.get("children", "")
    # A consumer's name may hold a comma, but hardly this one with what follows it.
    for child in children.split(f",{name}+") if children else ():
        full = f"{name}+{child.removeprefix(f'{name}+')}"
        found[full] = by_queue(server.stats(os.fsencode(full)))[1].get(full, {})
    return found


def _row(counts: Mapping[str, str]) -> list[str]:
    row = [counts.get(field, "") for field in _COLUMNS.values()]
    if row[0].isdecimal() and row[1].isdecimal():
        row[2] = str(int(row[0]) + int(row[1]))
    return row
