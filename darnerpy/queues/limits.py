"""How much may wait for the consumers of a queue, and what happens when it would be more.

Owns the decision whether an item is let in; none is while puts are paused. Open items do not count.
At a limit is in, over it is out: then the item is refused, or the oldest ones are discarded to make
room, and counted. The queue's own consumer has the queue's limits; a named one is bounded by how far it
may lag behind.
"""

import logging
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..errors import PausedError, QueueFullError
from .batches import PAUSED_PUTS
from .consumer import Consumer
from .delivery import Delivery

__all__ = ["Limits"]

log = logging.getLogger("darnerpy.queue")

_STEPS: Final = 500
_WARN_AT, _CALM_AT = 0.8, 0.5
"""The share of a limit at which a lagging consumer is reported, and below which it is forgiven."""


_OWN: Final = ("max_items", "max_bytes")
_LAG: Final = ("max_lag_items", "max_lag_bytes")


class _Limit(NamedTuple):
    """items, bytes: what may wait, None if that does not matter. discard: the oldest make room. options: the
    two, as they are set.
    """

    consumer: Consumer
    items: int | None
    bytes: int | None
    discard: bool
    options: tuple[str, str]


class Limits:
    """any: whether an item may be refused, or others have to make room for it."""

    __slots__ = ("_limits", "_queue", "any")

    def __init__(self, queue: Delivery) -> None:
        self.any = False
        self._queue = queue
        self._limits: tuple[_Limit, ...] = ()

    def configure(self, consumers: Iterable[Consumer]) -> None:
        """These are the consumers now, with these settings."""
        own = self._queue.own.settings
        everyone: list[_Limit] = []
        for consumer in consumers:
            named = consumer is not self._queue.own
            if named is own.fanout_only:
                discard = own.discard_old_when_full
                everyone.append(_Limit(consumer, own.max_items, own.max_bytes, discard, _OWN))
            if named:
                lag = consumer.settings
                discard = lag.lag_action == "discard"
                items, size = lag.max_lag_items, lag.max_lag_bytes
                everyone.append(_Limit(consumer, items, size, discard, _LAG))
        self._limits = tuple(limit for limit in everyone if limit[1:3] != (None, None))
        self.any = (
            bool(self._limits)
            or any(each.settings.max_idle for each in consumers)
            or self._queue.paused & PAUSED_PUTS > 0
        )

    def admit(self, size: int, only: Consumer | None) -> None:
        """Make sure that an item of so many bytes has room with every consumer, or with only one.

        Raises `QueueFullError` or `PausedError`, and then nothing was discarded anywhere.
        """
        for limit in self.check(size, only):
            self._make_room(limit, 1, size)
            if self._is_over(limit, 1, size):
                limit.consumer.excess = True
                self._queue.on_alarm(0)

    def check(self, size: int, only: Consumer | None, items: int = 1) -> list[_Limit]:
        """The limits for which older items have to make room. Raises `QueueFullError` if that is
        not to be done, `PausedError` while nothing is let in.

        size: bytes of all the items.
        """
        if self._queue.paused & PAUSED_PUTS:
            raise PausedError("paused")
        full: list[_Limit] = []
        for limit in self._limits:
            consumer = limit.consumer
            if only is not None and consumer is not only:
                continue
            self._warn(limit)
            if self._is_over(limit, items, size):
                self._queue.pass_over(consumer)  # what has expired does not count
                if self._is_over(limit, items, size):
                    self._refuse_unless_discarding(limit, items, size)
                    full.append(limit)
        for consumer in [only] if only is not None else self._queue.consumers.values():
            if consumer.idle and consumer.settings.lag_action == "refuse":
                raise QueueFullError(f"{self._name(consumer)} has not been read for too long")
        return full

    def discard_excess(self, consumer: Consumer) -> None:
        """Discard what a consumer has over its limits, as far as it is in memory."""
        limits = [each for each in self._limits if each.consumer is consumer and each.discard]
        consumer.excess = not all(self._make_room(limit, 0, 0) for limit in limits)

    def is_warned(self, consumer: Consumer) -> bool:
        """Whether a consumer is about to reach a limit on its lag."""
        return consumer.warned or consumer.idle_warned or consumer.idle

    def _is_over(self, limit: _Limit, items: int, size: int) -> bool:
        queue, consumer = self._queue, limit.consumer
        return (limit.items is not None and queue.count(consumer) + items > limit.items) or (
            limit.bytes is not None and queue.backlog_bytes(consumer) + size > limit.bytes
        )

    def _refuse_unless_discarding(self, limit: _Limit, items: int, size: int) -> None:
        consumer = limit.consumer
        never = limit.bytes is not None and size > limit.bytes and consumer is self._queue.own
        if never or not limit.discard:
            count = self._queue.count(consumer)
            over = limit.items is not None and count + items > limit.items
            option, most = limit.options[0 if over else 1], limit.items if over else limit.bytes
            raise QueueFullError(
                f"{self._name(consumer)} is full: {count} items of "
                f"{self._queue.backlog_bytes(consumer)} bytes wait, {option} = {most}"
            )

    def _make_room(self, limit: _Limit, items: int, size: int) -> bool:
        """False if the rest can follow only when it was read, or the others have had their turn."""
        for _ in range(_STEPS):
            if not self._is_over(limit, items, size):
                return True
            if not self._queue.discard(limit.consumer):
                return self._queue.is_drained(limit.consumer)
        self._queue.on_alarm(0)
        return False

    def _warn(self, limit: _Limit) -> None:
        consumer = limit.consumer
        if consumer is self._queue.own:
            return
        items, size = self._queue.count(consumer), self._queue.backlog_bytes(consumer)
        share = max(
            items / limit.items if limit.items else 0, size / limit.bytes if limit.bytes else 0
        )
        if share >= _WARN_AT and not consumer.warned:
            consumer.warned = True
            action = "its oldest items are discarded" if limit.discard else "new items are refused"
            log.warning(
                "a consumer lags behind, soon %s",
                action,
                extra={"queue": self._queue.name, "consumer": consumer.name, "waiting": items},
            )
        elif share < _CALM_AT:
            consumer.warned = False

    def _name(self, consumer: Consumer) -> str:
        name = self._queue.name + (b"+" + consumer.name if consumer.name else b"")
        return name.decode("utf-8", "backslashreplace")
