"""What happens to a queue while nobody asks anything of it.

Owns the passing of time: open reads whose time is up come back, delays end, expired items leave the
head, a consumer that nobody reads is noticed. In bounded steps; the queue's `on_alarm` is told when
to come again.
"""

import logging
from heapq import heappop
from itertools import islice

from .consumer import Consumer
from .departures import SWEEP_MS
from .events import TIMEOUT
from .queue import Queue

__all__ = ["clock_was_set", "end_kept", "upkeep"]

log = logging.getLogger("darnerpy.queue")

_STEPS = 500
_WARN_AT = 0.8


def upkeep(queue: Queue, now: int) -> None:
    """Do what is due at a time (monotonic milliseconds)."""
    expiring = False
    for consumer in list(queue.consumers.values()):
        if consumer.kept:
            _end_kept(queue, consumer, now)
        if consumer.open and consumer.open_timeout is not None:
            _end_open_reads(queue, consumer, consumer.open_timeout, now)
        if consumer.dues:
            _end_delays(queue, consumer, now)
        if consumer.excess:
            queue.limits.discard_excess(consumer)
        queue.pass_over(consumer)
        if consumer.settings.max_idle is not None and consumer is not queue.own:
            _notice_idleness(queue, consumer, consumer.settings.max_idle, now)
        consumer.line.recall(now)
        if consumer.line:
            queue.serve(consumer)
        if consumer.open or queue.count(consumer):
            expiring = queue.expiring or queue.ages
    queue.expiring = expiring
    if expiring:
        queue.on_alarm(now + SWEEP_MS)


def clock_was_set(queue: Queue) -> None:
    """Look again at what waits for a time of the wall clock; `upkeep` does so with what may expire."""
    for consumer in queue.consumers.values():
        if consumer.delayed:
            queue.wait_anew(consumer)
            queue.on_alarm(0)
        queue.renew_deadlines(consumer)


def end_kept(queue: Queue, now: int) -> None:
    """Of what is due only this: what was kept until a time of its own, as a lease does, comes back."""
    for consumer in list(queue.consumers.values()):
        if consumer.kept:
            _end_kept(queue, consumer, now)


def _end_kept(queue: Queue, consumer: Consumer, now: int) -> None:
    kept = consumer.kept
    left = _STEPS
    while kept and kept[0][0] <= now and left:
        until, item_id = heappop(kept)
        left -= 1
        held = consumer.open.get(item_id)
        if held is not None and held.until == until:  # else it was kept for longer, or let go
            consumer.counters.timeouts += 1
            queue.end_kept(held, counted=True, why=TIMEOUT)
    if kept:
        queue.on_alarm(kept[0][0])


def _end_open_reads(queue: Queue, consumer: Consumer, timeout: int, now: int) -> None:
    by_settings = (held for held in consumer.open.values() if not held.until)
    oldest = list(islice(by_settings, _STEPS))
    for held in oldest:
        if held.since + timeout > now:
            queue.on_alarm(held.since + timeout)
            return
        consumer.counters.timeouts += 1
        queue.abort(held, why=TIMEOUT)
    if len(oldest) == _STEPS:
        queue.on_alarm(0)


def _end_delays(queue: Queue, consumer: Consumer, now: int) -> None:
    if queue.wake(consumer, now):
        queue.serve(consumer)
    if consumer.dues:
        queue.on_alarm(consumer.dues[0][0])


def _notice_idleness(queue: Queue, consumer: Consumer, limit: int, now: int) -> None:
    progress = (consumer.positions.position, consumer.counters.opens)
    waits = consumer.line or consumer.open
    alone = now - consumer.read_at
    if waits or progress != consumer.progress or queue.is_empty(consumer) or not consumer.read_at:
        consumer.progress, consumer.read_at, consumer.idle = progress, now, False
        consumer.idle_warned = False
    elif alone >= limit and not consumer.idle:
        discards = consumer.settings.lag_action == "discard"
        consumer.idle = not discards
        _warn_of_idleness(queue, consumer, "discarded" if discards else "refused")
        if discards:
            waiting = queue.count(consumer)
            queue.flush(consumer)
            consumer.counters.discarded += waiting
            consumer.counters.flushed -= waiting
    elif alone >= limit * _WARN_AT and not consumer.idle_warned:
        consumer.idle_warned = True
        action = "discarded" if consumer.settings.lag_action == "discard" else "refused"
        _warn_of_idleness(queue, consumer, f"soon {action}")
    queue.on_alarm(now + min(max(1, limit // 10), SWEEP_MS))


def _warn_of_idleness(queue: Queue, consumer: Consumer, what: str) -> None:
    log.warning(
        "nobody reads a consumer",
        extra={
            "queue": queue.name,
            "consumer": consumer.name,
            "waiting": queue.count(consumer),
            "items": what,
        },
    )
