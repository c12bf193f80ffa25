"""Items that a request looks at and leaves where they are: any run of those that wait."""

from typing import NamedTuple

from ...brokers.browse import Browse
from ...brokers.turn import standing
from ...errors import JournalError, ServerError
from ...queues.items import Item
from ...queues.waiting import Waiting
from ..contract import Host
from ..signal import Signal
from ..steps import Steps
from .given import Given, enough_bytes
from .waiting import readable

__all__ = ["MOST", "Seen", "look"]

MOST = 1000
"""Items at once."""


class Seen(NamedTuple):
    """next_id: what the next item would have got when it was looked."""

    given: list[Given]
    next_id: int


def look(
    host: Host,
    name: bytes,
    consumer: bytes,
    offset: int,
    most: int,
    after: int = 0,
    last: int | None = None,
) -> Steps[Seen]:
    """So many items at most from behind so many others on. What is held, or delayed, does not wait.

    after: only those with higher ids. last: only so many, the ones put last; it goes before `after`.
    Raises `UnknownQueueError`, `UnknownConsumerError`, and `ServerError`.
    """
    stored, place = yield from readable(host, name, consumer, waits=False)
    if host.guard.no_reads is not None:
        raise host.guard.no_reads
    next_id = stored.queue.next_id
    over = Signal()
    items: list[Item] = []
    errors: list[ServerError] = []

    def found(seen: list[Item], error: ServerError | None) -> None:
        items.extend(seen)
        if error is not None:
            errors.append(error)
        over.give()

    now = host.clock.now_ms()
    if last is not None:
        after = Waiting(place, now).first_of_last(last, next_id) - 1
    browse = Browse(stored, place, offset, now, found, most, enough_bytes(host), after)
    try:
        browse.go_on()
        yield over.wait
    finally:
        browse.withdraw()
    if errors:
        raise errors[0]
    given: list[Given] = []
    for item in items:
        attempts, _ = standing(place, item)
        handle = None
        if item.large:
            try:
                handle = stored.large.open(item)
            except JournalError:  # it was taken and deleted meanwhile, if others were found
                if len(items) == 1:
                    raise
                continue
        given.append(Given(item, attempts, now - item.created, handle))
    host.counters.hits += len(given)
    host.counters.peeks += len(given)
    if not given:
        host.counters.misses += 1
        host.counters.peeks += 1
    return Seen(given, next_id)
