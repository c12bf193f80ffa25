"""What a client may do to a queue as a whole, or to all of them: delete, flush, drop what has expired.

By the server's status these are changes, though they need no disk. A name that nobody has used, and an
alias, are answered as if something had been done. All queues are gone through in slices, and only so
many are worked on at once: each of them may have to open its journal.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ..brokers.stored import StoredQueue
from ..errors import ServerError
from ..protocol.commands import Delete, Flush, FlushAll, FlushAllExpired, FlushExpired
from ..queues.batches import Batch, Completion
from ..queues.consumer import Consumer
from ..queues.queue import Queue
from .gathered import Gathered, when_ended
from .slices import Slices, Step, go_on
from .state import State

__all__ = ["delete", "flush", "flush_all", "flush_all_expired", "flush_expired"]

log = logging.getLogger("darnerpy.session")

_AT_ONCE = 4
"""Queues, half of the threads that open and write: the others are left to other clients."""


def delete(session: State, command: Delete) -> None:
    _check(session)
    stored = session.existing(command.queue)
    _note(session, "delete", command, stored)
    commit: Completion | None = None
    if stored is not None and not command.consumer:
        commit = stored.delete()
    elif stored is not None:
        consumer = stored.queue.consumers.get(command.consumer)
        commit = _last(stored) if consumer is None else stored.queue.drop(consumer)
    if not command.noreply:
        session.slots.add(commit, session.replies.deleted)


def flush(session: State, command: Flush) -> None:
    _check(session)
    stored = session.existing(command.queue)
    _note(session, "flush", command, stored)
    commit: Completion | None = None
    if stored is not None and not command.consumer:
        commit = stored.queue.flush()
    elif stored is not None:
        consumer = stored.queue.consumers.get(command.consumer)
        commit = _last(stored) if consumer is None else stored.queue.flush(consumer)
    session.slots.add(commit, session.replies.flushed)


def flush_all(session: State, command: FlushAll) -> None:
    _check(session)
    log.info("asked to flush all queues", extra={"peer": session.outlet.peer})
    go_on(session, Slices(_flush_all(session, command.noreply), command.noreply))


def _flush_all(session: State, noreply: bool) -> Iterator[Step]:
    every = list(session.host.broker.existing())
    yield from _all_usable(every)
    under_way: deque[Completion] = deque()
    commits: list[Completion] = []
    for stored in every:
        yield from _usable(stored)
        if not stored.ready:
            continue
        commit = _flush(stored.queue)
        if commit is not None:
            commits.append(commit)
            under_way.append(commit)
        if len(under_way) == _AT_ONCE and not (first := under_way.popleft()).ended:
            yield partial(when_ended, first)
        yield None
    if not noreply:
        session.slots.add(Gathered(commits), session.replies.flushed_all)


def _flush(queue: Queue) -> Completion | None:
    """What the answer waits for. The journal of an empty queue need not even be opened."""
    consumers = queue.consumers.values()
    if any(queue.count(consumer) for consumer in consumers):
        return queue.flush()
    for consumer in consumers:
        consumer.counters.flushes += 1
    return queue.unwritten[-1] if queue.unwritten else None  # which may be what has emptied it


def flush_expired(session: State, command: FlushExpired) -> None:
    _check(session)
    stored = session.existing(command.queue)
    consumer = None if stored is None else stored.queue.consumers.get(command.consumer)
    found = [] if stored is None or consumer is None else [(stored, consumer)]
    go_on(session, Slices(_flush_expired(session, found)))


def flush_all_expired(session: State, command: FlushAllExpired) -> None:
    _check(session)
    go_on(session, Slices(_flush_all_expired(session)))


def _flush_all_expired(session: State) -> Iterator[Step]:
    every = list(session.host.broker.existing())
    yield from _all_usable(every)
    yield from _flush_expired(
        session, ((each, own) for each in every for own in list(each.queue.consumers.values()))
    )


def _flush_expired(
    session: State, consumers: Iterable[tuple[StoredQueue, Consumer]]
) -> Iterator[Step]:
    sweeping = _Sweeping()
    for stored, consumer in consumers:
        yield from _usable(stored)
        if stored.ready and stored.queue.count(consumer):
            sweeping.start(stored, consumer)
        while sweeping.under_way >= _AT_ONCE:
            yield sweeping.when_fewer
        yield None
    while sweeping.under_way:
        yield sweeping.when_fewer
    session.slots.add(Gathered(sweeping.commits), session.replies.count(sweeping.dropped))


def _note(session: State, act: str, command: Delete | Flush, stored: StoredQueue | None) -> None:
    """Note who asks, if there is such a queue or consumer."""
    if stored is not None and (not command.consumer or command.consumer in stored.queue.consumers):
        name = command.queue + (b"+" + command.consumer if command.consumer else b"")
        session.host.acts.note_often(act, name, session.outlet.peer)


def _check(session: State) -> None:
    refusal = session.host.guard.no_changes
    if refusal is not None:
        raise refusal


def _last(stored: StoredQueue) -> Batch | None:
    """A consumer that is not there may have gone in a batch that is not written yet."""
    return stored.queue.unwritten[-1] if stored.queue.unwritten else None


def _all_usable(every: Iterable[StoredQueue]) -> Iterator[Step]:
    """Before anything is done: raises `ServerError` if one of them cannot be used."""
    for stored in every:
        yield from _usable(stored)
        yield None


def _usable(stored: StoredQueue) -> Iterator[Step]:
    """Until it is ready, or deleted. Raises `ServerError` if it cannot be used."""
    while not (stored.ready or (stored.deletion is not None and stored.deletion.ended)):
        if stored.error is not None:
            raise stored.error
        yield stored.when_ready


class _Sweeping:
    """Has expired items leave the heads of consumers. dropped: how many have left."""

    def __init__(self) -> None:
        self.under_way = 0
        self.dropped = 0
        self.commits: list[Completion] = []
        self._then: Callable[[], None] | None = None

    def start(self, stored: StoredQueue, consumer: Consumer) -> None:
        self.under_way += 1
        stored.expire(consumer, partial(self._swept, stored))

    def when_fewer(self, then: Callable[[], None]) -> None:
        """Call back when one of those under way has ended."""
        self._then = then

    def _swept(self, stored: StoredQueue, dropped: int, error: ServerError | None) -> None:
        self.dropped += dropped
        if error is not None:
            self.commits.append(Completion(ended=True, error=error))
        elif dropped and stored.queue.unwritten:
            self.commits.append(stored.queue.unwritten[-1])
        self.under_way -= 1
        then, self._then = self._then, None
        if then is not None:
            then()
