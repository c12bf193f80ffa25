"""Having expired items leave at once, when somebody asks for that.

A sweep stands in the consumer's line like anyone who only wants to look: what has expired is passed
over on the way to the first item that has not, read from disk as far as need be, in bounded steps.
"""

from collections.abc import Callable

from ..errors import ServerError
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead

__all__ = ["Sweep"]


class Sweep:
    """done: called once, with how many items have left because they had expired, and why the rest
    cannot, if so.
    """

    open = False
    peek = True
    blocking = False

    def __init__(self, consumer: Consumer, done: Callable[[int, ServerError | None], None]) -> None:
        self._counters = consumer.counters
        self._before = consumer.counters.passed_over
        self._done = done

    def reachable(self) -> bool:
        return True

    def accept(self, item: Item) -> bool:
        return True

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        self.end(None)

    def end(self, error: ServerError | None) -> None:
        self._done(self._counters.passed_over - self._before, error)
