"""What queues add up to, and have added up to while the process runs.

Owns the sums. What ever happened stays in them when a queue or a consumer is deleted, so that no total
falls; what there is at the moment is only of queues that are there and known.
"""

from ..queues.counters import Counters
from .stored import StoredQueue

__all__ = ["Totals"]


class Totals:
    """items: ever put, as far as their journals have them. lost: could not be served because of damage.
    counters: of all consumers.

    waiting, bytes: of what waits now. loading, failed: queues not known yet, and out of order.
    """

    def __init__(self) -> None:
        self.items = 0
        self.lost = 0
        self.counters = Counters()
        self.waiting = 0
        self.bytes = 0
        self.loading = 0
        self.failed = 0

    def include(self, past: "Totals") -> None:
        """What is over, too."""
        self.items += past.items
        self.lost += past.lost
        self.counters.add(past.counters)

    def add(self, stored: StoredQueue) -> None:
        """What a queue counts; of one that was deleted since, what is over."""
        queue = stored.queue
        self.items += queue.total_items
        self.lost += stored.harm.lost
        self.counters.add(queue.past)
        for consumer in queue.consumers.values():
            self.counters.add(consumer.counters)
        if stored.deletion is None and stored.exists:
            self.loading += stored.state == "loading"
            self.failed += stored.state == "failed"
            if stored.known:
                self.waiting += sum(map(queue.count, queue.consumers.values()))
                self.bytes += sum(map(queue.backlog_bytes, queue.consumers.values()))
