"""One consumer of a queue: its place in the log, what of it is in memory, who holds or awaits items.

Owns which item comes next: returned ones by id, then the window, a contiguous piece of the log that
begins where no item was ever taken. Some items are unavailable: waiting out a delay, or leaving for
another queue. Owns as well how to take back what a batch that fails has confirmed. Knows nothing of
journals: what it lacks it can name (`missing`), and whoever read it hands it over (`load`).
"""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush

from ..config import QueueSettings
from .batches import Lease, Mark, Returned
from .counters import Counters
from .items import ITEM_OVERHEAD, Item, bare, weight_of
from .line import Line
from .open_reads import OpenRead
from .positions import Positions, Span, span_of
from .windows import Windows

__all__ = ["Consumer"]

Undo = Item | Span | Positions | Returned
"""What to take back if a batch fails: a confirmation, where a consumer stood before a flush, or that
the attempts at an item were forgotten."""


class Consumer:
    """name: b"" is the queue's own. loaded_to: id after the last of the window.

    following: new items are offered to it. returns: items that came back and are not confirmed; leases:
    those that were held under one when the queue was opened.
    delayed: by when they are due (monotonic milliseconds). leaving: on their way to another queue.
    excess: it has more than its limits allow, to be discarded when it is in memory. idle: nobody read
    for too long; warned, idle_warned: one of the limits on its lag is near.
    kept: items that are open until a time of their own, by when that is; what was let go may be in it.
    first: the first id that was ever its own, as far as known. founded: the number of the batch that
    makes it last, 0 if the journal has it.

    undo: what was confirmed since the last sealed batch, in order (or, before a flush, where the
    consumer stood); unwritten: the same of the batches that are sealed and not written, each with its
    number. loaded, settled: see `Windows`. epoch: changes when a read on its way to this
    consumer has become useless.
    """

    __slots__ = (
        "counters",
        "delayed",
        "epoch",
        "excess",
        "first",
        "flushed",
        "following",
        "founded",
        "idle",
        "idle_warned",
        "kept",
        "leases",
        "leaving",
        "line",
        "loaded",
        "loaded_to",
        "max_age",
        "moved",
        "name",
        "newly_returned",
        "open",
        "open_bytes",
        "open_timeout",
        "positions",
        "progress",
        "read_at",
        "returned",
        "returns",
        "settings",
        "settled",
        "undo",
        "unwritten",
        "warned",
        "window",
    )

    def __init__(self, name: bytes, positions: Positions, settings: QueueSettings) -> None:
        self.name = name
        self.line = Line()
        self.counters = Counters()
        self.open: dict[int, OpenRead] = {}
        self.open_bytes = 0
        self.kept: list[tuple[int, int]] = []
        self.loaded = 0
        self.settled = 0
        self.epoch = 0
        self.first = positions.position
        self.following = self.excess = False
        self.idle = self.idle_warned = self.warned = False
        self.read_at = 0
        self.progress = (0, 0)
        self.returns: dict[int, Returned] = {}
        self.leases: dict[int, Lease] = {}
        self.configure(settings)
        self.restore(positions)

    def configure(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.max_age = settings.max_age or 0
        self.open_timeout = settings.open_timeout

    def restore(self, positions: Positions) -> None:
        """Begin anew from what a journal knows; open reads and waiters stay as they are."""
        self.positions = positions
        self.founded = 0
        self.window: deque[Item] = deque()
        self.returned: list[tuple[int, Item]] = []
        self.delayed: list[tuple[int, int, Item]] = []
        self.leaving: dict[int, Item] = {}
        self.loaded_to = positions.position
        self.loaded = sum(weight_of(held.item) for held in self.open.values())
        self.undo: list[Undo] = []
        self.unwritten: list[tuple[int, list[Undo]]] = []
        self.newly_returned: list[Returned] = []
        self.moved = False
        self.flushed = False
        self.epoch += 1

    def settle(self, windows: Windows) -> None:
        """Tell how much is loaded now."""
        before, now = self.settled, self.loaded
        if before != now:
            self.settled = now
            windows.settle(self, before, now)

    # -- what comes next ---------------------------------------------------------------------------

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

    # -- what is out of line -----------------------------------------------------------------------

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
            return  # as in `put_back`
        self.loaded += weight_of(item)
        heappush(self.delayed, (due, item.id, item))

    def take_due(self, now: float) -> bool:
        """Put delayed items that are due back to their places; whether there were any."""
        found = False
        while self.delayed and self.delayed[0][0] <= now:
            item = heappop(self.delayed)[2]
            heappush(self.returned, (item.id, item))
            found = True
        return found

    def pop_delayed(self) -> Item | None:
        """The delayed item that is due first."""
        if not self.delayed:
            return None
        item = heappop(self.delayed)[2]
        self.loaded -= weight_of(item)
        return item

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

    @property
    def unavailable(self) -> int:
        """Items that wait, but not to be taken."""
        return len(self.delayed) + len(self.leaving)

    def has_expired(self, item: Item, now: int) -> bool:
        return bool(
            (item.expiry and item.expiry <= now)
            or (self.max_age and item.created + self.max_age <= now)
        )

    # -- forgetting --------------------------------------------------------------------------------

    def forget_waiting(self, next_id: int) -> None:
        """All that waits was discarded; the next item to come is next_id."""
        self.window.clear()
        self.returned.clear()
        self.delayed.clear()
        self.leaving.clear()
        self.loaded = sum(weight_of(held.item) for held in self.open.values())
        self.loaded_to = next_id
        self.excess = False
        self.epoch += 1

    def forget(self, first: int, stop: int) -> None:
        """Of the ids from first up to stop nothing in memory is to be had any more."""
        unavailable = [item for _, _, item in self.delayed] + list(self.leaving.values())
        items = [*self.window, *(item for _, item in self.returned), *unavailable]
        gone = [item for item in items if first <= item.id < stop]
        if gone:
            self.window = deque(i for i in self.window if not first <= i.id < stop)
            self.returned = sorted(e for e in self.returned if not first <= e[0] < stop)
            self.delayed = sorted(e for e in self.delayed if not first <= e[1] < stop)
            self.leaving = {i: e for i, e in self.leaving.items() if not first <= i < stop}
            self.loaded -= sum(weight_of(item) for item in gone)

    # -- what the journal is told and asked --------------------------------------------------------

    def mark(self, whole: bool) -> Mark:
        """Where the consumer stands, with all it has confirmed or what it has since the last mark."""
        at = self.positions
        whole = whole or self.flushed
        spans: Sequence[Span] = ()
        returns: Sequence[Returned] = ()
        leases: Sequence[Lease] = ()
        if at.spans:
            spans = list(at.spans) if whole else self._added()
        if self.returns or self.newly_returned:
            returns = list(self.returns.values()) if whole else self.newly_returned
            self.newly_returned = []
        if self.leases and whole:
            leases = [each for each in self.leases.values() if not at.is_confirmed(each.id)]
        self.moved = self.flushed = False
        return Mark(self.name, at.position, at.offset, spans, whole, returns, leases)

    def _added(self) -> list[Span]:
        """What was confirmed above the position since the last mark."""
        position = self.positions.position
        added: list[Span] = []
        for step in self.undo:
            if isinstance(step, Item):
                if step.id < position:
                    continue
                step = span_of(step)
            if isinstance(step, Span) and step.first >= position:
                if added and added[-1].stop == step.first:
                    step = Span(added[-1].first, step.stop, added.pop().begin, step.end)
                added.append(step)
        return added

    # -- taking back -------------------------------------------------------------------------------

    def sealed(self, batch: int) -> None:
        """The batch of that number has all that was confirmed until now."""
        self.unwritten.append((batch, self.undo))
        self.undo = []

    def wrote(self, batch: int) -> None:
        """All up to the batch of that number is in the journal, and not taken back any more."""
        unwritten = self.unwritten
        while unwritten and unwritten[0][0] <= batch:
            del unwritten[0]

    def take_all_back(self) -> None:
        """No batch that is not written will be."""
        self.unwritten.append((0, self.undo))
        self.undo = []
        while self.unwritten:
            for step in reversed(self.unwritten.pop()[1]):
                self.take_back(step)

    def take_back(self, step: Undo) -> None:
        """What was noted in `undo` has not happened."""
        if isinstance(step, Positions):
            self.positions = step
        elif isinstance(step, Returned):
            self.returns[step.id] = step
        else:
            self.positions.unconfirm(span_of(step) if isinstance(step, Item) else step)

    def missing(self, written: int) -> tuple[int, int] | None:
        """The ids (first, stop) to read next, of those below written; None if nothing is missing."""
        if self.returned:
            item = self.returned[0][1]
            if item.data is None and not item.large:
                return item.id, item.id + 1
        first = self.positions.next_unconfirmed(self.loaded_to)
        if first >= written:
            return None
        return first, min(written, self.positions.next_span_after(first) or written)

    def load(self, items: list[Item], first: int, stop: int) -> None:
        """Take in what was read of the ids from first up to stop."""
        spans = self.positions.spans
        confirmed = self.positions.position > first or (spans and spans[-1].stop > first)
        held = max(self.open, default=0) >= first
        if first == self.loaded_to and not confirmed and not held:
            # The usual case: nobody has had any of them.
            self.window.extend(items)
            self.loaded += sum(weight_of(item) for item in items)
            self.loaded_to = stop
            return
        for item in items:
            if item.id < self.loaded_to:
                self._load_returned(item)
            elif item.id not in self.open and not self.positions.is_confirmed(item.id):
                self.window.append(item)
                self.loaded += weight_of(item)
        if first >= self.loaded_to:
            self.loaded_to = max(stop, self.loaded_to)

    def _load_returned(self, item: Item) -> None:
        for at, (item_id, known) in enumerate(self.returned):
            if item_id == item.id and known.data is None:
                self.returned[at] = (item_id, item)
                self.loaded += item.size
                return

    def shrink(self, target: int) -> None:
        """Let go of what is furthest from being taken; what is out of line keeps no data then."""
        reached = self.loaded_to
        while self.loaded > target and len(self.window) > 1:
            item = self.window.pop()
            self.loaded_to = item.id
            self.loaded -= weight_of(item)
            self.epoch += 1
        if self.loaded_to < reached:
            # After a failure the window may begin below what is out of line: that is read again, too.
            self.forget(self.loaded_to, reached)
        if self.loaded > target:
            for held in self.open.values():
                self.loaded -= weight_of(held.item)
                held.item = bare(held.item)
                self.loaded += weight_of(held.item)
        if self.loaded > target:
            self.loaded -= sum(weight_of(item) for _, _, item in self.delayed)
            self.delayed = [(due, i, bare(item)) for due, i, item in self.delayed]
            self.loaded += sum(weight_of(item) for _, _, item in self.delayed)
        if self.loaded > target and len(self.returned) > 1:
            kept = self.returned[0]
            self.loaded -= sum(weight_of(item) for _, item in self.returned)
            self.returned = [kept, *((i, bare(item)) for i, item in self.returned[1:])]
            self.loaded += sum(weight_of(item) for _, item in self.returned)
