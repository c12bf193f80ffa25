"""The next item of a consumer for a request, waited for if need be.

Owns the place in line, its deadline, and the file of a large item. What is handed over is held, so that a
request that is closed before it has an answer gives it back as if it had never been away; whether it is
confirmed then, or leased, is decided by who asked.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from ...brokers.scheduling import Timer
from ...brokers.stored import StoredQueue
from ...errors import JournalError, PausedError, ServerError, UnknownConsumerError
from ...queues.batches import PAUSED_GETS, Batch
from ...queues.consumer import Consumer
from ...queues.items import Item
from ...queues.open_reads import OpenRead
from ..contract import Host
from ..steps import Steps
from .given import Caller
from .places import consumer_in, made_queue, queue_of, text_of

__all__ = ["Handed", "next_item", "readable"]


class Handed(NamedTuple):
    """An item that is held. handle: the open file of a large one."""

    stored: StoredQueue
    held: OpenRead
    handle: int | None

    def give_back(self) -> None:
        """It has not arrived: it is in its place again, and no attempt was made."""
        if self.handle is not None:
            os.close(self.handle)
        self.stored.queue.abort(self.held, counted=False)


def readable(
    host: Host, name: bytes, consumer_name: bytes, waits: bool
) -> Steps[tuple[StoredQueue, Consumer]]:
    """Where is to be read, when that can be decided; the queue is made if somebody waits there.

    Raises `UnknownQueueError`, `UnknownConsumerError`.
    """
    stored = yield from (made_queue if waits else queue_of)(host, name)
    try:
        return stored, consumer_in(stored, consumer_name)
    except UnknownConsumerError:
        host.broker.forget(stored)
        raise


def next_item(
    host: Host, caller: Caller, stored: StoredQueue, consumer: Consumer, wait_ms: int = 0
) -> Steps[Handed | None]:
    """The next item, held, of a queue that is ready; None if there is none, also not until so long from now.

    What it is held by may be written yet: see `OpenRead.commit`. Raises `PausedError` and other
    `ServerError`.
    """
    try:
        return (yield from _next(host, caller, stored, consumer, wait_ms))
    finally:
        host.broker.forget(stored)


def _next(
    host: Host, caller: Caller, stored: StoredQueue, consumer: Consumer, wait_ms: int
) -> Steps[Handed | None]:
    queue = stored.queue
    if host.guard.no_reads is not None:
        raise host.guard.no_reads
    if queue.paused & PAUSED_GETS:
        raise PausedError(f"queue {text_of(stored.name)} is paused: nothing is taken from it")
    held = queue.open(consumer)
    if held is not None:
        return _hand_over(stored, held)
    if not wait_ms and queue.is_empty(consumer):
        return None
    waiter = _Waiter(host, caller, stored, consumer, wait_ms)
    try:
        yield waiter.until_over
        # What is handed over in one turn is decided about in another: much may have happened.
        while waiter.has_item and not stored.ready and stored.error is None:
            yield stored.when_ready
    except BaseException:
        waiter.withdraw()
        raise
    handed, error = waiter.handed, waiter.error or stored.error
    if handed is not None and (error is not None or not waiter.has_item):
        commit = handed.held.commit
        error = error or (None if commit is None else commit.error)
        handed.give_back()
        handed = None
    if error is not None:
        raise error
    return handed


def _hand_over(stored: StoredQueue, held: OpenRead) -> Handed:
    try:
        handle = stored.large.open(held.item) if held.item.large else None
    except JournalError:
        stored.queue.abort(held, counted=False)
        raise
    return Handed(stored, held, handle)


class _Waiter:
    """A place in line. over: the wait is; handed: what it was for; error: why there is none."""

    open = True
    peek = False

    def __init__(
        self, host: Host, caller: Caller, stored: StoredQueue, consumer: Consumer, wait_ms: int
    ) -> None:
        self.blocking = wait_ms > 0
        self.over = False
        self.handed: Handed | None = None
        self.error: ServerError | None = None
        self._caller = caller
        self._guard = host.guard
        self._stored = stored
        self._consumer = consumer
        self._handle: int | None = None
        self._then: Callable[[], None] | None = None
        self._timer: Timer | None = None
        if self.blocking:
            self._timer = host.scheduler.call_later(wait_ms / 1000, self._give_up)
        consumer.line.join(self)
        stored.load(consumer)

    @property
    def has_item(self) -> bool:
        return self.handed is not None and not self.handed.held.gone

    def until_over(self, then: Callable[[], None]) -> None:
        """Call once when it is over; that may be in the middle of serving a queue."""
        self._then = then
        if self.over:
            then()

    def withdraw(self) -> None:
        """Nobody wants the item any more."""
        self._then = None
        self._stop_timer()
        self._consumer.line.leave(self)
        if self.handed is not None:
            self.handed.give_back()

    def _give_up(self) -> None:
        """Wait no longer for items to come, only for one that is on its way."""
        self._stop_timer()
        if self._stored.queue.is_empty(self._consumer):
            self._consumer.line.leave(self)
            self.end(None)
        else:
            self._consumer.line.stop_blocking(self)

    # -- what the line calls -----------------------------------------------------------------------

    def reachable(self) -> bool:
        return self._caller.is_reachable()

    def accept(self, item: Item) -> bool:
        if self._caller.is_gone():
            self.end(None)
            return False
        if self._guard.no_reads is not None:
            self.end(self._guard.no_reads)
            return False
        if item.large:
            try:
                self._handle = self._stored.large.open(item)
            except JournalError as error:
                self.end(error)
                return False
        return True

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        assert held is not None
        self.handed = Handed(self._stored, held, self._handle)
        self._end()

    def end(self, error: ServerError | None) -> None:
        self.error = error
        self._end()

    def _end(self) -> None:
        self.over = True
        self._stop_timer()
        if self._then is not None:
            self._then()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
