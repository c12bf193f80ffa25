"""The STAT lines: Kestrel's names, a superset of Darner's and siberite's, each of them true.

Counts and sizes come from the queues themselves at the moment of asking; nothing is kept here, so
a deleted queue leaves nothing behind. A named consumer has the same fields as a queue, as
`queue+consumer`: in Kestrel it is one.
"""

import os
from collections.abc import Iterator

from .. import __version__
from ..brokers.stored import StoredQueue
from ..clock import Clock
from ..protocol import replies
from ..queues.consumer import Consumer
from ..queues.items import DEAD, EXPIRED
from .contract import Host

__all__ = ["all_stats", "queue_stats", "report", "server_stats"]

Stat = tuple[str, object]


def report(host: Host, queue: bytes | None) -> bytes:
    """The whole reply to `stats` (queue None), `stats <queue>` or `stats <queue+consumer>`."""
    lines: list[bytes] = []
    if queue is None:
        lines += [replies.stat(name.encode(), value) for name, value in server_stats(host)]
    for name, stats in all_stats(host):
        if queue is None or name == queue:
            prefix = b"queue_%b_" % name
            lines += [replies.stat(prefix + field.encode(), value) for field, value in stats]
    lines.append(replies.END)
    return b"".join(lines)


def all_stats(host: Host) -> Iterator[tuple[bytes, list[Stat]]]:
    """Of every queue and, after it, of each of its consumers, by name; then of every alias."""
    for stored in host.broker.existing():
        for _, consumer in sorted(stored.queue.consumers.items()):
            name = stored.name + (b"+" + consumer.name if consumer.name else b"")
            yield name, list(queue_stats(stored, consumer, host.clock))
    for name, places in sorted(host.broker.aliases.items()):
        children = b",".join(queue + (b"+" + own if own else b"") for queue, own in places)
        items, size = host.broker.alias_puts.get(name, (0, 0))
        yield name, [("put_items", items), ("put_bytes", size), ("children", _text(children))]


def server_stats(host: Host) -> Iterator[Stat]:
    """Of the whole server. `sync` is the policy, `commit_ms` how long the last commit took."""
    counters, broker, settings = host.counters, host.broker, host.settings
    queues = [stored.queue for stored in broker.existing()]
    everyone = [(queue, each) for queue in queues for each in queue.consumers.values()]
    policy = settings.sync
    loaded = broker.windows.used
    yield "uptime", (host.clock.monotonic_ms() - counters.started) // 1000
    yield "time", host.clock.now_ms() // 1000
    yield "version", __version__
    yield "pid", os.getpid()
    yield "curr_items", sum(queue.count(consumer) for queue, consumer in everyone)
    yield "total_items", sum(queue.total_items for queue in queues)
    yield "bytes", sum(queue.backlog_bytes(consumer) for queue, consumer in everyone)
    yield "reserved_memory_ratio", f"{loaded / settings.window_memory:.3f}"
    yield "curr_connections", counters.connections
    yield "total_connections", counters.total_connections
    yield "refused_connections", counters.refused_connections
    yield "cmd_get", counters.gets
    yield "cmd_set", counters.sets
    yield "cmd_peek", counters.peeks
    yield "get_hits", counters.hits
    yield "get_misses", counters.misses
    yield "bytes_read", counters.bytes_read
    yield "bytes_written", counters.bytes_written
    yield "queue_creates", broker.created
    yield "queue_deletes", broker.deleted
    yield "queue_expires", broker.retired
    yield "status", host.guard.status
    yield "out_of_disk", int(broker.space.error is not None)
    yield (
        "sync",
        "always" if policy.always else f"{policy.interval_ms}ms" if policy.interval_ms else "never",
    )
    yield "commit_ms", f"{broker.commit_ms:.3f}"
    yield "open_journals", broker.open_journals
    yield "loading", int(broker.loading)
    yield "log_lines_lost", host.log_lines_lost()


def queue_stats(stored: StoredQueue, consumer: Consumer, clock: Clock) -> Iterator[Stat]:
    """Of one consumer, the queue's own or a named one, and of what it shares with the others.

    Ages are milliseconds. delayed: items held back before the next
    attempt, or on their way to another queue; they count in `items` too.
    """
    queue, counters = stored.queue, consumer.counters
    items = queue.count(consumer)
    head = consumer.head
    yield "items", items
    yield "bytes", queue.backlog_bytes(consumer)
    yield "total_items", queue.next_id - consumer.first if consumer.name else queue.total_items
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
    now = clock.monotonic_ms()
    yield "oldest_open_age", now - min((held.since for held in consumer.open.values()), default=now)
    yield "open_timeouts", counters.timeouts
    yield "delayed", consumer.aside
    yield "returned", len(consumer.returns)
    yield "dead_lettered", counters.dead
    yield "dropped", counters.dropped
    yield "lagging", int(queue.limits.is_warned(consumer))
    if not consumer.name:
        yield "received_expired", (queue.received or {}).get(EXPIRED, 0)
        yield "received_dead", (queue.received or {}).get(DEAD, 0)
        yield "received_last", _last_received(stored)
        yield "damaged_items", stored.lost
        yield "kept", stored.kept
        yield "put_aside", stored.aside or "none"
        yield "error", "none" if stored.error is None else " ".join(str(stored.error).split())
        names = sorted(stored.name + b"+" + name for name in queue.consumers if name)
        if names:
            yield "children", _text(b",".join(names))


def _last_received(stored: StoredQueue) -> str:
    """Where the last item that was moved here came from, and why: queue/id/reason."""
    origin = stored.queue.last_origin
    if origin is None:
        return "none"
    name = origin.queue + (b"+" + origin.consumer if origin.consumer else b"")
    return f"{_text(name)}/{origin.id}/{'expired' if origin.why == EXPIRED else 'dead'}"


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
