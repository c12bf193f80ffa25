"""`darnerpy settings`: a queue's settings and where each comes from, or others until the next reload."""

import argparse
import json
import os
from typing import Any

from ..config import QueueSettings, options
from ..config.unknown import refuse_unknown
from ..errors import ConfigError
from .arguments import plain_queue_name
from .table import left_table
from .terminal import complain, say
from .web_arguments import add_web_arguments
from .web_queues import connected, described


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=plain_queue_name, metavar="QUEUE")
    parser.add_argument(
        "changes",
        type=_change,
        nargs="*",
        metavar="KEY=VALUE",
        help="what is to hold until the next reload or restart, such as max_items=1000 or "
        "max_age=1h; KEY= takes it back",
    )
    add_web_arguments(parser)


def run(args: argparse.Namespace) -> int:
    changes = dict(args.changes)
    with connected(args) as server:
        about = described(server, args.queue)
        if changes:
            about = server.json("PATCH", *("v1", "queues", args.queue, "settings"), body=changes)
    settings = about["settings"]
    if changes:
        settings = {key: settings[key] for key in changes if key in settings}
    if args.json:
        until = {"until": about["until"]} if changes else {}
        print(json.dumps({"queue": os.fsdecode(args.queue), "settings": settings, **until}))
        return 0
    rows = [[key, _text(each["value"]), each["from"]] for key, each in settings.items()]
    say(left_table([["setting", "value", "from"], *rows]))
    if changes:
        complain(f"until {about['until']}")
    return 0


def _change(text: str) -> tuple[str, object]:
    """A key, and its value as a file of settings has it: a number, true or false, or text."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"KEY=VALUE was expected: {text}")
    given = _read(value)
    try:
        refuse_unknown({key: given}, QueueSettings, "")
        if given is not None:
            options(QueueSettings)[key].parse(given, key)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return key, given


def _read(value: str) -> object:
    if value in ("true", "false"):
        return value == "true"
    # Python does not read numbers of thousands of digits, and no setting has so many.
    if value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= 20:
        return int(value)
    return value or None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
