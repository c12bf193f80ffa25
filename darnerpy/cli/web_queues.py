"""What the commands that use HTTP have in common: a queue as the server describes it, by name or none."""

import argparse
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from .known import hint
from .web import Missing, Web, split_consumer
from .web_arguments import read_token

__all__ = ["connected", "described", "emptying", "name_of"]

_LOOK_MS = 2000


def connected(args: argparse.Namespace) -> Web:
    """To the server that the arguments name, when something is asked."""
    return Web(args.server, args.timeout, read_token(args))


def described(server: Web, name: bytes) -> dict[str, Any]:
    """What the server says of a queue, or of QUEUE+CONSUMER.

    Raises `Missing` if there is none, with the name that was probably meant.
    """
    queue, consumer = split_consumer(name)
    try:
        about: dict[str, Any] = server.json("GET", "v1", "queues", queue)
    except Missing as error:
        known = [name_of(each) for each in server.queues()]
        raise Missing(f"{error}{hint(os.fsdecode(queue), known)}") from None
    if consumer is None:
        return about
    found: dict[bytes, dict[str, Any]] = {
        unquote_to_bytes(each["name"]): each for each in about["consumers"]
    }
    if consumer in found:
        return found[consumer]
    missing = f"there is no consumer {os.fsdecode(consumer)} of {os.fsdecode(queue)}"
    raise Missing(missing + hint(os.fsdecode(consumer), [os.fsdecode(each) for each in found]))


def name_of(about: dict[str, Any]) -> str:
    """The name of what the server describes, as it is on the command line."""
    return os.fsdecode(unquote_to_bytes(about["name"]))


def emptying(
    args: argparse.Namespace, waiting: int, going: int | None
) -> Callable[[], tuple[int, int]]:
    """How many of the items that are to leave the queue have left. waiting: that wait as it begins."""

    def look() -> tuple[int, int]:
        with Web(args.server, _LOOK_MS, read_token(args)) as server:
            left = described(server, args.queue)["items"]
        return max(0, waiting - left), waiting if going is None else min(waiting, going)

    return look
