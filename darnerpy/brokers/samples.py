"""What is measured of a consumer again and again, in one go: gauges, and totals that never fall.

Owns what that is. It costs little, since it is done for every consumer there is, once a second and for each
scrape. What is asked now and then is in `queue_stats`. Knows nothing of who measures.
"""

from typing import NamedTuple

from ..queues.consumer import Consumer
from ..queues.queue import Queue

__all__ = ["Sample", "sample_of"]


class Sample(NamedTuple):
    """puts: items ever put to the queue, also if the consumer is a named one. gets: items that were handed
    out, each as often as it was; confirmed: those that were taken or closed; returned: those that came back.
    dead: also those that were dropped. age: of the next item, milliseconds, 0 if there is none or it is not
    in memory. The first eight are gauges.
    """

    age: int
    items: int
    bytes: int
    open_reads: int
    waiters: int
    delayed: int
    lagging: int
    paused: int
    puts: int
    gets: int
    confirmed: int
    returned: int
    expired: int
    discarded: int
    flushed: int
    dead: int


def sample_of(queue: Queue, consumer: Consumer, now: int) -> Sample:
    """now: milliseconds since the epoch. Of a queue that is not known yet it means nothing."""
    counters, positions = consumer.counters, consumer.positions
    held = len(consumer.open)
    items = queue.next_id - positions.position - positions.count_above - held
    age = 0
    if items > 0:
        head = consumer.head
        if head is not None:
            age = max(0, now - head.created)
    confirmed = positions.position - 1 + positions.count_above - counters.passed
    return Sample(
        age,
        items,
        queue.backlog_bytes(consumer),
        held,
        len(consumer.line),
        len(consumer.delayed) + len(consumer.leaving),
        int(queue.limits.is_warned(consumer)),
        queue.paused,
        queue.written - 1,
        confirmed + counters.aborts + counters.let_go + held,
        confirmed,
        counters.aborts,
        counters.expired,
        counters.discarded,
        counters.flushed,
        counters.dead + counters.dropped,
    )
