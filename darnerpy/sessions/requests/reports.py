"""What is said of queues and consumers, as values: the names are those of `stats`.

Owns which queues are in a list, and that one of thousands is made in slices. What is said of each is in
`brokers.queue_stats`.
"""

from collections.abc import Callable
from heapq import heapify, heappop
from typing import NamedTuple

from ...brokers.queue_stats import queue_stats
from ...brokers.stored import StoredQueue
from ...config import QueueRule, written_queue
from ..contract import Host
from ..pace import Pace
from ..steps import Steps, existing, known

__all__ = ["Page", "Report", "one", "several", "waiting"]

Stats = dict[str, object]


class Report(NamedTuple):
    """stats: of the queue's own consumer; consumers: of each named one. settings: each as it is written,
    and where it comes from.
    """

    name: bytes
    stats: Stats
    consumers: dict[bytes, Stats]
    settings: dict[str, tuple[str, str]]


class Page(NamedTuple):
    """next: there are more, after that name; None if there are none."""

    reports: list[Report]
    next: bytes | None


def several(host: Host, glob: bytes, limit: int, after: bytes) -> Steps[Page]:
    """So many queues whose names fit, by name, from behind one on; without their consumers."""
    pace = Pace()
    queues = host.broker.queues
    fits = _fits(glob)
    names = [name for name in queues if name > after]
    heapify(names)
    reports: list[Report] = []
    while names:
        name = heappop(names)
        if pace.is_over():
            yield None
        stored = queues.get(name)
        if stored is None or not stored.exists or not fits(name):
            continue
        if len(reports) == limit:
            return Page(reports, reports[-1].name)
        reports.append(Report(name, _stats(host, stored), {}, {}))
    return Page(reports, None)


def one(host: Host, name: bytes) -> Steps[Report]:
    """Raises `UnknownQueueError`."""
    stored = yield from known(host.broker, name)
    if stored.journal is not None:
        yield stored.measure
    pace = Pace()
    consumers: dict[bytes, Stats] = {}
    for each in sorted(stored.queue.consumers):
        consumer = stored.queue.consumers.get(each)
        if each and consumer is not None:
            consumers[each] = dict(queue_stats(stored, consumer, host.clock))
        if pace.is_over():
            yield None
    origins = host.origins.of_queue(host.settings, name)
    settings = {key: (value, origins[key]) for key, value in written_queue(stored.settings)}
    return Report(name, _stats(host, stored), consumers, settings)


def waiting(host: Host, name: bytes) -> Steps[Stats]:
    """What is said of a queue, if there is one; of one that there is not, that it is empty."""
    stored = yield from existing(host.broker, name)
    if stored is None:
        return {"items": 0, "bytes": 0, "total_items": 0}
    return _stats(host, stored)


def _stats(host: Host, stored: StoredQueue) -> Stats:
    return dict(queue_stats(stored, stored.queue.own, host.clock))


def _fits(glob: bytes) -> Callable[[bytes], bool]:
    return QueueRule(glob, {}).matches if glob else lambda name: True
