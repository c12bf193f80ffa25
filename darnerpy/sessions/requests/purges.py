"""Throwing away what waits in a queue: the first so many, what is older than so much, or all.

Items that are held stay, and may be confirmed and returned. What is gone counts as purged, but for all,
which is a flush. If it is broken off, what was thrown away until then stays so, and is on disk.
"""

from ...brokers.stored import StoredQueue
from ...errors import ClientError
from ...queues.batches import Batch
from ...queues.consumer import Consumer
from ...units import write_duration
from ..contract import Host
from ..steps import Steps, committed
from .places import consumer_in, named, queue_of, refuse_changes, refuse_none
from .walking import Walk

__all__ = ["purge"]


def purge(
    host: Host,
    who: str,
    name: bytes,
    consumer: bytes = b"",
    first: int | None = None,
    older_than_ms: int | None = None,
    everything: bool = False,
) -> Steps[int]:
    """How many are gone. consumer: b"" is the queue's own, and for everything all of them; then those that
    waited for the queue's own are counted.

    With both first and older_than_ms, the first so many of those that are older. Times of put need not be
    in order, so that all that waits is looked at for them. Raises `UnknownQueueError`,
    `UnknownConsumerError`.
    """
    refuse_changes(host)
    if everything == (first is not None or older_than_ms is not None):
        raise ClientError("purge: expected first or older_than, or both, or else all")
    refuse_none("first", first)
    stored = yield from queue_of(host, name)
    place = consumer_in(stored, consumer)
    more: dict[str, object] = {}
    if everything:
        more["all"] = True
    if first is not None:
        more["first"] = first
    if older_than_ms is not None:
        more["older_than"] = write_duration(older_than_ms)
    host.acts.note("purge", named(name, consumer), who, **more)
    if everything:
        gone = stored.queue.count(place)
        yield from committed(stored.queue.flush(place if consumer else None))
        return gone
    before = None if older_than_ms is None else host.clock.now_ms() - older_than_ms
    return (yield from _throw_away(stored, place, first, before))


def _throw_away(
    stored: StoredQueue, consumer: Consumer, most: int | None, before: int | None
) -> Steps[int]:
    walk, gone = Walk(stored, consumer), 0
    batch: Batch | None = None
    while most is None or gone < most:
        items = yield from walk.next()
        if not items:
            break
        chosen = [item for item in items if before is None or item.created < before]
        if most is not None:
            del chosen[most - gone :]
        if chosen:
            batch = stored.queue.throw_away(consumer, chosen)
            gone += len(chosen)
        yield from _pause(walk, batch)
    yield from committed(batch)
    return gone


def _pause(walk: Walk, batch: Batch | None) -> Steps[None]:
    """Others have their turn, and what was read is off memory before more is."""
    if walk.at_hand:
        yield None
    else:
        yield from committed(batch)
