"""Pausing a queue, its puts, its gets or both, and resuming it.

A pause is on disk before this returns, and outlives restarts. What is held already may be confirmed and
returned meanwhile, and what expires leaves.
"""

from ...queues.batches import PAUSED_GETS, PAUSED_PUTS
from ..contract import Host
from ..steps import Steps, committed
from .places import queue_of, refuse_changes

__all__ = ["pause", "resume"]

_WORDS = {
    PAUSED_PUTS: "puts",
    PAUSED_GETS: "gets",
    PAUSED_PUTS | PAUSED_GETS: "puts and gets",
}


def pause(host: Host, who: str, name: bytes, what: int) -> Steps[int]:
    """what: `PAUSED_PUTS`, `PAUSED_GETS`, or both as bits. Returns all that is paused now."""
    return (yield from _change(host, who, name, "pause", what))


def resume(host: Host, who: str, name: bytes, what: int) -> Steps[int]:
    """The opposite; what is not paused may be resumed as well."""
    return (yield from _change(host, who, name, "resume", what))


def _change(host: Host, who: str, name: bytes, act: str, what: int) -> Steps[int]:
    refuse_changes(host)
    stored = yield from queue_of(host, name)
    host.acts.note(act, name, who, what=_WORDS[what])
    queue = stored.queue
    now = queue.paused | what if act == "pause" else queue.paused & ~what
    yield from committed(queue.pause(now))
    return now
