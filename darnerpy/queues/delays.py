"""Which items of a queue are not due yet, though they were put: a delay is the item's, for every consumer.

Owns when each is due, and how many there may be. In the process that put it an item is due by the monotonic
clock, which nobody sets; one that was found in the journal by the wall clock, in which its time is
stored. Knows no consumer: which items are out of line because of this is theirs (`aside`).
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["MAX_DELAYED", "Delayed", "Delays"]

MAX_DELAYED: Final = 100_000
"""Items of one queue that may not be due yet: memory is bounded."""

_ENDLESS: Final = 1 << 62


class Delayed(NamedTuple):
    """due: milliseconds since the epoch; due_here: on the monotonic clock, 0 if only the wall clock tells."""

    due: int
    due_here: int


class Delays:
    __slots__ = ("_known", "_look_at")

    def __init__(self) -> None:
        self._known: dict[int, Delayed] = {}
        self._look_at = 0

    def __len__(self) -> int:
        """Of those that are due, some may be counted still; `has_room` counts exactly."""
        return len(self._known)

    def __contains__(self, item_id: int) -> bool:
        return item_id in self._known

    def has_room(self, now: int, here: int, items: int) -> bool:
        """Whether so many more may be delayed; by the wall clock, and by the monotonic one."""
        if len(self._known) + items <= MAX_DELAYED:
            return True
        if here < self._look_at:
            return False
        self.tidy(now, here)
        least = min((self._left(each, now, here) for each in self._known.values()), default=0)
        self._look_at = here + least
        return len(self._known) + items <= MAX_DELAYED

    def add(self, item_id: int, due: int, due_here: int) -> None:
        """An item was put that is due at that time, by both clocks."""
        self._known[item_id] = Delayed(due, due_here)

    def left(self, item_id: int, due: int, now: int, here: int) -> int:
        """Milliseconds until an item is due that says so of itself; 0 or less if it is."""
        known = self._known.get(item_id)
        return due - now if known is None else self._left(known, now, here)

    def forget(self, item_id: int) -> None:
        """It is due, or it has left."""
        self._known.pop(item_id, None)

    def forget_from(self, first: int, stop: int = _ENDLESS) -> None:
        """Items of these ids are not there, or not to be had any more."""
        if self._known:
            self._known = {i: each for i, each in self._known.items() if not first <= i < stop}

    def recover(self, found: Iterable[tuple[int, int]], now: int) -> None:
        """A journal tells when items are due."""
        self._known = {item_id: Delayed(due, 0) for item_id, due in found if due > now}
        self._look_at = 0

    def tidy(self, now: int, here: int) -> None:
        """Forget those that are due."""
        self._known = {
            item_id: each
            for item_id, each in self._known.items()
            if self._left(each, now, here) > 0
        }

    def clock_was_set(self) -> None:
        """What was worked out from the wall clock is out of date."""
        self._look_at = 0

    def all(self) -> list[tuple[int, int]]:
        """Each id, and when it is due by the wall clock."""
        return [(item_id, each.due) for item_id, each in self._known.items()]

    @staticmethod
    def _left(each: Delayed, now: int, here: int) -> int:
        return each.due_here - here if each.due_here else each.due - now
