"""The command: its arguments, one snapshot for scripts, and the start of the live table."""

import argparse
import json
import sys
import time
from typing import Any

from ...errors import ConfigError, DarnerError
from ..arguments import MAX_WAIT_MS, duration
from ..client import Unreachable
from ..table import table
from ..terminal import say
from ..web_arguments import (
    WebAddress,
    add_token_argument,
    either_address,
    of_http,
    of_memcache,
    read_token,
)
from .snapshots import Lost, Row, Snapshot, Totals
from .sources import Places, updates
from .view import COLUMNS, Order, age_of, chosen, described

__all__ = ["add_arguments", "run"]

_NAMES = {
    "open": "open_transactions",
    "puts": "put_rate",
    "gets": "get_rate",
    "disk": "logsize",
    "connections": "curr_connections",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        type=either_address,
        metavar="ADDRESS",
        help="http://HOST:PORT for HTTP, HOST:PORT or unix:/path for the memcache port; default "
        "DARNERPY_HTTP_SERVER, or where there is no HTTP, DARNERPY_SERVER",
    )
    add_token_argument(parser)
    parser.add_argument(
        "--filter",
        default="",
        metavar="TEXT",
        help="only queues with this text in their names, or that fit a pattern such as 'mail-*'",
    )
    parser.add_argument(
        "--sort",
        choices=[column.title.lower() for column in COLUMNS],
        default="depth",
        help="by which column; default depth",
    )
    parser.add_argument(
        "--interval",
        type=duration(least_ms=100, most_ms=3_600_000),
        default="1s",
        metavar="DURATION",
        help="how often the memcache port is asked; HTTP tells every second; default 1s",
    )
    parser.add_argument(
        "--timeout",
        type=duration(least_ms=1, most_ms=MAX_WAIT_MS),
        default="10s",
        metavar="DURATION",
        help="the server is lost when nothing comes for this long; default 10s",
    )
    parser.add_argument("--once", action="store_true", help="print one table, and leave")
    parser.add_argument("--json", action="store_true", help="with --once: print it as JSON")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    if args.json and not args.once:
        args.usage_error("--json goes with --once")
    places = _places(args)
    key = next(column.key for column in COLUMNS if column.title.lower() == args.sort)
    order = Order()._replace(filter=args.filter)
    order = order if key == order.key else order.sorted_by(key)
    if args.once:
        return _once(places, order, args.json)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("top needs a terminal; --once prints one table to anything")
    try:
        from .screen import show
    except ImportError as error:
        if error.name is None or not error.name.startswith(("textual", "rich")):
            raise
        raise DarnerError(
            "top needs the package textual: pip install 'darnerpy[top]'; --once does without"
        ) from None
    return show(places, order)


def _places(args: argparse.Namespace) -> Places:
    web = None if args.server and not isinstance(args.server, WebAddress) else of_http(args)
    memcache = None if isinstance(args.server, WebAddress) else of_memcache(args)
    token = "" if web is None else read_token(args)
    return Places(web, memcache, args.timeout, args.interval / 1000, token)


def _once(places: Places, order: Order, as_json: bool) -> int:
    for update in updates(places):
        if isinstance(update, Lost):
            raise Unreachable(update.reason)
        if update.rated:
            print(json.dumps(_as_object(update, order))) if as_json else _print(update, order)
            return 0
    raise AssertionError("updates never end")


def _print(snapshot: Snapshot, order: Order) -> None:
    now = time.monotonic()
    say("\n".join(described(snapshot.totals, now)))
    rows = chosen(snapshot.rows.values(), order, now)
    if rows:
        head = [column.title.lower() for column in COLUMNS]
        say("\n" + table([head, *([c.text(row, now) for c in COLUMNS] for row in rows)]))


def _as_object(snapshot: Snapshot, order: Order) -> dict[str, Any]:
    """Under the names of `stats`; ages are milliseconds."""
    now = time.monotonic()
    rows = chosen(snapshot.rows.values(), order, now)
    totals: dict[str, Any] = {"server": snapshot.origin} | _said(snapshot.totals, now)
    return {"totals": totals, "queues": [_said(row, now) for row in rows]}


def _said(what: Row | Totals, now: float) -> dict[str, Any]:
    said = what._asdict()
    said["age"] = round(age_of(said.pop("since"), now) * 1000)
    for name in ("puts", "gets"):
        said[name] = round(said[name], 3)
    return {_NAMES.get(name, name): value for name, value in said.items()}
