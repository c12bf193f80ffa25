"""`darnerpy tail`: follows a queue without taking anything: the last items that wait, then each new one.

The server is asked again and again what was put since. Who reads the queue may be faster: items that were
taken in between are missed, and counted.
"""

import argparse
import base64
import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..units import counted
from .arguments import number, queue_name
from .client import Unreachable
from .items import Output
from .streams import leave_if_nobody_reads
from .terminal import complain
from .web import Missing, Web, split_consumer
from .web_arguments import add_web_arguments
from .web_queues import connected, described

_LOOK_S = 0.3
_AT_ONCE = 1000
_AGAIN_S = 1.0
_LINES = "application/jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="QUEUE or QUEUE+CONSUMER")
    parser.add_argument(
        "-n",
        type=number(0, _AT_ONCE),
        dest="count",
        default=10,
        metavar="COUNT",
        help="begin with the last COUNT items that wait; default 10",
    )
    add_web_arguments(parser)


def run(args: argparse.Namespace) -> int:
    place = _Place()
    with connected(args) as server:
        described(server, args.queue)  # a name that nobody knows is told at once
    with Output(None, args.json, line_ends=True) as output:
        while True:
            try:
                with connected(args) as server:
                    for missed, items in place.looks(server, args.queue, args.count):
                        if missed:
                            _say_missed(missed, args.json)
                        for item in items:
                            output.write(args.queue, item)
                        output.clear()
                        leave_if_nobody_reads()
            except (Missing, Unreachable) as error:
                place.say_once(f"waiting: {error}")
                leave_if_nobody_reads()
                time.sleep(_AGAIN_S)


class _Item(NamedTuple):
    """As it was said: an item that is here."""

    id: int
    flags: int
    size: int
    content: bytes

    def pieces(self) -> Iterator[bytes]:
        yield self.content

    def data(self) -> bytes:
        return self.content


class _Place:
    """Where in the queue has been looked up to, whatever becomes of the connection."""

    def __init__(self) -> None:
        self._seen: int | None = None  # the id; None before the first look
        self._said = ""

    def say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            complain(text)

    def looks(self, server: Web, name: bytes, last: int) -> Iterator[tuple[int, list[_Item]]]:
        """How many were missed and those that follow, again and again; (0, []) while nothing comes."""
        queue, consumer = split_consumer(name)
        while True:
            first = self._seen is None
            where = {"last": last} if first else {"after": self._seen}
            query = {**where, "n": _AT_ONCE, "consumer": consumer}
            reply = server.ask(
                "GET", *("v1", "queues", queue, "items", "peek"), query=query, accept=_LINES
            )
            items = [_item(json.loads(line)) for line in server.lines_of(reply)]
            self._said = ""
            yield self._passed(reply.headers, items), items
            if not items:
                time.sleep(_LOOK_S)

    def _passed(self, headers: Mapping[str, str], items: list[_Item]) -> int:
        """Go on to what was seen; how many there were before it that were not."""
        before, end = self._seen, int(headers.get("darnerpy-next-id", "1")) - 1
        self._seen = items[-1].id if items else end
        if before is None:
            return 0
        if self._seen < before:
            # A queue that is made anew begins with 1 again: all of it is still to be shown.
            self._seen = 0
            return 0
        return max(0, self._seen - before - len(items))


def _item(told: Mapping[str, Any]) -> _Item:
    data = base64.b64decode(told["data"])
    return _Item(told["id"], told["flags"], len(data), data)


def _say_missed(missed: int, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"missed": missed}) + "\n")
        sys.stdout.flush()
    else:
        complain(f"{counted(missed, 'item')} missed: taken, or not due, before they could be shown")
