"""One consumer of a queue: its place in the log, what of it is in memory, who holds or awaits items.

Owns how far the log is in memory; in which order it is handed out is in `order`. Owns as well how to
take back what a batch that fails has confirmed. Knows nothing of journals: what it lacks it can name
(`missing`), and whoever read it hands it over (`load`).
"""

from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappush
from typing import Final

from ..config import QueueSettings
from .batches import Lease, Mark, Returned
from .counters import Counters
from .items import Item, bare, weight_of
from .leases import Leased, Leases
from .line import Line
from .open_reads import OpenRead
from .order import Order
from .positions import Positions, Span, span_of
from .windows import Windows

__all__ = ["Consumer"]

_ENDLESS: Final = 1 << 62

_MOST_STALE: Final = 500
"""Of `kept`, beside as many as are open."""

Undo = Item | Span | Positions | Returned | Leased
"""What to take back if a batch fails: a confirmation, where a consumer stood before a flush, that the
attempts at an item were forgotten, or what became of a lease."""


class Consumer(Order):
    """name: b"" is the queue's own.

    following: new items are offered to it. returns: items that came back and are not confirmed; leases:
    of those that are held under one, None if there never was any.
    excess: it has more than its limits allow, to be discarded when it is in memory. idle: nobody read
    for too long; warned, idle_warned: one of the limits on its lag is near.
    paused: nothing is handed out. careful: what is next has to be looked at first, for that or its age.
    kept: items that are open until a time of their own, by when that is; what was let go may be in it.
    begun: how it was made in this process, its start and which consumer it copied; None if it was here.
    first: the first id that was ever its own, as far as known. founded: the number of the batch that
    makes it last, 0 if the journal has it.

    undo: what was confirmed since the last sealed batch, in order (or, before a flush, where the
    consumer stood); unwritten: the same of the batches that are sealed and not written, each with its
    number. settled: see `Windows`. epoch: changes when a read on its way to this
    consumer has become useless.
    """

    __slots__ = (
        "begun",
        "careful",
        "counters",
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
        "line",
        "max_age",
        "moved",
        "name",
        "newly_returned",
        "open_timeout",
        "paused",
        "positions",
        "progress",
        "read_at",
        "returns",
        "settings",
        "settled",
        "undo",
        "unwritten",
        "warned",
    )

    def __init__(self, name: bytes, positions: Positions, settings: QueueSettings) -> None:
        super().__init__()
        self.name = name
        self.line = Line()
        self.counters = Counters()
        self.kept: list[tuple[int, int]] = []
        self.settled = 0
        self.epoch = 0
        self.begun: tuple[str, bytes] | None = None
        self.first = positions.position
        self.following = self.excess = self.paused = False
        self.idle = self.idle_warned = self.warned = False
        self.read_at = 0
        self.progress = (0, 0)
        self.returns: dict[int, Returned] = {}
        self.leases: Leases | None = None
        self.configure(settings)
        self.positions = positions
        self.counters.passed = positions.count
        self.restore(positions)

    def configure(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.max_age = settings.max_age or 0
        self.open_timeout = settings.open_timeout
        self.pause(self.paused)

    def pause(self, paused: bool) -> None:
        """Nothing is to be handed out; or it is, again."""
        self.paused = paused
        self.careful = paused or self.max_age > 0

    @property
    def awaited(self) -> bool:
        """Whether what is next would be handed out at once."""
        return bool(self.line.waiters) and not self.paused

    def restore(self, positions: Positions) -> None:
        """Begin anew from what a journal knows; open reads and waiters stay as they are."""
        self.counters.passed += positions.count - self.positions.count
        self.positions = positions
        self.founded = 0
        self.window = deque()
        self.returned = []
        self.delayed = {}
        self.dues = []
        self.leaving = {}
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

    # -- what was counted --------------------------------------------------------------------------

    @property
    def confirmed(self) -> int:
        """Items that were read and are done with: it never falls, also when a commit fails."""
        return self.positions.count - self.counters.passed

    @property
    def handed_out(self) -> int:
        """Items that were read, each as often as it was: it never falls."""
        return self.confirmed + self.counters.aborts + self.counters.let_go + len(self.open)

    # -- how long items live -----------------------------------------------------------------------

    def has_expired(self, item: Item, now: int) -> bool:
        return bool(
            (item.expiry and item.expiry <= now)
            or (self.max_age and item.created + self.max_age <= now)
        )

    def lifetime(self, item: Item, now: int) -> int:
        """How long until it expires."""
        left = item.expiry - now if item.expiry else _ENDLESS
        return min(left, item.created + self.max_age - now) if self.max_age else left

    def begin_lease(self, lease: Lease) -> None:
        """An item that is held is under this lease from now on, whatever it was under before."""
        if self.leases is None:
            self.leases = Leases()
        self.leases.begin(lease)

    def note_kept(self, held: OpenRead) -> None:
        """What is open has a time of its own; those that it had before, and those of others that were let go
        before their time, are not many.
        """
        kept = self.kept
        if len(kept) > 2 * len(self.open) + _MOST_STALE:
            kept[:] = [(each.until, i) for i, each in self.open.items() if each.until]
            heapify(kept)
        heappush(kept, (held.until, held.item.id))

    # -- forgetting --------------------------------------------------------------------------------

    def forget_waiting(self, next_id: int) -> None:
        """All that waits was discarded; the next item to come is next_id."""
        self.window.clear()
        self.returned.clear()
        self.delayed.clear()
        self.dues.clear()
        self.leaving.clear()
        self.loaded = sum(weight_of(held.item) for held in self.open.values())
        self.loaded_to = next_id
        self.excess = False
        self.epoch += 1

    def skip_confirmed(self) -> bool:
        """What is confirmed behind all that is in memory is not read; whether there was any."""
        to = self.positions.next_unconfirmed(self.loaded_to)
        if to == self.loaded_to:
            return False
        self.loaded_to = to
        self.epoch += 1
        return True

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
        if self.leases is not None:
            leases = self.leases.told(whole)
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
        before = self.positions.count
        self.unwritten.append((0, self.undo))
        self.undo = []
        while self.unwritten:
            for step in reversed(self.unwritten.pop()[1]):
                self.take_back(step)
        self.counters.passed += self.positions.count - before

    def take_back(self, step: Undo) -> None:
        """What was noted in `undo` has not happened."""
        if isinstance(step, Positions):
            self.positions = step
        elif isinstance(step, Returned):
            self.returns[step.id] = step
        elif isinstance(step, Leased):
            self._lease_again(step)
        elif isinstance(step, Span):
            self.positions.unconfirm(step)
        elif self.positions.is_confirmed(step.id):  # else nobody was given it after all
            self.positions.unconfirm(span_of(step))

    def _lease_again(self, was: Leased) -> None:
        held = was.held
        item_id = held.item.id
        if was.confirmed:
            held.gone = False
            self.hold(held)
            self.counters.let_go -= 1
        elif self.open.get(item_id) is not held:
            return  # its lease was over before all failed
        held.until = was.until
        self.note_kept(held)
        self.begin_lease(was.lease)

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
        held = max(self.open, default=0) >= first or max(self.leaving, default=0) >= first
        if first == self.loaded_to and not confirmed and not held:
            # The usual case: nobody has had any of them.
            self.window.extend(items)
            self.loaded += sum(weight_of(item) for item in items)
            self.loaded_to = stop
            return
        for item in items:
            if item.id < self.loaded_to:
                self._load_returned(item)
            elif not (
                item.id in self.open
                or item.id in self.leaving
                or self.positions.is_confirmed(item.id)
            ):
                self.window.append(item)
                self.loaded += weight_of(item)
        if first >= self.loaded_to:
            self.loaded_to = max(stop, self.loaded_to)

    def _load_returned(self, item: Item) -> None:
        for at, (item_id, known) in enumerate(self.returned):
            if item_id == item.id and known.data is None:
                self.returned[at] = (item_id, item)
                self.loaded += weight_of(item) - weight_of(known)
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
            self.forget_in_line(self.loaded_to, reached)
        if self.loaded > target:
            self.strip_open()
        if self.loaded > target:
            self.strip_delayed()
        if self.loaded > target and len(self.returned) > 1:
            for at, (item_id, item) in enumerate(self.returned):
                if at and item.data is not None:
                    self.loaded -= weight_of(item)
                    self.returned[at] = (item_id, bare(item))
