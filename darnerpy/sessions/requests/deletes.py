"""Deleting a queue: all it holds goes, open reads and leases end, who waits for an item is told."""

from ..contract import Host
from ..steps import Steps, committed
from .places import queue_of, refuse_changes

__all__ = ["delete_queue"]


def delete_queue(host: Host, who: str, name: bytes) -> Steps[None]:
    """It is gone from its place on disk when this returns. Raises `UnknownQueueError` if there is none."""
    refuse_changes(host)
    stored = yield from queue_of(host, name)
    host.acts.note("delete", name, who)
    yield from committed(stored.delete())
