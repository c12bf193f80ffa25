"""What is said of a queue and its consumers in numbers: names and values, each of them true.

Owns these names (docs/monitoring.md explains them) and that each value is one word. Counts and sizes come
from the queue itself at the moment of asking. What is said of the whole server is in `sessions.stats`.
"""

from collections.abc import Iterator

from ..clock import Clock
from ..queues.batches import PAUSED_GETS, PAUSED_PUTS
from ..queues.consumer import Consumer
from ..queues.items import DEAD, EXPIRED, MOVED
from .stored import StoredQueue

__all__ = ["Stat", "queue_stats", "text_of"]

Stat = tuple[str, object]

_WHY = {EXPIRED: "expired", DEAD: "dead", MOVED: "moved"}
_PAUSED = {
    0: "none",
    PAUSED_PUTS: "puts",
    PAUSED_GETS: "gets",
    PAUSED_PUTS | PAUSED_GETS: "both",
}


def queue_stats(stored: StoredQueue, consumer: Consumer, clock: Clock) -> Iterator[Stat]:
    """Of one consumer, the queue's own or a named one, and of what it shares with the others.

    Ages are milliseconds. delayed: items held back before the next attempt, or on their way to another
    queue; they count in `items` too. What is not known yet is left out.
    """
    queue, counters = stored.queue, consumer.counters
    yield "state", stored.state
    if not consumer.name:
        yield "error", "none" if stored.error is None else stored.error.code
        yield "engine", stored.engine
    if not stored.known:
        return
    items = queue.count(consumer)
    total = max(0, queue.written - consumer.first) if consumer.name else queue.total_items
    head = consumer.head
    yield "items", items
    yield "bytes", queue.backlog_bytes(consumer)
    yield "total_items", total
    yield "logsize", stored.disk_bytes
    yield "expired_items", counters.expired
    yield "mem_items", len(consumer.window) + len(consumer.returned)
    yield "mem_bytes", consumer.loaded
    yield "age", max(0, clock.now_ms() - head.created) if items and head else 0
    yield "discarded", counters.discarded
    yield "waiters", len(consumer.line)
    yield "open_transactions", len(consumer.open)
    yield "transactions", counters.opens
    yield "canceled_transactions", counters.aborts
    yield "total_flushes", counters.flushes
    yield "journal_rewrites", stored.compactions
    yield "journal_rotations", stored.trims
    oldest = next(iter(consumer.open.values()), None)
    yield "oldest_open_age", clock.monotonic_ms() - oldest.since if oldest else 0
    yield "open_timeouts", counters.timeouts
    yield "delayed", consumer.unavailable
    yield "returned", len(consumer.returns)
    yield "dead_lettered", counters.dead
    yield "dropped", counters.dropped
    yield "moved", counters.moved
    yield "purged", counters.purged
    yield "lagging", int(queue.limits.is_warned(consumer))
    if not consumer.name:
        yield "paused", _PAUSED[queue.paused]
        yield "received_expired", (queue.received or {}).get(EXPIRED, 0)
        yield "received_dead", (queue.received or {}).get(DEAD, 0)
        yield "received_moved", (queue.received or {}).get(MOVED, 0)
        yield "received_last", _last_received(stored)
        yield "damaged_items", stored.harm.lost
        yield "kept", stored.harm.kept
        yield "put_aside", stored.quarantine or "none"
        names = sorted(stored.name + b"+" + name for name in queue.consumers if name)
        if names:
            yield "children", text_of(b",".join(names))


def _last_received(stored: StoredQueue) -> str:
    """Where the last item that was moved here came from, and why: queue/id/reason."""
    origin = stored.queue.last_origin
    if origin is None:
        return "none"
    name = origin.queue + (b"+" + origin.consumer if origin.consumer else b"")
    return f"{text_of(name)}/{origin.id}/{_WHY[origin.why]}"


def text_of(name: bytes) -> str:
    """A name in one word."""
    return name.decode("utf-8", "surrogateescape")
