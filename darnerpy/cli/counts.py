"""What `stats` answers, taken apart: which of it is whose, and what are numbers. Asks nobody."""

import json
import re
from collections.abc import Iterable, Mapping

__all__ = ["Counts", "by_queue", "numbers"]

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
    "paused",
    "engine",
    "error",
    "reason",
}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")

Counts = dict[str, str]


def by_queue(stats: Iterable[tuple[str, str]]) -> tuple[Counts, dict[str, Counts]]:
    """Part `queue_<name>_<field>` from the server's own, and then by queue.

    Names may hold underscores, so the order counts: a queue's fields follow each other, and the first
    is `state` or, of a consumer, `items`; of an alias it is `put_items`.
    """
    server: Counts = {}
    queues: dict[str, Counts] = {}
    prefix: str | None = None
    current: Counts = {}
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


def _begins(field: str, current: Counts) -> bool:
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
