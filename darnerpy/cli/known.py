"""Whether a server knows a queue: `delete` and `flush` of any name are answered alike."""

import os

from .client import Client

__all__ = ["why_not_there"]


def why_not_there(server: Client, queue: bytes) -> str:
    """Why there is nothing to change under the name of a queue or a consumer; "" if there is."""
    name = os.fsdecode(queue)
    found = {field for field, _ in server.stats(queue)}
    if f"queue_{name}_put_items" in found:
        return f"{name} is an alias: it holds nothing itself"
    if found:
        return ""
    parent, plus, consumer = name.partition("+")
    return f"there is no consumer {consumer} of {parent}" if plus else f"there is no queue {name}"
