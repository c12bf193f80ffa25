"""What of a consumer's items is out of line: held by someone, waiting for a time, leaving for another queue.

Owns these, and the memory that all of its items take. Out of line means that those behind go on: what comes
back goes to its place. Knows neither clients nor journals, nor why an item waits.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from .items import Item, bare, weight_of
from .open_reads import OpenRead

__all__ = ["Aside"]

_FEW: Final = 500
"""So many are taken from a heap one by one; of more, all that stay are put in order anew."""


class Aside:
    """loaded_to: id after the last of the window. open: what is held, by id, the one held longest first.
    delayed: by id, each with when it is due (monotonic milliseconds). dues: the same times, each with its
    id, a heap; there may be some of items that are not delayed any more. leaving: on their way to another
    queue. loaded: see `Windows`.
    """

    __slots__ = ("delayed", "dues", "leaving", "loaded", "loaded_to", "open", "open_bytes")

    def __init__(self) -> None:
        self.open: dict[int, OpenRead] = {}
        self.open_bytes = 0
        self.delayed: dict[int, tuple[int, Item]] = {}
        self.dues: list[tuple[int, int]] = []
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
        self.delayed[item.id] = due, item
        heappush(self.dues, (due, item.id))

    def take_due(self, now: int) -> list[Item]:
        """The delayed items whose time has come: they are no longer aside."""
        dues = self.dues
        due: list[Item] = []
        for _ in range(_FEW):
            if not dues or dues[0][0] > now:
                break
            item = self._pop_first()
            if item is not None:
                due.append(item)
        if dues and dues[0][0] <= now:
            due += [item for when, item in self.delayed.values() if when <= now]
            self.delayed = {i: each for i, each in self.delayed.items() if each[0] > now}
            self.order_dues()
        for item in due:
            self.loaded -= weight_of(item)
        return due

    def pop_delayed(self) -> Item | None:
        """The delayed item that is due first."""
        while self.delayed:
            item = self._pop_first()
            if item is not None:
                self.loaded -= weight_of(item)
                return item
        return None

    def _pop_first(self) -> Item | None:
        """Whose time comes first, None if that was of an item that is not delayed any more."""
        due, item_id = heappop(self.dues)
        known = self.delayed.get(item_id)
        if known is None or known[0] != due:
            return None
        del self.delayed[item_id]
        return known[1]

    def undelay(self, ids: Iterable[int]) -> None:
        """These are not delayed any more, as far as they were: it takes as long as there are of them."""
        for item_id in ids:
            known = self.delayed.pop(item_id, None)
            if known is not None:
                self.loaded -= weight_of(known[1])
        if len(self.dues) > 2 * len(self.delayed) + _FEW:
            self.order_dues()

    def order_dues(self) -> None:
        self.dues = [(due, item_id) for item_id, (due, _) in self.delayed.items()]
        heapify(self.dues)

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
        for item_id, (due, item) in self.delayed.items():
            if item.data is not None:
                self.loaded -= weight_of(item)
                self.delayed[item_id] = due, bare(item)
