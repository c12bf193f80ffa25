"""In which order the items of a consumer come, of those that are in memory.

Owns which is next: returned ones by id, then the window, a contiguous piece of the log that begins where no
item was ever taken. What is out of line is in `aside`. Knows neither clients nor journals, nor what of the
log is confirmed.
"""

from collections import deque
from heapq import heappop, heappush
from typing import Final

from .aside import Aside
from .items import ITEM_OVERHEAD, Item, bare, weight_of

__all__ = ["Order"]

_LATER: Final = 4


class Order(Aside):
    """window: up to `loaded_to`. returned: what came back to its place, by id; the data of all but the first
    may be only on disk.
    """

    __slots__ = ("returned", "window")

    def __init__(self) -> None:
        super().__init__()
        self.window: deque[Item] = deque()
        self.returned: list[tuple[int, Item]] = []

    def offer(self, item: Item, room: int) -> bool:
        """An item has come to the end of the log: keep it if the window reaches that far.

        room: bytes the window may hold. Returns whether it is now in the window.
        """
        if item.id != self.loaded_to or (self.loaded > room and self.window):
            return False
        self.window.append(item)
        self.loaded_to = item.id + 1
        self.loaded += (0 if item.large else item.size) + ITEM_OVERHEAD
        return True

    @property
    def head(self) -> Item | None:
        """The next item, as far as it is in memory; left where it is."""
        window = self.window
        if self.returned and not (window and window[0].id < self.returned[0][0]):
            return self.returned[0][1]
        return window[0] if window else None

    def pop(self) -> Item | None:
        """The next item to be had; None when nothing is in memory (see `missing`)."""
        window = self.window
        # The window may begin below what was returned when a failed commit has given items back.
        if self.returned and not (window and window[0].id < self.returned[0][0]):
            item = self.returned[0][1]
            if item.data is None and not item.large:
                return None
            heappop(self.returned)
        elif window:
            item = window.popleft()
        else:
            return None
        self.loaded -= (0 if item.large else item.size) + ITEM_OVERHEAD
        return item

    def put_back(self, item: Item) -> None:
        """Give an item back to its place: it is before all that were never taken."""
        if item.id >= self.loaded_to:
            return  # the window begins anew below it, so it will be read again
        self.loaded += weight_of(item)
        heappush(self.returned, (item.id, item))

    def offer_late(self, item: Item, room: int, due: int) -> None:
        """As `offer`, but of an item that is not due before a time (monotonic): it is delayed at once."""
        self.loaded_to = item.id + 1
        # What is next comes first: only a part of the room is for the data of what is later.
        self.delay(bare(item) if self.loaded > room // _LATER else item, due)

    def set_aside(self, late: dict[int, int]) -> None:
        """Of the window these are delayed, each until a time (monotonic)."""
        window, self.window = self.window, deque()
        for item in window:
            due = late.get(item.id)
            if due is None:
                self.window.append(item)
            else:
                self.loaded -= weight_of(item)
                self.delay(item, due)

    # -- out of it ---------------------------------------------------------------------------------

    def forget(self, first: int, stop: int) -> None:
        """Of the ids from first up to stop nothing in memory is to be had any more."""
        self.forget_in_line(first, stop)
        gone = [item for item_id, item in self.leaving.items() if first <= item_id < stop]
        for item in gone:
            self.arrive(item)

    def forget_in_line(self, first: int, stop: int) -> None:
        """As `forget`, but what leaves goes on."""
        self.undelay([item_id for item_id in self.delayed if first <= item_id < stop])
        items = [*self.window, *(item for _, item in self.returned)]
        gone = [item for item in items if first <= item.id < stop]
        if gone:
            self.window = deque(i for i in self.window if not first <= i.id < stop)
            self.returned = sorted(e for e in self.returned if not first <= e[0] < stop)
            self.loaded -= sum(weight_of(item) for item in gone)

    def take_out(self, items: list[Item]) -> None:
        """These, in order of id, leave whatever place they have in memory.

        Where they are the next ones, or delayed, it takes as long as there are of them; else, as what is in
        memory.
        """
        gone = {item.id for item in items}
        window = self.window
        while window and window[0].id in gone:
            self.loaded -= weight_of(window.popleft())
        while self.returned and self.returned[0][0] in gone:
            self.loaded -= weight_of(heappop(self.returned)[1])
        last = items[-1].id if items else 0
        if window and window[0].id < last:
            self.loaded -= sum(weight_of(item) for item in window if item.id in gone)
            self.window = deque(item for item in window if item.id not in gone)
        if self.returned and self.returned[0][0] < last:
            self.loaded -= sum(weight_of(item) for at, item in self.returned if at in gone)
            self.returned = sorted(each for each in self.returned if each[0] not in gone)
        self.undelay(gone)
