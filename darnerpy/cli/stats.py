"""`darnerpy stats`: what the server counts, as a table or as JSON."""

import argparse
import json
import os
from collections.abc import Iterable, Mapping

from .client import Client, add_connection_arguments, queue_name

_COLUMNS = ("items", "bytes", "open_transactions", "waiters", "age", "total_items")
# Where one queue ends and the next begins only `items` tells, the first of each; these end alike.
_LIKE_ITEMS = {"total_items", "expired_items", "mem_items", "put_items", "damaged_items"}
_SERVERS_OWN = {"queue_creates", "queue_deletes", "queue_expires"}

_Counts = dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, nargs="?", metavar="QUEUE", help="only this one")
    add_connection_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with Client(args.server) as client:
        server, queues = by_queue(client.stats(args.queue or b""))
    if args.queue and not queues:
        return 1
    if args.json:
        numbers = {name: _numbers(counts) for name, counts in queues.items()}
        print(
            json.dumps(numbers if args.queue else {"server": _numbers(server), "queues": numbers})
        )
    elif args.queue:
        for name, counts in queues.items():
            _print_pairs({"queue": _printable(name)} | counts)
    else:
        _print_pairs(server)
        _print_table(queues)
    return 0


def by_queue(stats: Iterable[tuple[str, str]]) -> tuple[_Counts, dict[str, _Counts]]:
    """Part `queue_<name>_<field>` from the server's own, and then by queue.

    Names may hold underscores, so the order counts: a queue's fields follow each other, and
    `items` is the first.
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
        is_next = name.endswith("_items") and (field not in _LIKE_ITEMS or field in current)
        if is_next or field is None:
            queue = name.removeprefix("queue_").removesuffix("_items")
            if field is None:
                queue = queue.removesuffix("_put")  # an alias has no `items`
            prefix = f"queue_{queue}_"
            field = name.removeprefix(prefix)
            current = queues.setdefault(queue, {})
        current[field] = value
    return server, queues


def _numbers(counts: _Counts) -> dict[str, int | str]:
    return {name: int(text) if text.isdecimal() else text for name, text in counts.items()}


def _print_pairs(pairs: Mapping[str, str]) -> None:
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print(f"{name:<{width}}  {value}")


def _print_table(queues: Mapping[str, _Counts]) -> None:
    rows = [["queue", *_COLUMNS]]
    for name, counts in queues.items():
        rows.append([_printable(name), *(counts.get(column, "") for column in _COLUMNS)])
    if len(rows) == 1:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for name, *numbers in rows:
        right = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *right]))


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
