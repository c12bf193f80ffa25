"""Leases as requests ask for them: give one, confirm, abort, extend.

Owns how long a lease may be, and what is told of one that is over. Nobody who asks need be connected to
anything later: the id is all there is. What a lease does to a queue is in `queues/holding.py`, what an id
is in `lease_ids`.
"""

import os
import secrets
from functools import partial
from typing import Final

from ...brokers.stored import StoredQueue
from ...brokers.turn import standing
from ...errors import ClientError, LeaseEndedError
from ...queues.batches import Completion
from ...queues.events import ABORT, RETURN
from ...queues.holding import MAX_LEASE_MS
from ...queues.open_reads import OpenRead
from ...units import write_duration
from ..contract import Host
from ..gathered import when_ended
from ..lease_ids import LeaseId
from ..steps import Steps, committed, existing
from .given import Caller, Given
from .places import text_of
from .waiting import Handed, next_item, readable

__all__ = ["MAX_TTL_MS", "MIN_TTL_MS", "abort", "confirm", "extend", "lease"]

MIN_TTL_MS: Final = 100
MAX_TTL_MS: Final = MAX_LEASE_MS


def lease(
    host: Host, caller: Caller, name: bytes, consumer: bytes, ttl_ms: int, wait_ms: int = 0
) -> Steps[Given | None]:
    """The next item, under a lease that is on disk; None if there is none, also not until so long from now.

    Raises `ClientError`, among them `UnknownQueueError` and `UnknownConsumerError`, or `ServerError`.
    """
    _check(ttl_ms)
    yield from _have_key(host, make=True)
    stored, place = yield from readable(host, name, consumer, wait_ms > 0)
    handed = yield from next_item(host, caller, stored, place, wait_ms)
    if handed is None:
        host.counters.misses += 1
        return None
    held = handed.held
    try:
        under = stored.queue.lease(held, ttl_ms, secrets.randbits(64))
        attempts, _ = standing(place, held.item)
        yield from committed(held.commit)
    except BaseException:
        _take_back(handed)
        raise
    host.counters.hits += 1
    item = held.item
    age = host.clock.now_ms() - item.created
    text = host.lease_ids.text_of(LeaseId(name, consumer, under))
    return Given(item, attempts, age, handed.handle, text, under.deadline)


def confirm(host: Host, lease_id: str) -> Steps[None]:
    """Its item is done with. Raises `UnknownLeaseError`, `LeaseEndedError`; after any other error the lease
    is in force.
    """
    stored, held = yield from _found(host, lease_id)
    yield from committed(stored.queue.confirm_leased(held))


def abort(host: Host, lease_id: str) -> Steps[None]:
    """Its item is in its place again, with one attempt more. Raises what `confirm` does, but after an error
    of the journal the lease is over all the same; if the process ends before that is written, it lapses.
    """
    stored, held = yield from _found(host, lease_id)
    yield from committed(stored.queue.end_kept(held, True, ABORT))


def extend(host: Host, lease_id: str, ttl_ms: int) -> Steps[int]:
    """It lasts so long from now, which may be shorter than before. Returns until when, milliseconds since
    the epoch. Raises what `confirm` does, or `ClientError`; after any other error it lasts as it did.
    """
    _check(ttl_ms)
    stored, held = yield from _found(host, lease_id)
    under = stored.queue.extend(held, ttl_ms)
    yield from committed(stored.queue.batch)
    return under.deadline


def _check(ttl_ms: int) -> None:
    if not MIN_TTL_MS <= ttl_ms <= MAX_TTL_MS:
        least, most = write_duration(MIN_TTL_MS), write_duration(MAX_TTL_MS)
        raise ClientError(
            f"ttl: a lease of {write_duration(ttl_ms)} was asked for, {least} to {most} is possible"
        )


def _take_back(handed: Handed) -> None:
    """It was leased for somebody who will not know of it: no attempt was made."""
    if handed.handle is not None:
        os.close(handed.handle)
    handed.stored.queue.end_kept(handed.held, False, RETURN)


def _found(host: Host, lease_id: str) -> Steps[tuple[StoredQueue, OpenRead]]:
    """What is held under a lease, when its queue is open."""
    yield from _have_key(host, make=False)
    name, consumer, under = host.lease_ids.read(lease_id)
    stored = yield from existing(host.broker, name)
    held = None if stored is None else stored.queue.leased(consumer, under)
    if held is None and stored is not None and stored.queue.unwritten:
        # What has ended it may be still to be written, and fail: then it is in force again.
        yield partial(when_ended, stored.queue.unwritten[-1])
        stored = yield from existing(host.broker, name)
        held = None if stored is None else stored.queue.leased(consumer, under)
    if stored is None or held is None:
        raise LeaseEndedError(f"the lease of item {under.id} of queue {text_of(name)} is over")
    return stored, held


def _have_key(host: Host, make: bool) -> Steps[None]:
    if host.lease_ids.ready:
        return
    done = Completion()

    def prepared(_: object, error: BaseException | None) -> None:
        failed.append(error)
        done.end(None)

    failed: list[BaseException | None] = []
    host.broker.in_thread(partial(host.lease_ids.prepare, make), prepared)
    yield partial(when_ended, done)
    if failed[0] is not None:
        raise failed[0]
