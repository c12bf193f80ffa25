"""`darnerpy stats`: what the server counts, as a table or as JSON."""

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping

from .arguments import add_connection_arguments, queue_name
from .client import Client
from .table import table
from .terminal import complain, say

_COLUMNS = ("items", "bytes", "open_transactions", "waiters", "age", "total_items", "state")
# Where one queue ends and the next begins only the first of each tells; these end alike.
_LIKE_ITEMS = {"total_items", "expired_items", "mem_items", "put_items", "damaged_items"}
_SERVERS_OWN = {"queue_creates", "queue_deletes", "queue_expires"}

_TEXTS = {
    "version",
    "status",
    "sync",
    "received_last",
    "put_aside",
    "children",
    "state",
    "engine",
    "error",
    "reason",
}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")

_Counts = dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, nargs="?", metavar="QUEUE", help="only this one")
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server, args.timeout) as client:
        server, queues = by_queue(client.stats(args.queue or b""))
        for name, counts in queues.items():
            if counts.get("error", "none") != "none":
                counts["reason"] = _reason(client, name) or counts["error"]
    if args.queue and not queues:
        complain(f"there is no queue {os.fsdecode(args.queue)}")
        return 1
    if args.json:
        found = {name: numbers(counts) for name, counts in queues.items()}
        print(json.dumps(found if args.queue else {"server": numbers(server), "queues": found}))
    elif args.queue:
        for name, counts in queues.items():
            say(_pairs({"queue": name} | counts))
    else:
        say(_pairs(server))
        if queues:
            rows = [
                [name, *(counts.get(c, "") for c in _COLUMNS)] for name, counts in queues.items()
            ]
            say("\n" + table([["queue", *_COLUMNS], *rows]))
        for name, counts in queues.items():
            if "reason" in counts:
                say(f"\n{name}: {counts['reason']}")
    return 0


def _reason(client: Client, queue: str) -> str:
    """Why a queue cannot be used, in words: a line of stats has room for a code only."""
    begin = b"  reason="
    lines = list(client.report(b"dump_stats", os.fsencode(queue)))
    return next((os.fsdecode(line[len(begin) :]) for line in lines if line.startswith(begin)), "")


def by_queue(stats: Iterable[tuple[str, str]]) -> tuple[_Counts, dict[str, _Counts]]:
    """Part `queue_<name>_<field>` from the server's own, and then by queue.

    Names may hold underscores, so the order counts: a queue's fields follow each other, and the first
    is `state` or, of a consumer, `items`; of an alias it is `put_items`.
    """
    server: _Counts = {}
    queues: dict[str, _Counts] = {}
    prefix: str | None = None
    current: _Counts = {}
    for name, value in stats:
        if not name.startswith("queue_") or name in _SERVERS_OWN:
            server[name] = value
            continue
        field = name.removeprefix(prefix) if prefix and name.startswith(prefix) else None
        if field is None or _begins(field, current):
            ending = "_state" if name.endswith("_state") else "_items"
            queue = name.removeprefix("queue_").removesuffix(ending)
            if ending == "_items" and "+" not in queue:
                queue = queue.removesuffix("_put")
            prefix = f"queue_{queue}_"
            field = name.removeprefix(prefix)
            current = queues.setdefault(queue, {})
        current[field] = value
    return server, queues


def _begins(field: str, current: _Counts) -> bool:
    """Whether what looks like a field of the current queue is the first one of the next."""
    if field.endswith("_state"):
        return True
    return (
        field.endswith("_items")
        and field != "items"
        and (field not in _LIKE_ITEMS or field in current)
    )


def numbers(counts: Mapping[str, str]) -> dict[str, int | float | str]:
    """The same with numbers where the values are some."""
    return {
        name: text if name in _TEXTS or not _NUMBER.fullmatch(text) else json.loads(text)
        for name, text in counts.items()
    }


def _pairs(pairs: Mapping[str, str]) -> str:
    width = max(map(len, pairs), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in pairs.items())
