"""The reports: stats, dump_stats and dump_config, a step for each queue and consumer.

Owns what is said in which order. What is said of each is in `stats`. Queues may come and go while a
report is made: those that are new are not in it, and what has gone counts where it is a total.
"""

from collections.abc import Iterator, Sequence

from ..brokers.stored import StoredQueue
from ..brokers.totals import Totals
from ..config import QueueSettings, options, written, written_queue
from ..names import split
from ..protocol import replies
from .contract import Host
from .slices import Step
from .stats import Stat, alias_stats, consumers_of, queue_stats, reason, server_stats

__all__ = ["config_dump", "report", "stats_dump", "unended"]


def unended(steps: Iterator[Step]) -> Iterator[Step]:
    """The same, but no part ends with a line, save the last.

    Parts may arrive apart, and some clients (emcache) take what ends with a line for the whole.
    """
    kept = b""
    for step in steps:
        if isinstance(step, bytes):
            yield kept + step[:-2]
            kept = step[-2:]
        else:
            yield step
    yield kept


def report(host: Host, queue: bytes | None) -> Iterator[Step]:
    """The reply to `stats` (queue None), `stats <queue>` or `stats <queue+consumer>`."""
    if queue is None:
        yield host.broker.measure
        yield from _server(host)
        for name, stats in _all(host):
            yield _lines(name, stats)
    else:
        yield from _measured(host, queue)
        found = _of(host, queue)
        if found is not None:
            yield _lines(queue, found)
    yield replies.END


def stats_dump(host: Host, queues: Sequence[bytes]) -> Iterator[Step]:
    """The reply to `dump_stats`: of these, known or not, or of all; with the reason of an error."""
    if queues:
        for name in queues:
            yield from _measured(host, name)
            yield replies.queue_block(name, [*(_of(host, name) or ()), *_reason(host, name)])
    else:
        yield host.broker.measure
        none = True
        for name, stats in _all(host):
            none = False
            yield replies.queue_block(name, [*stats, *_reason(host, name)])
        if none:
            # Kestrel puts line breaks between the blocks and what follows: one even if there are none.
            yield b"\r\n"
    yield replies.END


def config_dump(host: Host, queues: Sequence[bytes]) -> Iterator[Step]:
    """The reply to `dump_config`: of the server, and what holds for these queues, or for all."""
    of_queues, known = written_queue(host.settings.queue(b"")), options(QueueSettings)
    above = [each for each in of_queues if known[each[0]].top_level]
    yield replies.block(b"server", [*written(host.settings), *above])
    for name in queues or (stored.name for stored in host.broker.existing()):
        chosen = written_queue(host.settings.queue(*split(name)))
        yield replies.queue_block(name, chosen)
    yield replies.END


def _server(host: Host) -> Iterator[Step]:
    totals = Totals()
    totals.include(host.broker.past)
    for stored in host.broker.every:
        totals.add(stored)
        yield None
    yield b"".join(replies.stat(name.encode(), value) for name, value in server_stats(host, totals))


def _all(host: Host) -> Iterator[tuple[bytes, Iterator[Stat]]]:
    """Of every queue and, after it, of each of its consumers, by name; then of every alias."""
    for stored in host.broker.existing():
        for name, consumer in consumers_of(stored):
            yield name, queue_stats(stored, consumer, host.clock)
    for name in sorted(host.broker.aliases):
        yield name, alias_stats(host, name)


def _of(host: Host, name: bytes) -> Iterator[Stat] | None:
    if name in host.broker.aliases:
        return alias_stats(host, name)
    stored = _found(host, name)
    consumer = None if stored is None else stored.queue.consumers.get(split(name)[1])
    if stored is None or consumer is None:
        return None
    return queue_stats(stored, consumer, host.clock)


def _measured(host: Host, name: bytes) -> Iterator[Step]:
    stored = _found(host, name)
    if stored is not None and stored.journal is not None:
        yield stored.measure


def _reason(host: Host, name: bytes) -> Iterator[Stat]:
    stored = _found(host, name)
    if stored is not None and stored.name == name:
        yield from reason(stored)


def _found(host: Host, name: bytes) -> StoredQueue | None:
    stored = host.broker.queues.get(split(name)[0])
    return stored if stored is not None and stored.exists else None


def _lines(name: bytes, stats: Iterator[Stat]) -> bytes:
    prefix = b"queue_%b_" % name
    return b"".join(replies.stat(prefix + field.encode(), value) for field, value in stats)
