"""What takes more than a moment, as steps: a generator that says what has to be waited for.

Owns the form, and the waits that all have in common. Whoever drives one waits in its own way, and closes it
if nobody wants the result any more: what was begun is undone then. Knows no loop and no front.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from ..brokers.local import LocalBroker
from ..brokers.stored import StoredQueue
from ..errors import UnknownQueueError
from ..queues.batches import Completion
from .gathered import when_ended

__all__ = ["Steps", "Until", "committed", "existing", "known", "usable"]

T = TypeVar("T")

Until = Callable[[Callable[[], None]], object]
"""Waits for something: it is given what to call, once, when that has happened."""

Steps = Generator[Until | None, None, T]
"""None is yielded where others are to have their turn."""


def usable(broker: LocalBroker, name: bytes) -> Steps[StoredQueue]:
    """The queue of that name, made if there is none, when commands may be decided on it.

    Raises `ServerError` if it cannot be used.
    """
    while True:
        stored = broker.create(name)
        if stored.ready:
            return stored
        if stored.error is not None:
            raise stored.error
        yield stored.when_ready


def existing(broker: LocalBroker, name: bytes) -> Steps[StoredQueue | None]:
    """As `usable`, but None if there is no such queue; one that only has waiters is none."""
    while True:
        stored = broker.queues.get(name)
        if stored is None or not stored.exists:
            return None
        if stored.ready:
            return stored
        if stored.error is not None:
            raise stored.error
        yield stored.when_ready


def known(broker: LocalBroker, name: bytes) -> Steps[StoredQueue]:
    """As `existing`; raises `UnknownQueueError` if there is no such queue."""
    stored = yield from existing(broker, name)
    if stored is None:
        text = name.decode("utf-8", "backslashreplace")
        raise UnknownQueueError(f"there is no queue {text}")
    return stored


def committed(commit: Completion | None) -> Steps[None]:
    """Until a commit has ended; raises its error if it has failed."""
    if commit is None:
        return
    while not commit.ended:

        def until(then: Callable[[], None]) -> None:
            when_ended(commit, then)

        yield until
    if commit.error is not None:
        raise commit.error
