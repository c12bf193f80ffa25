"""What a client may do to a queue as a whole, or to all of them: delete, flush, drop what has expired.

By the server's status these are changes, though they need no disk. A name that nobody has used, and an
alias, are answered as if something had been done.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..brokers.stored import StoredQueue
from ..errors import ServerError
from ..protocol.commands import Delete, Flush, FlushAll, FlushAllExpired, FlushExpired
from ..queues.batches import Batch, Completion
from ..queues.consumer import Consumer
from .contract import Obstacle
from .gathered import Gathered

if TYPE_CHECKING:
    from .session import Session

__all__ = ["delete", "flush", "flush_all", "flush_all_expired", "flush_expired"]

log = logging.getLogger("darnerpy.session")


def delete(session: "Session", command: Delete) -> None:
    _check(session)
    stored = session.existing(command.queue)
    _note(session, "asked to delete", command, stored)
    commit: Completion | None = None
    if stored is not None and not command.consumer:
        commit = stored.delete()
    elif stored is not None:
        consumer = stored.queue.consumers.get(command.consumer)
        commit = _last(stored) if consumer is None else stored.queue.drop(consumer)
    if not command.noreply:
        session.slots.add(commit, session.words.deleted)


def flush(session: "Session", command: Flush) -> None:
    _check(session)
    stored = session.existing(command.queue)
    _note(session, "asked to flush", command, stored)
    commit: Completion | None = None
    if stored is not None and not command.consumer:
        commit = stored.queue.flush()
    elif stored is not None:
        consumer = stored.queue.consumers.get(command.consumer)
        commit = _last(stored) if consumer is None else stored.queue.flush(consumer)
    session.slots.add(commit, session.words.flushed)


def flush_all(session: "Session", command: FlushAll) -> None:
    _check(session)
    commit = Gathered([stored.queue.flush() for stored in _every(session)])
    log.info("asked to flush all queues", extra={"peer": session.outlet.peer})
    if not command.noreply:
        session.slots.add(commit, session.words.flushed_all)


def flush_expired(session: "Session", command: FlushExpired) -> None:
    _check(session)
    stored = session.existing(command.queue)
    consumer = None if stored is None else stored.queue.consumers.get(command.consumer)
    found = [] if stored is None or consumer is None else [(stored, consumer)]
    _Sweeping(session, found)


def flush_all_expired(session: "Session", command: FlushAllExpired) -> None:
    _check(session)
    every = _every(session)
    _Sweeping(session, [(each, own) for each in every for own in each.queue.consumers.values()])


def _note(
    session: "Session", what: str, command: Delete | Flush, stored: StoredQueue | None
) -> None:
    """Log who asks, if there is such a queue or consumer."""
    if stored is not None and (not command.consumer or command.consumer in stored.queue.consumers):
        name = command.queue + (b"+" + command.consumer if command.consumer else b"")
        log.info(what, extra={"queue": name, "peer": session.outlet.peer})


def _check(session: "Session") -> None:
    refusal = session.host.guard.no_changes
    if refusal is not None:
        raise refusal


def _last(stored: StoredQueue) -> Batch | None:
    """A consumer that is not there may have gone in a batch that is not written yet."""
    return stored.queue.unwritten[-1] if stored.queue.unwritten else None


def _every(session: "Session") -> list[StoredQueue]:
    """All queues, each of them usable."""
    every = list(session.host.broker.existing())
    for stored in every:
        session.usable(stored.name)
    return every


class _Sweeping:
    """Has expired items leave the heads of consumers; the answer is how many they were."""

    def __init__(self, session: "Session", consumers: list[tuple[StoredQueue, Consumer]]) -> None:
        self._session = session
        self._left = 1
        self._dropped = 0
        self._commits: list[Completion] = []
        session.obstacles |= Obstacle.WAIT
        for stored, consumer in consumers:
            self._left += 1
            done: Callable[[int, ServerError | None], None] = partial(self._swept, stored)
            stored.expire(consumer, done)
        self._done()

    def _swept(self, stored: StoredQueue, dropped: int, error: ServerError | None) -> None:
        self._dropped += dropped
        if error is not None:
            self._commits.append(Completion(ended=True, error=error))
        elif dropped and stored.queue.unwritten:
            self._commits.append(stored.queue.unwritten[-1])
        self._done()

    def _done(self) -> None:
        self._left -= 1
        if not self._left:
            count = self._session.words.count(self._dropped)
            self._session.answer_late(Obstacle.WAIT, Gathered(self._commits), count)
