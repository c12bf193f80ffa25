"""What is measured of a consumer again and again, in one go: gauges, and totals that never fall.

Owns what that is. It costs little, since it is done for every consumer there is, once a second and for each
scrape. What is asked now and then is in `queue_stats`. Knows nothing of who measures.
"""

from ..queues.consumer import Consumer
from ..queues.queue import Queue
from .sample import Sample

__all__ = ["sample_of"]


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
        counters.moved,
        counters.purged,
        counters.dead + counters.dropped,
    )
