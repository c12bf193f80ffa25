"""`darnerpy tap`: shows what happens to the items of a running server, as it happens.

Reads the ring that the server writes for queues with `tap = true`, and asks the server nothing. Goes on
until it is stopped, also while there is no server; what it had no time to read is counted.
"""

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from ..config import QueueRule
from ..server.events import Event
from ..units import counted
from .arguments import data_directory, queue_name
from .following import Follower
from .streams import leave_if_nobody_reads
from .terminal import complain, say

_NUMBERS = {"flush": "items", "delete": "items"}
"""What the number of an event is, if not the id of an item."""

_MOST_KNOWN = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "queue",
        type=queue_name,
        nargs="?",
        default="*",
        metavar="QUEUE",
        help="QUEUE or QUEUE+CONSUMER, which may have wildcards as in the configuration; default all",
    )
    parser.add_argument(
        "--since",
        choices=("now", "oldest"),
        default="now",
        help="what to begin with: what happens next, or the oldest event that is still known; "
        "default now",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=data_directory(),
        metavar="DIR",
        help="the server's data directory, default DARNERPY_DATA, then data",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one event a line")


def run(args: argparse.Namespace) -> int:
    lines = _Lines(args.queue, args.json)
    follower = Follower(args.data, args.since == "oldest", complain)
    has_doubted = args.queue == b"*"
    for missed, events in follower.events():
        text = lines.gap(missed) if missed else ""
        text += lines.of(events)
        if text:
            say(text.removesuffix("\n"))
        elif not events:
            leave_if_nobody_reads()
        if follower.is_settled and not (lines.wanted or has_doubted):
            # The ring does not say which queues are tapped: perhaps just nothing happens there.
            complain(
                f"waiting: no event of {os.fsdecode(args.queue)} yet; there are none without "
                "tap = true for that queue in the server's configuration"
            )
            has_doubted = True
    raise AssertionError("there is always more to come")


class _Lines:
    """Events as text or JSON, each a line. What is the same for many of them is made once.

    wanted: whether there was any that was asked for.
    """

    def __init__(self, glob: bytes, as_json: bool) -> None:
        self.wanted = False
        self._wanted = QueueRule(glob, {})
        self._queues = QueueRule(glob.partition(b"+")[0], {})
        self._json = as_json
        self._known: dict[tuple[str, bytes, bytes, bytes], tuple[str, str, str] | None] = {}
        self._time = (-1, "")

    def of(self, events: list[Event]) -> str:
        """The lines of those that are wanted."""
        found = []
        for event in events:
            number, time, kind, queue, consumer, item, size, target = event
            begin = f'{{"number": {number}, "time": {time}, ' if self._json else self._at(time)
            if kind == "start":
                found.append(begin + self._start(item))
                continue
            about = kind, queue, consumer, target
            if about not in self._known:
                self._known[about] = self._parts(event)
            parts = self._known[about]
            if parts is not None:
                self.wanted = True
                before, between, behind = parts
                found.append(f"{begin}{before}{item}{between}{size}{behind}\n")
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        return "".join(found)

    def _start(self, pid: int) -> str:
        return f'"event": "start", "pid": {pid}}}\n' if self._json else f"start      pid={pid}\n"

    def gap(self, missed: int) -> str:
        if self._json:
            return json.dumps({"event": "missed", "events": missed}) + "\n"
        return f"-- {counted(missed, 'event')} missed --\n"

    def _at(self, time: int) -> str:
        if self._time[0] != time:
            when = datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds")
            self._time = time, f"{when[:23]}Z "
        return self._time[1]

    def _parts(self, event: Event) -> tuple[str, str, str] | None:
        """A line but for its time and the two numbers of the event; None if nobody asked for it."""
        if not self._is_wanted(event):
            return None
        first = _NUMBERS.get(event.kind, "id")
        queue, consumer, target = map(os.fsdecode, (event.queue, event.consumer, event.target))
        if self._json:
            names = {"event": event.kind, "queue": queue, "consumer": consumer}
            told = ", ".join(f'"{name}": {json.dumps(it)}' for name, it in names.items() if it)
            behind = f', "target": {json.dumps(target)}}}' if target else "}"
            return f'{told}, "{first}": ', ', "bytes": ', behind
        name = f"{queue}+{consumer}" if consumer else queue
        behind = f" target={target}" if target else ""
        return f"{event.kind:10} {name} {first}=", " bytes=", behind

    def _is_wanted(self, event: Event) -> bool:
        """Who asks for a consumer also gets what is put into its queue for all."""
        if not self._wanted.for_consumers:
            return self._wanted.matches(event.queue)
        if event.consumer or event.kind not in ("put", "delete"):
            return self._wanted.matches(event.queue + b"+" + event.consumer)
        return self._queues.matches(event.queue)
