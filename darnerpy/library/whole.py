"""What is asked of a queue or a consumer as a whole: how much there is, and to be rid of it.

Owns the steps. A queue that is deleted is closed for all who have it open in this process; a consumer that
is dropped, for those who read it.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..brokers.queue_stats import queue_stats
from ..brokers.stored import StoredQueue
from ..brokers.turn import Unready
from ..errors import QueueFullError
from ..queues.batches import Completion
from ..queues.consumer import Consumer
from ..queues.positions import Positions, shared
from .desk import Desk, Need, Pause, Steps
from .places import Desk as AnyDesk

__all__ = [
    "consumers",
    "count",
    "delete",
    "drop",
    "flush",
    "found_consumer",
    "is_full",
    "size",
    "stats",
    "sync",
]

T = TypeVar("T")


Wait = Callable[[Desk], None]
"""Returns when a queue of which nothing is known, since a turn was cut off, is read again."""


def count(desk: Desk, wait: Wait | None = None) -> int:
    """Items that wait."""
    return _now(desk, lambda stored, consumer: stored.queue.count(consumer), wait)


def size(desk: Desk, wait: Wait | None = None) -> int:
    """Their bytes."""
    return _now(desk, lambda stored, consumer: stored.queue.backlog_bytes(consumer), wait)


def is_full(desk: Desk, wait: Wait | None = None) -> bool:
    """Whether an item of one byte would be refused."""

    def check(stored: StoredQueue, consumer: Consumer) -> bool:
        try:
            stored.queue.check_room(1, None)
        except QueueFullError:
            return True
        return False

    return _now(desk, check, wait)


def consumers(desk: Desk, wait: Wait | None = None) -> list[bytes]:
    """The names of those there are, but for the queue's own."""
    return _now(desk, lambda stored, consumer: sorted(filter(None, stored.queue.consumers)), wait)


def _now(desk: Desk, look: Callable[[StoredQueue, Consumer], T], wait: Wait | None) -> T:
    """What is known of the queue at the moment, whether or not anything can be decided.

    wait: how to do that; without it, what is not known is told as if it were not there.
    """
    need: Need = "nothing" if wait is None else "known"
    while True:
        try:
            return desk.with_queue(look, need)
        except Unready:
            if wait is None:
                desk.directory.revive()
            else:
                wait(desk)


def stats(desk: Desk) -> Steps[dict[str, object]]:
    """With the journal measured as it is now."""
    sleeper = desk.make_sleeper(True)
    measured = yield from desk.when_ready(lambda stored, _: stored.measure(sleeper.wake))
    if measured:
        yield from _until_woken(desk, Pause(sleeper))
    clock = desk.directory.clock
    return (
        yield from desk.when_ready(
            lambda stored, consumer: dict(queue_stats(stored, consumer, clock))
        )
    )


def sync(desk: Desk) -> Steps[None]:
    """Put on disk all that was written."""
    is_open = yield from desk.when_ready(lambda stored, _: stored.journal is not None)
    if is_open:  # one that is closed was synced then
        yield from desk.with_journal(lambda journal: journal.sync())


def flush(desk: Desk, everybody: bool) -> Steps[None]:
    """Discard all that waits, for every consumer or the desk's."""

    def begin(stored: StoredQueue, consumer: Consumer) -> Completion | None:
        if not stored.exists:
            return None
        return stored.queue.flush(None if everybody else consumer)

    commit = yield from desk.when_ready(begin)
    yield from desk.committed(commit)


def delete(desk: Desk) -> Steps[None]:
    """Remove the queue, and close it for everybody."""
    why = f"{desk.path}: queue {desk.queue!r} was deleted"

    def begin(stored: StoredQueue, consumer: Consumer) -> Completion | None:
        for each in list(desk.place.desks):
            each.end_waits()
            if each is not desk:
                each.close(why)
        if stored.exists:
            return stored.delete()
        return None

    commit = yield from desk.when_ready(begin)
    yield from desk.committed(commit)
    desk.directory.run(partial(desk.close, why))


def drop(desk: Desk) -> Steps[None]:
    """Remove the consumer, and close it for everybody who reads it."""
    why = f"{desk.path}: the consumer {desk.queue!r} was dropped"

    def begin(stored: StoredQueue, consumer: Consumer) -> Completion:
        for each in _readers(desk):
            each.end_waits()
        return stored.queue.drop(consumer)

    commit = yield from desk.when_ready(begin)
    yield from desk.committed(commit)
    desk.directory.run(partial(_close_readers, desk, why))


def _close_readers(desk: Desk, why: str) -> None:
    for each in _readers(desk):
        each.close(why)


def _readers(desk: Desk) -> list[AnyDesk]:
    return [each for each in desk.place.desks if each.consumer == desk.consumer]


def found_consumer(
    desk: Desk, name: bytes, start: str | None, copy_from: bytes | None
) -> Steps[None]:
    """Make a consumer unless there is one. Raises ValueError if there is none to copy."""

    def begin(stored: StoredQueue, own: Consumer) -> Completion | None:
        queue = stored.queue
        known = queue.consumers.get(name)
        if known is not None:
            return queue.founding(known)
        if copy_from is not None:
            model = queue.consumers.get(copy_from)
            if model is None:
                return None
            at = model.positions.copy()
        elif start == "head":
            at = shared(each.positions for each in queue.consumers.values())
        elif start == "tail":
            at = Positions(queue.next_id, queue.next_offset)
        else:
            return queue.founding(queue.consumer(name))
        return queue.founding(queue.found(name, at))

    commit = yield from desk.when_ready(begin)
    if commit is None and copy_from is not None:
        there = yield from desk.when_ready(lambda stored, _: name in stored.queue.consumers)
        if not there:
            raise ValueError(
                f"{desk.path}: queue {desk.queue!r}: there is no consumer "
                f"{copy_from.decode('utf-8', 'backslashreplace')!r} to copy from"
            )
    yield from desk.committed(commit)


def _until_woken(desk: Desk, pause: Pause) -> Steps[None]:
    scheduler = desk.directory.scheduler
    with desk.lock:
        scheduler.attend(pause.sleeper.wake)
    try:
        while not (pause.sleeper.woken or scheduler.over):
            yield pause
    finally:
        scheduler.depart(pause.sleeper.wake)
