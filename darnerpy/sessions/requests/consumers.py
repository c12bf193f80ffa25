"""The named consumers of a queue: which there are, a new one, one less.

How a consumer was made is known to the process that has made it, and not to the next: after a restart one
that is asked for again is taken for the same, however it is to start.
"""

from dataclasses import replace
from typing import Literal, NamedTuple, cast

from ... import names
from ...brokers.queue_stats import queue_stats
from ...brokers.stored import StoredQueue
from ...errors import ClientError, ConflictError
from ...queues.consumer import Consumer
from ...queues.log import OWN
from ..contract import Host
from ..steps import Steps, committed
from .places import consumer_in, made_queue, named, queue_of, refuse_changes, text_of

__all__ = ["Made", "Stats", "consumer", "consumers", "drop_consumer", "make_consumer"]

Stats = dict[str, object]


class Made(NamedTuple):
    """new: it was not there. stats: of when it was made, or found: by now somebody may have dropped it."""

    new: bool
    stats: Stats


def consumers(host: Host, name: bytes) -> Steps[list[tuple[bytes, Stats]]]:
    """The named ones, by name, each with what is said of it in numbers. Raises `UnknownQueueError`."""
    stored = yield from queue_of(host, name)
    found = []
    for each in sorted(stored.queue.consumers):
        known = stored.queue.consumers.get(each)
        if known is not None and each != OWN:
            found.append((each, _stats(host, stored, known)))
            yield None
    return found


def consumer(host: Host, name: bytes, consumer: bytes) -> Steps[Stats]:
    """What is said of one. Raises `UnknownQueueError`, `UnknownConsumerError`."""
    stored = yield from queue_of(host, name)
    return _stats(host, stored, consumer_in(stored, consumer))


def _stats(host: Host, stored: StoredQueue, consumer: Consumer) -> Stats:
    return dict(queue_stats(stored, consumer, host.clock))


def make_consumer(
    host: Host,
    who: str,
    name: bytes,
    consumer: bytes,
    start: str | None = None,
    copy_from: bytes | None = None,
) -> Steps[Made]:
    """It is on disk when this returns; the queue is made if there is none.

    start: "tail" or "head". copy_from: the consumer at whose place it begins instead. What is not given is as
    the settings say. Raises `ConflictError` if there is one that was made another way, as far as that is
    known.
    """
    refuse_changes(host)
    names.split(named(name, consumer))
    if not consumer or b"+" in consumer:
        raise ClientError(f"expected the name of a consumer, not {text_of(consumer)!r}")
    if start not in (None, "tail", "head"):
        raise ClientError(f'start: expected "tail" or "head", not {start!r}')
    stored = yield from made_queue(host, name)
    queue = stored.queue
    settings = host.settings.queue(name, consumer)
    if start is not None:
        settings = replace(settings, start=cast(Literal["tail", "head"], start), copy_from=b"")
    if copy_from is not None:
        settings = replace(settings, copy_from=copy_from)
    known = queue.consumers.get(consumer)
    if known is not None:
        if start is not None or copy_from is not None:
            _check_same(known.begun, (settings.start, settings.copy_from), name, consumer)
        stats = _stats(host, stored, known)
        yield from committed(queue.founding(known))
        return Made(False, stats)
    if copy_from and copy_from not in queue.consumers:
        host.broker.forget(stored)
        raise ClientError(
            f"copy_from: there is no consumer {text_of(copy_from)} of queue {text_of(name)}"
        )
    told = {"copy_from": settings.copy_from} if settings.copy_from else {"start": settings.start}
    host.acts.note("make", named(name, consumer), who, **told)
    made = queue.found_as(consumer, settings)
    stats = _stats(host, stored, made)
    yield from committed(queue.founding(made))
    return Made(True, stats)


def _check_same(
    begun: tuple[str, bytes] | None, asked: tuple[str, bytes], name: bytes, consumer: bytes
) -> None:
    # Where it copied another one its own start was of no account.
    if begun is None or begun == asked or (begun[1] and begun[1] == asked[1]):
        return
    start, copied = begun
    how = f"copy_from {text_of(copied)}" if copied else f"start {start}"
    raise ConflictError(
        f"there is a consumer {text_of(consumer)} of queue {text_of(name)} already, made with {how}"
    )


def drop_consumer(host: Host, who: str, name: bytes, consumer: bytes) -> Steps[None]:
    """Its place is forgotten, who holds an item of it holds nothing any more. One that the settings name is
    there again after the next reload or start. Raises `UnknownQueueError`, `UnknownConsumerError`.
    """
    refuse_changes(host)
    if not consumer:
        raise ClientError("expected the name of a consumer: a queue's own goes with the queue")
    stored = yield from queue_of(host, name)
    known = consumer_in(stored, consumer)
    host.acts.note("drop", named(name, consumer), who)
    yield from committed(stored.queue.drop(known))
