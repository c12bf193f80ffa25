"""The STAT lines: Kestrel's names, a superset of Darner's and siberite's, each of them true.

Counts and sizes come from the queues themselves at the moment of asking; nothing is kept here, so
a deleted queue leaves nothing behind.
"""

import os
from collections.abc import Iterator

from .. import __version__
from ..brokers.stored import StoredQueue
from ..protocol import replies
from .contract import Host

__all__ = ["queue_stats", "report", "server_stats"]


def report(host: Host, queue: bytes | None) -> bytes:
    """The whole reply to `stats` (queue None) or `stats <queue>`."""
    lines: list[bytes] = []
    if queue is None:
        lines += [replies.stat(name.encode(), value) for name, value in server_stats(host)]
    now = host.clock.now_ms()
    for stored in host.broker.existing():
        if queue is None or stored.name == queue:
            prefix = b"queue_%b_" % stored.name
            lines += [
                replies.stat(prefix + name.encode(), value)
                for name, value in queue_stats(stored, now)
            ]
    lines.append(replies.END)
    return b"".join(lines)


def server_stats(host: Host) -> Iterator[tuple[str, object]]:
    """Of the whole server. `sync` is the policy, `commit_ms` how long the last commit took."""
    counters, broker, settings = host.counters, host.broker, host.settings
    now = host.clock.now_ms()
    queues = [stored.queue for stored in broker.existing()]
    policy = settings.sync
    loaded = broker.windows.used
    yield "uptime", (now - counters.started) // 1000
    yield "time", now // 1000
    yield "version", __version__
    yield "pid", os.getpid()
    yield "curr_items", sum(queue.count(queue.own) for queue in queues)
    yield "total_items", sum(queue.total_items for queue in queues)
    yield "bytes", sum(queue.backlog_bytes(queue.own) for queue in queues)
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
    yield "queue_expires", 0
    yield (
        "sync",
        "always" if policy.always else f"{policy.interval_ms}ms" if policy.interval_ms else "never",
    )
    yield "commit_ms", f"{broker.commit_ms:.3f}"
    yield "open_journals", broker.open_journals
    yield "loading", int(broker.loading)


def queue_stats(stored: StoredQueue, now: int) -> Iterator[tuple[str, object]]:
    """Of one queue and its own consumer; now: milliseconds since the epoch. Ages are milliseconds."""
    queue = stored.queue
    own, counters = queue.own, queue.own.counters
    items = queue.count(own)
    yield "items", items
    yield "bytes", queue.backlog_bytes(own)
    yield "total_items", queue.total_items
    yield "logsize", stored.disk_bytes
    yield "expired_items", counters.expired
    yield "mem_items", len(own.window) + len(own.returned)
    yield "mem_bytes", own.loaded
    yield "age", max(0, now - own.head.created) if items and own.head else 0
    yield "discarded", counters.discarded
    yield "waiters", len(own.line.waiters)
    yield "open_transactions", len(own.open)
    yield "transactions", counters.opens
    yield "canceled_transactions", counters.aborts
    yield "total_flushes", counters.flushes
    yield "journal_rewrites", stored.compactions
    yield "journal_rotations", stored.trims
    oldest = min((held.since for held in own.open.values()), default=now)
    yield "oldest_open_age", max(0, now - oldest)
    yield "damaged_items", stored.lost
    yield "error", "none" if stored.error is None else " ".join(str(stored.error).split())
