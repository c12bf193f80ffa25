"""The line of those who wait for an item of one consumer, first come first served.

Owns the order; joining, leaving and asking who is first take constant time. Knows neither timers nor
sockets: who waits decides when it is tired of it and says so by leaving.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from ..errors import ServerError
from .items import Item

if TYPE_CHECKING:
    from .batches import Batch
    from .consumer import OpenRead

__all__ = ["Line", "Waiter"]


class Waiter(Protocol):
    """Someone who asked for an item that was not there, or not in memory.

    open: it wants an open read; peek: only to be shown the item. patient: it asked to wait; one who
    did not waits only while items are on their way from disk.
    """

    open: bool
    peek: bool
    patient: bool

    def accept(self, item: Item) -> bool:
        """Whether it is still there and able to take this item; if not, it is told no more."""
        ...

    def deliver(self, item: Item, commit: "Batch | None", held: "OpenRead | None") -> None:
        """Here is the item; the answer may go out once commit (None: now) is written."""
        ...

    def end(self, error: ServerError | None) -> None:
        """There is none, or there will be none because of an error. It has left the line."""
        ...


class Line:
    """waiters: who waits, in order. impatient: how many of them wait only for items from disk."""

    __slots__ = ("impatient", "waiters")

    def __init__(self) -> None:
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.impatient = 0

    def join(self, waiter: Waiter) -> None:
        self.waiters[waiter] = None
        self.impatient += not waiter.patient

    def leave(self, waiter: Waiter) -> None:
        """Nothing happens if it is not in line any more."""
        if waiter in self.waiters:
            del self.waiters[waiter]
            self.impatient -= not waiter.patient

    def tire(self, waiter: Waiter) -> None:
        """A patient waiter is not any more; it keeps its place."""
        if waiter in self.waiters and waiter.patient:
            waiter.patient = False
            self.impatient += 1

    def next(self) -> Waiter:
        """The one who has waited longest; it leaves the line."""
        waiter, _ = self.waiters.popitem(last=False)
        self.impatient -= not waiter.patient
        return waiter

    def snapshot(self) -> list[Waiter]:
        return list(self.waiters)
