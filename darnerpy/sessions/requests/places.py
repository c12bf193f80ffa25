"""Where an act is done: a queue that there is, a consumer of it, a queue that is made if need be.

Owns what is said of a name that is none of these. An alias is no queue: it holds nothing that could be
acted on.
"""

from ...brokers.stored import StoredQueue
from ...errors import ClientError, UnknownConsumerError
from ...queues.consumer import Consumer
from ..contract import Host
from ..steps import Steps, known, usable

__all__ = [
    "consumer_in",
    "made_queue",
    "named",
    "queue_of",
    "refuse_alias",
    "refuse_changes",
    "refuse_none",
    "text_of",
]


def text_of(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def named(queue: bytes, consumer: bytes) -> bytes:
    """A consumer, as logs name it."""
    return queue + b"+" + consumer if consumer else queue


def refuse_changes(host: Host) -> None:
    """Raise what the server's status says against a change, if it does."""
    if host.guard.no_changes is not None:
        raise host.guard.no_changes


def refuse_none(what: str, number: int | None) -> None:
    """A number of items, if one is given, is at least one."""
    if number is not None and number < 1:
        raise ClientError(f"{what}: expected a whole number, at least 1, not {number}")


def refuse_alias(host: Host, name: bytes) -> None:
    if name in host.broker.aliases:
        to = (queue + (b"+" + own if own else b"") for queue, own in host.broker.aliases[name])
        told = ", ".join(map(text_of, to))
        raise ClientError(f"{text_of(name)} is an alias, expected a queue; it stands for {told}")


def queue_of(host: Host, name: bytes) -> Steps[StoredQueue]:
    """The queue of that name. Raises `UnknownQueueError` if there is none."""
    refuse_alias(host, name)
    return (yield from known(host.broker, name))


def made_queue(host: Host, name: bytes) -> Steps[StoredQueue]:
    """The queue of that name, made if there is none."""
    refuse_alias(host, name)
    return (yield from usable(host.broker, name))


def consumer_in(stored: StoredQueue, name: bytes) -> Consumer:
    """b"" is the queue's own. Raises `UnknownConsumerError`."""
    consumer = stored.queue.consumers.get(name)
    if consumer is None:
        raise UnknownConsumerError(
            f"there is no consumer {text_of(name)} of queue {text_of(stored.name)}"
        )
    return consumer
