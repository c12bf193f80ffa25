"""`darnerpy consumers`: the consumers of a queue and how far each is; a new one, or the end of one.

The first line is the queue's own consumer, which whoever reads the queue by its name reads for.
"""

import argparse
import json
import os
from collections.abc import Mapping

from ..errors import ClientError
from ..names import split
from .arguments import plain_queue_name
from .client import Client
from .confirming import add_yes_argument
from .counts import by_queue, numbers
from .delete import delete
from .known import ended, why_not_there
from .table import table
from .terminal import complain, say
from .web import Web, encoded
from .web_arguments import add_either_arguments, of_http, of_memcache, read_token

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
    change = parser.add_mutually_exclusive_group()
    change.add_argument(
        "--drop", metavar="CONSUMER", help="delete this one; the queue and the others stay"
    )
    change.add_argument(
        "--make",
        metavar="CONSUMER",
        help="make this one, over HTTP; the queue too if there is none",
    )
    parser.add_argument(
        "--start",
        choices=("head", "tail"),
        help="with --make: at the first item that is still there, or at the next one that is put",
    )
    parser.add_argument(
        "--copy-from", metavar="CONSUMER", help="with --make: where that consumer is"
    )
    add_yes_argument(parser)
    add_either_arguments(parser)
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    name = os.fsdecode(args.queue)
    if args.make is not None:
        return _make(args)
    if args.start or args.copy_from:
        args.usage_error("--start and --copy-from are for --make, the name of a consumer")
    args.server = of_memcache(args)
    if args.drop is not None:
        return _drop(args)
    with Client(args.server, args.timeout) as server:
        if missing := why_not_there(server, args.queue):
            complain(missing)
            return 1
        found = _consumers(server, args.queue)
    if args.json:
        print(json.dumps({"queue": name, "consumers": {k: numbers(v) for k, v in found.items()}}))
    else:
        head = ["consumer", *_COLUMNS]
        say(table([head, *([each, *_row(counts)] for each, counts in found.items())]))
    return 0


def _make(args: argparse.Namespace) -> int:
    full = _full_name(args.queue, "--make", args.make)
    if "+" in args.make:
        raise ClientError(f"--make {args.make}: a new consumer's name has no +")
    how = {"start": args.start}
    if args.copy_from is not None:
        how["copy_from"] = encoded(os.fsencode(args.copy_from))
    body = {word: value for word, value in how.items() if value is not None}
    with Web(of_http(args), args.timeout, read_token(args)) as server:
        path = ("v1", "queues", args.queue, "consumers", os.fsencode(args.make))
        reply = server.ask("PUT", *path, body=body)
    if args.json:
        print(json.dumps({"queue": os.fsdecode(full), "made": reply.status == 201}))
    return 0


def _drop(args: argparse.Namespace) -> int:
    consumer = _full_name(args.queue, "--drop", args.drop)
    with Client(args.server, args.timeout) as server:
        missing = delete(server, args, consumer)
    return ended(args, consumer, "deleted", missing)


def _full_name(queue: bytes, option: str, consumer: str) -> bytes:
    name = queue + b"+" + os.fsencode(consumer)
    try:
        split(name)
    except ClientError as error:
        raise ClientError(f"{option} {consumer}: {error}") from None
    return name


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
