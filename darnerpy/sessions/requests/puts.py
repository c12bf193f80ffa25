"""Items that a request puts: one as it arrives, or several at once, all of them or none.

Owns the memory that a body takes: a small one is kept until it is whole, of a larger one only what the disk
has not yet taken. What can be told before the body comes is told then. Nothing of a half one stays.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...brokers.stored import StoredQueue
from ...errors import ItemTooLargeError, PausedError, ServerError
from ...journals.large import Upload
from ..contract import Host
from ..destinations import (
    New,
    Place,
    Traits,
    check_room,
    let_in_all,
    must_sync,
    names_of,
    place_in,
    too_large,
)
from ..gathered import Gathered
from ..signal import Signal
from ..steps import Steps, committed, usable
from ..uploads import Copies, Incoming
from .source import Source

__all__ = ["MOST_ITEMS", "New", "Traits", "put", "put_many"]

MOST_ITEMS = 10_000
"""Of one commit."""

_AHEAD = 512 * 1024
_INLINE = 256 * 1024
"""A larger item has a file of its own."""


def put(host: Host, name: bytes, source: Source, traits: Traits) -> Steps[int]:
    """Returns the item's id; of an alias, in the first of its queues.

    Raises `ItemTooLargeError` or `QueueFullError`, before the body comes if its size is known, or other
    `ClientError` and `ServerError`.
    """
    places = yield from _places(host, name)
    host.counters.sets += 1
    try:
        _check(places, source.size or 0, 1)
        size = 0
        pieces: list[bytes] = []
        while not source.ended:
            piece = source.take()
            if not piece:
                if not source.ended:
                    yield source.more
                continue
            size += len(piece)
            _check_size(places, size)
            pieces.append(piece)
            if size > source.inline:
                return (yield from _put_large(host, name, source, pieces, traits))
        places = yield from _places(host, name)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return (yield from _put_whole(host, name, places, [New(data, traits)]))[0]
    finally:
        _forget(host, places)


def put_many(host: Host, name: bytes, items: Sequence[New]) -> Steps[list[int]]:
    """All or none, in one commit, at least one. Returns their ids. Raises what `put` does."""
    places = yield from _places(host, name)
    host.counters.sets += len(items)
    news = list(items)
    with _expected(places):
        try:
            _check(places, sum(new.size for new in news), len(news), max(new.size for new in news))
            for at, item in enumerate(items):
                if item.size > _INLINE:
                    news[at] = new = New(None, item.traits)
                    new.size = yield from _write(places, [item.data or b""], new.uploads)
            places = yield from _places_again(host, name, places)
            return (yield from _put_whole(host, name, places, news))
        except BaseException:
            _remove(places, [upload for new in news for upload in new.uploads])
            raise


# -- deciding --------------------------------------------------------------------------------------


def _places(host: Host, name: bytes) -> Steps[list[Place]]:
    """Where it goes, all of them ready at the same time. Raises why nothing may be put at the moment."""
    while True:
        if host.guard.no_writes is not None:
            raise host.guard.no_writes
        names = names_of(host.broker, name, b"")
        for queue, _ in names:
            yield from usable(host.broker, queue)
        found = [host.broker.queues.get(queue) for queue, _ in names]
        ready = [stored for stored in found if stored is not None and stored.ready]
        if len(ready) == len(names):
            return [place_in(stored, own) for stored, (_, own) in zip(ready, names, strict=True)]


def _forget(host: Host, places: list[Place]) -> None:
    """Queues that were made for an item which was not let in."""
    for place in places:
        host.broker.forget(place.stored)


def _check(places: list[Place], size: int, items: int, largest: int = 0) -> None:
    """Raise what is known to be against so many items of so many bytes together."""
    _check_size(places, largest or size)
    for place in places:
        settings = place.stored.settings
        if settings.max_bytes is not None and size > settings.max_bytes:
            raise ItemTooLargeError(
                f"{size} bytes are more than max_bytes = {settings.max_bytes} of "
                f"{_text(place)} ever allows"
            )
        if settings.max_items is not None and items > settings.max_items:
            raise ItemTooLargeError(
                f"{items} items are more than max_items = {settings.max_items} of {_text(place)}"
            )
        try:
            check_room(place, places, size, items)
        except PausedError:
            raise PausedError(f"puts of {_text(place)} are paused") from None


def _check_size(places: list[Place], size: int) -> None:
    fault = too_large(size, places)
    if fault:
        raise ItemTooLargeError(fault)


def _text(place: Place) -> str:
    return place.stored.name.decode("utf-8", "backslashreplace")


def _put_whole(
    host: Host, name: bytes, places: list[Place], news: Sequence[New]
) -> Steps[list[int]]:
    """Put what is there, in this turn, and wait until it is written."""
    total = sum(new.size for new in news)
    _check(places, total, len(news), max(new.size for new in news))
    now = host.clock.now_ms()
    delayed = sum(new.traits.delay > 0 for new in news)
    latest = now + max(new.traits.delay for new in news)
    for place in places:
        if delayed:
            check_room(place, places, 0, delayed, latest)
    ids, commits = let_in_all(host.broker, name, places, news, now)
    yield from committed(Gathered(commits))
    return ids


# -- large items -----------------------------------------------------------------------------------


def _put_large(
    host: Host, name: bytes, source: Source, pieces: list[bytes], traits: Traits
) -> Steps[int]:
    """Put an item of which these pieces have come, and more is to come."""
    places = yield from _places(host, name)
    new = New(None, traits)
    with _expected(places):
        try:
            new.size = yield from _write(places, pieces, new.uploads, source)
            places = yield from _places_again(host, name, places)
            _check_size(places, new.size)
            return (yield from _put_whole(host, name, places, [new]))[0]
        except BaseException:
            _remove(places, new.uploads)
            raise


def _places_again(host: Host, name: bytes, before: list[Place]) -> Steps[list[Place]]:
    """The same places, which have their files."""
    places = yield from _places(host, name)
    if [place.stored for place in places] != [place.stored for place in before]:
        raise ServerError("the queue was deleted during the upload")
    return places


@contextmanager
def _expected(places: list[Place]) -> Iterator[None]:
    """Meanwhile the queues stay, though nothing may be in them yet."""
    for place in places:
        place.stored.expect_upload()
    try:
        yield
    finally:
        for place in places:
            place.stored.end_upload()


def _write(
    places: list[Place], pieces: list[bytes], uploads: list[Upload], source: Source | None = None
) -> Steps[int]:
    """Make a file in each place, of these pieces and what still comes; returns how many bytes it has."""
    moved = Signal()
    ended: list[ServerError | None] = []

    def finished(_: Incoming, error: ServerError | None) -> None:
        ended.append(error)
        moved.give()

    incoming = Incoming(places[0].stored, must_sync(places), moved.give, finished)
    size = sum(map(len, pieces))
    try:
        for piece in pieces:
            incoming.add(piece)
        pieces.clear()
        while source is not None and not source.ended and not incoming.failed:
            if incoming.waiting >= _AHEAD:
                yield moved.wait
                continue
            piece = source.take()
            if piece:
                size += len(piece)
                _check_size(places, size)
                incoming.add(piece)
            elif not source.ended:
                yield source.more
        incoming.end()
        while not ended:
            yield moved.wait
    except BaseException:
        if not ended:
            incoming.discard()
        elif ended[0] is None:  # whole by now
            incoming.remove()
        raise
    if ended[0] is not None:
        raise ended[0]
    uploads.append(incoming.upload)
    if len(places) > 1:
        yield from _link(incoming, [place.stored for place in places[1:]], uploads)
    return size


def _link(incoming: Incoming, others: list[StoredQueue], uploads: list[Upload]) -> Steps[None]:
    """The same file in other queues."""
    linked = Signal()
    ended: list[ServerError | None] = []

    def done(links: list[Upload], error: ServerError | None) -> None:
        ended.append(error)
        uploads.extend(links)
        linked.give()
        if dropped:
            _discard(others[0], links)

    dropped = False
    try:
        Copies(incoming, others, done)
        while not ended:
            yield linked.wait
    except BaseException:
        dropped = not ended
        raise
    if ended[0] is not None:
        raise ended[0]


def _remove(places: list[Place], uploads: list[Upload]) -> None:
    """Files that are not wanted any more."""
    _discard(places[0].stored, uploads)


def _discard(stored: StoredQueue, uploads: list[Upload]) -> None:
    for upload in uploads:
        stored.in_thread(upload.discard, lambda *_: None)
