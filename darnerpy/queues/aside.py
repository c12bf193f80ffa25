"""What of a consumer's items is out of line: held by someone, waiting for a time, leaving for another queue.

Owns these, and the memory that all of its items take. Out of line means that those behind go on: what comes
back goes to its place. Knows neither clients nor journals, nor why an item waits.
"""

from heapq import heapify, heappop, heappush
from typing import Final

from .items import Item, bare, weight_of
from .open_reads import OpenRead

__all__ = ["Aside"]

_FEW: Final = 500
"""So many are taken from a heap one by one; of more, all that stay are put in order anew."""


class Aside:
    """loaded_to: id after the last of the window. open: what is held, by id, the one held longest first.
    delayed: by when they are due (monotonic milliseconds). leaving: on their way to another queue.
    loaded: see `Windows`.
    """

    __slots__ = ("delayed", "leaving", "loaded", "loaded_to", "open", "open_bytes")

    def __init__(self) -> None:
        self.open: dict[int, OpenRead] = {}
        self.open_bytes = 0
        self.delayed: list[tuple[int, int, Item]] = []
        self.leaving: dict[int, Item] = {}
        self.loaded = 0
        self.loaded_to = 1

    @property
    def unavailable(self) -> int:
        """Items that wait, but not to be taken."""
        return len(self.delayed) + len(self.leaving)

    def hold(self, held: OpenRead) -> None:
        self.open[held.item.id] = held
        self.open_bytes += held.item.size
        self.loaded += weight_of(held.item)

    def release(self, held: OpenRead) -> None:
        """The item leaves its holder's hands: confirmed, returned or gone, the caller knows."""
        held.gone = True
        del self.open[held.item.id]
        self.open_bytes -= held.item.size
        self.loaded -= weight_of(held.item)

    def delay(self, item: Item, due: int) -> None:
        """Hold an item back until a time (monotonic), without holding up those behind it."""
        if item.id >= self.loaded_to:
            return  # the window begins anew below it, so it will be read again
        self.loaded += weight_of(item)
        heappush(self.delayed, (due, item.id, item))

    def take_due(self, now: int) -> list[Item]:
        """The delayed items whose time has come: they are no longer aside."""
        delayed = self.delayed
        due: list[Item] = []
        while delayed and delayed[0][0] <= now and len(due) < _FEW:
            due.append(heappop(delayed)[2])
        if delayed and delayed[0][0] <= now:
            due += [item for when, _, item in delayed if when <= now]
            self.delayed = [each for each in delayed if each[0] > now]
            heapify(self.delayed)
        for item in due:
            self.loaded -= weight_of(item)
        return due

    def pop_delayed(self) -> Item | None:
        """The delayed item that is due first."""
        if not self.delayed:
            return None
        item = heappop(self.delayed)[2]
        self.loaded -= weight_of(item)
        return item

    def forget_delayed(self, first: int, stop: int) -> None:
        """Of the ids from first up to stop none is delayed any more."""
        kept = [each for each in self.delayed if not first <= each[1] < stop]
        if len(kept) < len(self.delayed):
            self.loaded -= sum(weight_of(i) for _, at, i in self.delayed if first <= at < stop)
            self.delayed = kept
            heapify(kept)

    def send_off(self, item: Item) -> None:
        """An item begins to leave for another queue."""
        self.leaving[item.id] = item
        self.loaded += weight_of(item)

    def arrive(self, item: Item) -> bool:
        """It does not leave any more; False if it was forgotten meanwhile."""
        if self.leaving.get(item.id) is not item:
            return False
        del self.leaving[item.id]
        self.loaded -= weight_of(item)
        return True

    def strip_open(self) -> None:
        """Let go of the data of what is held."""
        for held in self.open.values():
            if held.item.data is not None:
                self.loaded -= weight_of(held.item)
                held.item = bare(held.item)

    def strip_delayed(self) -> None:
        """Let go of the data of what is delayed."""
        for at, (due, item_id, item) in enumerate(self.delayed):
            if item.data is not None:
                self.loaded -= weight_of(item)
                self.delayed[at] = (due, item_id, bare(item))
