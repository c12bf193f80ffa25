"""Which items of a log wait for a consumer, as it was at one moment: for looking behind the next one.

Owns that picture. It may be used in any thread, and does not change when the consumer does.
"""

from .consumer import Consumer
from .items import Item
from .positions import Positions

__all__ = ["Waiting"]


class Waiting:
    """now: milliseconds since the epoch."""

    def __init__(self, consumer: Consumer, now: int) -> None:
        at = consumer.positions
        self._consumer = consumer
        self._now = now
        self._confirmed: Positions | None = None
        self._position, self._spans = at.position, list(at.spans)
        most = consumer.settings.max_attempts
        self._away = {
            *consumer.open,
            *consumer.leaving,
            *consumer.delayed,
            *(
                back.id
                for back in consumer.returns.values()
                if back.due > now or (most and back.attempts >= most)
            ),
        }

    def first_from(self, item_id: int) -> int:
        """The lowest id from this one on that is not confirmed."""
        if self._confirmed is None:
            self._confirmed = Positions(self._position, 0, self._spans)
        return self._confirmed.next_unconfirmed(item_id)

    def first_of_last(self, number: int, stop: int) -> int:
        """The id from which on so many wait below `stop`, or all there are. Those that have expired count."""
        if number <= 0:
            return stop
        begins = [self._position, *(span.stop for span in self._spans)]
        ends = [*(span.first for span in self._spans), stop]
        for at in range(len(begins) - 1, -1, -1):
            for item_id in range(ends[at] - 1, begins[at] - 1, -1):
                if item_id not in self._away:
                    number -= 1
                    if number == 0:
                        return item_id
        return self._position

    def has(self, item: Item) -> bool:
        """Whether it waits: nobody has confirmed or holds it, and its time is neither over nor to come."""
        return (
            item.id not in self._away
            and self.first_from(item.id) == item.id
            and item.due <= self._now
            and not self._consumer.has_expired(item, self._now)
        )
