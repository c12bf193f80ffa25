"""Where items go: to a queue, to one of its consumers, or to all that an alias stands for.

Owns that it is let in everywhere or nowhere. Who asks finds the queues, and waits for them if need be.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..brokers.local import LocalBroker
from ..brokers.stored import StoredQueue
from ..errors import ClientError
from ..journals.large import Upload
from ..queues.batches import Completion
from ..queues.consumer import Consumer

__all__ = [
    "BATCH_LIMIT",
    "New",
    "Place",
    "Traits",
    "check_room",
    "let_in",
    "let_in_all",
    "must_sync",
    "names_of",
    "place_in",
    "too_large",
]

BATCH_LIMIT: Final = 4 * 1024 * 1024
"""Bytes that may gather for one commit before those who put have to wait for the disk."""


class Place(NamedTuple):
    """consumer: the only one that gets what is put, None for all."""

    stored: StoredQueue
    consumer: Consumer | None


class Traits(NamedTuple):
    """Of an item beside its data. ttl, delay: milliseconds from now, 0 is for ever and at once."""

    flags: int = 0
    ttl: int = 0
    delay: int = 0


class New:
    """An item to be put. uploads: its file in each place, if it is large; data is None then. size: bytes."""

    __slots__ = ("data", "size", "traits", "uploads")

    def __init__(self, data: bytes | None, traits: Traits) -> None:
        self.data = data
        self.size = 0 if data is None else len(data)
        self.traits = traits
        self.uploads: list[Upload] = []


def names_of(broker: LocalBroker, queue: bytes, consumer: bytes) -> list[tuple[bytes, bytes]]:
    """The queues, each with one consumer or b"". Raises `ClientError` if an alias is given one."""
    if queue not in broker.aliases:
        return [(queue, consumer)]
    if consumer:
        raise ClientError("an alias has no consumers")
    return list(broker.aliases[queue])


def place_in(stored: StoredQueue, consumer: bytes) -> Place:
    return Place(stored, stored.queue.consumer(consumer) if consumer else None)


def too_large(size: int, places: list[Place]) -> str:
    """What is to be said of an item that is larger than some place takes, "" if it is not."""
    for place in places:
        most = place.stored.settings.max_item_bytes
        if size > most:
            name = place.stored.name.decode("utf-8", "backslashreplace")
            return f"item of {size} bytes is too large for {name}, at most {most} are allowed"
    return ""


def must_sync(places: list[Place]) -> bool:
    """Whether the policy of a place wants what is put there on disk before it is answered."""
    return any(place.stored.syncs for place in places)


def check_room(place: Place, places: list[Place], size: int, items: int = 1, due: int = 0) -> None:
    """Raise what is in one place against so many items, of so many bytes together, that go to all places.

    A consumer is given each of them twice if it is one of the places, and its queue is, too.
    """
    twice = place.consumer is not None and Place(place.stored, None) in places
    times = 2 if twice else 1
    place.stored.queue.check_room(size * times, place.consumer, items * times, due)


def let_in(
    broker: LocalBroker,
    queue: bytes,
    places: list[Place],
    body: bytes | None,
    size: int,
    flags: int,
    expiry: int,
    sync: bool,
    files: list[int],
    due: int = 0,
) -> list[Completion]:
    """Put an item in all places, those of a queue or an alias; the commits its acknowledgement waits for.

    files: the number of its file in each place, 0 if it has none. Raises `QueueFullError` if there is no
    room in one, `ServerError`; then it is in none.
    """
    if len(places) > 1:  # the queue itself asks this, too
        for place in places:
            check_room(place, places, size, 1, due)
    commits: list[Completion] = []
    for (stored, consumer), number in zip(places, files, strict=True):
        lasts = 0 if stored.settings.ignore_client_expiry else expiry
        put = stored.queue.put
        commit = put(body, size, flags, lasts, sync, number, consumer, None, due)
        if commit.size > BATCH_LIMIT:
            stored.hold_back()
        commits.append(commit)
    if queue in broker.aliases:
        items, total = broker.alias_puts.get(queue, (0, 0))
        broker.alias_puts[queue] = (items + 1, total + size)
    return commits


def let_in_all(
    broker: LocalBroker, queue: bytes, places: list[Place], news: Sequence[New], now: int
) -> tuple[list[int], list[Completion]]:
    """As `let_in`, of items for which there is room together: their ids in the first place, and the commits.

    now: milliseconds since the epoch. Their files are the queues' from now on, whatever happens.
    """
    ids: list[int] = []
    commits: dict[Completion, None] = {}
    first = places[0].stored.queue
    none = [0] * len(places)
    for new in news:
        flags, ttl, delay = new.traits
        files = none
        if new.uploads:
            files = [each.number for each in new.uploads]
            new.uploads.clear()
        expiry, due = now + ttl if ttl else 0, now + delay if delay else 0
        ids.append(first.next_id)
        for commit in let_in(
            broker, queue, places, new.data, new.size, flags, expiry, False, files, due
        ):
            commits[commit] = None
    return ids, list(commits)
