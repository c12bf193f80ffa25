"""What queues a server knows, and what was meant by a name that it does not.

`delete` and `flush` of any name are answered alike, and a `get` of one that nobody ever used as one of an
empty queue: who mistypes a name is told here.
"""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from ..nearest import nearest
from .client import Client
from .terminal import complain

if TYPE_CHECKING:
    from .counts import Counts

__all__ = ["ended", "hint", "queue_names", "tell_a_person", "why_not_there"]

_NEAR = 0.7


def why_not_there(server: Client, queue: bytes) -> str:
    """Why there is nothing to change or look at under the name of a queue or a consumer; "" if there is."""
    name = os.fsdecode(queue)
    found = {field for field, _ in server.stats(queue)}
    if f"queue_{name}_put_items" in found:
        return f"{name} is an alias: it holds nothing itself"
    if found:
        return ""
    known = _known(server)
    parent, plus, consumer = name.partition("+")
    about = known.get(parent)
    if not plus or about is None:
        queues = [each for each in known if "+" not in each]
        return f"there is no queue {parent}{hint(parent, queues)}"
    if "state" in about and "items" not in about:
        return f"which consumers {parent} has is not known: its state is {about['state']}"
    begin = parent + plus
    beside = [each.removeprefix(begin) for each in known if each.startswith(begin)]
    return f"there is no consumer {consumer} of {parent}{hint(consumer, beside)}"


def queue_names(server: Client) -> list[str]:
    """The names of all queues, their consumers and the aliases."""
    return list(_known(server))


def hint(name: str, known: list[str]) -> str:
    """What to add to the word that there is no such queue: the one that was probably meant."""
    near = nearest(name, known, _NEAR)
    return f"; did you mean {near}?" if near else ""


def ended(args: argparse.Namespace, queue: bytes, done: str, missing: str) -> int:
    """Say that it is done, or why there was nothing to do it to; returns the exit code."""
    if args.json:
        print(json.dumps({"queue": os.fsdecode(queue), done: not missing}))
    if missing:
        complain(missing)
    return 1 if missing else 0


def tell_a_person(server: Client, queue: bytes) -> None:
    """Nothing was there: who sits at a terminal may have mistyped the name. A script knows what it polls."""
    if sys.stderr.isatty() and (missing := why_not_there(server, queue)):
        complain(missing)


def _known(server: Client) -> "dict[str, Counts]":
    # Only who has mistyped a name needs them, and `get` should start fast.
    from .counts import by_queue

    return by_queue(server.stats())[1]
