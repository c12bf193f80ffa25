"""What the reports say: Kestrel's names, a superset of Darner's and siberite's, each of them true.

Owns the names (docs/monitoring.md explains them) and that each value is one word: clients split lines at
blanks. Counts and sizes come from the queues themselves at the moment of asking. A named consumer has
the same fields as a queue, as `queue+consumer`: in Kestrel it is one.
"""

import os
from collections.abc import Iterator

from ..brokers.queue_stats import Stat, queue_stats, text_of
from ..brokers.stored import StoredQueue
from ..brokers.totals import Totals
from ..queues.consumer import Consumer
from ..version import __version__
from .contract import Host

__all__ = ["Stat", "alias_stats", "consumers_of", "queue_stats", "reason", "server_stats"]


def consumers_of(stored: StoredQueue) -> Iterator[tuple[bytes, Consumer]]:
    """A queue's consumers by the names they have in reports; only its own while they are not known."""
    for name, consumer in sorted(stored.queue.consumers.items()) if stored.known else ():
        yield stored.name + (b"+" + name if name else b""), consumer
    if not stored.known:
        yield stored.name, stored.queue.own


def alias_stats(host: Host, name: bytes) -> Iterator[Stat]:
    children = (queue + (b"+" + own if own else b"") for queue, own in host.broker.aliases[name])
    items, size = host.broker.alias_puts.get(name, (0, 0))
    yield "put_items", items
    yield "put_bytes", size
    yield "children", text_of(b",".join(children))


def server_stats(host: Host, totals: Totals) -> Iterator[Stat]:
    """Of the whole server. `sync` and `sync_ops` are the policy of queues for which no table has another,
    `commit_ms` is how long the last commit took.
    """
    counters, broker, settings = host.counters, host.broker, host.settings
    every_queue = settings.queue(b"")
    policy = every_queue.sync
    loaded = broker.windows.used
    yield "uptime", (host.clock.monotonic_ms() - counters.started) // 1000
    yield "time", host.clock.now_ms() // 1000
    yield "version", __version__
    yield "pid", os.getpid()
    yield "curr_items", totals.waiting
    yield "total_items", totals.items
    yield "bytes", totals.bytes
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
    yield "expired_items", totals.counters.expired
    yield "discarded", totals.counters.discarded
    yield "dead_lettered", totals.counters.dead
    yield "dropped", totals.counters.dropped
    yield "purged", totals.counters.purged
    yield "damaged_items", totals.lost
    yield "status", host.guard.status
    yield "out_of_disk", int(broker.space.error is not None)
    yield (
        "sync",
        "always" if policy.always else f"{policy.interval_ms}ms" if policy.interval_ms else "never",
    )
    yield "sync_ops", every_queue.sync_ops or "off"
    yield "commit_ms", f"{broker.commit_ms:.3f}"
    yield "open_journals", broker.open_journals
    yield "loading", int(broker.loading)
    yield "loading_queues", totals.loading
    yield "failed_queues", totals.failed
    tap, events = host.tap()
    yield "tap", tap
    yield "tap_events", events
    yield "log_lines_lost", host.log_lines_lost()


def reason(stored: StoredQueue) -> Iterator[Stat]:
    """Why a queue cannot be used, in words: for dumps, where a line is one value."""
    if stored.error is not None:
        yield "reason", " ".join(str(stored.error).split())
