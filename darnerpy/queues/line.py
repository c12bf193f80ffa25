"""The line of those who wait for an item of one consumer, first come first served.

Owns the order; joining, leaving and asking who is first take constant time. Who cannot be reached is
passed over: it keeps its place, but meanwhile it stands in nobody's way. Knows neither timers nor
sockets: who waits decides when it has waited enough and says so by leaving.
"""

from collections import OrderedDict
from typing import Final, Protocol

from ..errors import ServerError
from .batches import Batch
from .items import Item
from .open_reads import OpenRead

__all__ = ["Line", "Waiter"]

_STEPS: Final = 200
"""Waiters who are passed over in one go: more would hold up everyone else."""

_RECALL_MS: Final = 500


class Waiter(Protocol):
    """Someone who asked for an item that was not there, or not in memory.

    open: it wants an open read; peek: only to be shown the item. blocking: it waits for items to
    come; one that is not waits only while items are on their way from disk.
    """

    open: bool
    peek: bool
    blocking: bool

    def reachable(self) -> bool:
        """Whether an answer would reach it at the moment, as far as anybody knows."""
        ...

    def accept(self, item: Item) -> bool:
        """Whether it is still there and able to take this item; if not, it is told no more."""
        ...

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        """Here is the item; the answer may go out once commit (None: now) is written."""
        ...

    def end(self, error: ServerError | None) -> None:
        """There is none, or there will be none because of an error. It has left the line."""
        ...


_NOBODY: Final[OrderedDict[Waiter, int]] = OrderedDict()
"""What all lines have in which nobody ever stood: most queues have one, and nothing is put into it."""


class Line:
    """waiters: who waits and may be served, in order, each with the number of its place.

    passed: the others, with theirs. nonblocking: how many of all wait only for items from disk.
    """

    __slots__ = ("_place", "_recall_at", "nonblocking", "passed", "waiters")

    def __init__(self) -> None:
        self.waiters = _NOBODY
        self.passed = _NOBODY
        self.nonblocking = 0
        self._recall_at = 0
        self._place = 0

    def __len__(self) -> int:
        return len(self.waiters) + len(self.passed)

    def join(self, waiter: Waiter) -> None:
        self._place += 1
        if self.waiters is _NOBODY:
            self.waiters = OrderedDict()
            self.passed = OrderedDict()
        self.waiters[waiter] = self._place
        self.nonblocking += not waiter.blocking

    def leave(self, waiter: Waiter) -> None:
        """Nothing happens if it is not in line any more."""
        if self.waiters.pop(waiter, None) or self.passed.pop(waiter, None):
            self.nonblocking -= not waiter.blocking

    def stop_blocking(self, waiter: Waiter) -> None:
        """A waiter waits for items to come no more, only for those on their way; it keeps its place."""
        if waiter.blocking and (waiter in self.waiters or waiter in self.passed):
            waiter.blocking = False
            self.nonblocking += 1

    def next(self) -> Waiter | None:
        """The first who can be reached; it leaves the line. None: nobody can, or ask again soon."""
        waiters = self.waiters
        for _ in range(_STEPS):
            waiter, place = waiters.popitem(last=False)
            if waiter.reachable():
                self.nonblocking -= not waiter.blocking
                return waiter
            self.passed[waiter] = place
            if not waiters:
                break
        return None

    def recall_at(self, now: int) -> int:
        """When those who were passed over are to be asked again; times are monotonic milliseconds."""
        if not self._recall_at:
            self._recall_at = now + _RECALL_MS
        return self._recall_at

    def recall(self, now: int) -> None:
        """If it is time, put those who were passed over back into their places."""
        if self.passed and now >= self.recall_at(now):
            everyone = [*self.passed.items(), *self.waiters.items()]
            self.waiters = OrderedDict(sorted(everyone, key=lambda each: each[1]))
            self.passed.clear()
            self._recall_at = 0

    def snapshot(self) -> list[Waiter]:
        """All of them, in order."""
        if not self.passed:
            return list(self.waiters)
        places = self.waiters | self.passed
        return sorted(places, key=places.__getitem__)
