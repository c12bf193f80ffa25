"""`darnerpy stats`: what the server counts, as a table or as JSON."""

import argparse
import json
import os
from collections.abc import Mapping

from .arguments import add_connection_arguments, queue_name
from .busy import Busy
from .client import Client
from .counts import by_queue, numbers
from .known import why_not_there
from .table import table
from .terminal import complain, say

_COLUMNS = ("items", "bytes", "open_transactions", "waiters", "age", "total_items", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, nargs="?", metavar="QUEUE", help="only this one")
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server, args.timeout) as client, Busy("asking"):
        server, queues = by_queue(client.stats(args.queue or b""))
        missing = why_not_there(client, args.queue) if args.queue and not queues else ""
        for name, counts in queues.items():
            if counts.get("error", "none") != "none":
                counts["reason"] = _reason(client, name) or counts["error"]
    if missing:
        complain(missing)
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


def _pairs(pairs: Mapping[str, str]) -> str:
    width = max(map(len, pairs), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in pairs.items())
