"""Which journals are open: how many may be, which one goes, and how much memory each may take.

Opening a journal costs a hundred times what a command does, so which one is closed for another
matters. Owns that choice and the journals' share of memory; knows of a journal only whether it can go.
A journal that can rest is never closed for another: beyond a bound of its own, or left alone for a while,
it rests, and costs no descriptor until it is used again.
"""

from collections.abc import Callable
from random import Random
from typing import Protocol

from .descriptors import awake_possible, descriptor_limit, journals_possible

__all__ = ["Evictable", "OpenJournals", "awake_by_default", "journals_by_default"]

_LARGE, _SMALL = 1024 * 1024, 128 * 1024
_LARGE_COUNT = 32
_MEMORY = 64 * 1024 * 1024
_SMALL_COST = 2 * _SMALL
"""A small write buffer that is full and the one being written to a table, as measured."""

_FEW = 8
_LEFT_ALONE_S = 10.0
_AT_ONCE = 32
_PAUSE_S = 0.002
"""So many at a time are sent to rest, so that nobody waits for thousands."""


class Evictable(Protocol):
    """An open journal. idle: nothing is under way that needs it. last_used: the turn it was used in."""

    last_used: int

    @property
    def idle(self) -> bool: ...

    def shut(self) -> None:
        """Close the journal; it is opened again when it is needed."""
        ...

    def rest(self) -> None:
        """Have the journal give back what it holds of the system; it takes it again when it is used."""
        ...


def journals_by_default() -> int:
    """How many journals may be open unless it is said: what memory and descriptors allow."""
    in_memory = _LARGE_COUNT + (_MEMORY - _LARGE_COUNT * _LARGE) // _SMALL_COST
    return min(in_memory, journals_possible(descriptor_limit()))


def awake_by_default() -> int:
    """How many of those that can rest may be awake."""
    return awake_possible(descriptor_limit())


class _Bounded:
    """Journals of which so many may be here; more are only while none of them can go.

    The one to go is the less recently used of two taken by chance. Who is used all the time stays,
    and going through a few more queues than fit costs a few openings a round, where closing the
    least recently used would close each queue just before its turn (measured: 66 queues in turn
    where 64 fit, 9 % of the commands open a journal, not 100 %).
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.here: list[Evictable] = []
        self._places: dict[Evictable, int] = {}
        self._chance = Random(0)

    def __contains__(self, journal: Evictable) -> bool:
        return journal in self._places

    def add(self, journal: Evictable) -> None:
        if journal not in self._places:
            self._places[journal] = len(self.here)
            self.here.append(journal)

    def remove(self, journal: Evictable) -> None:
        place = self._places.pop(journal, None)
        if place is not None:
            last = self.here.pop()
            if last is not journal:
                self.here[place] = last
                self._places[last] = place

    @property
    def excess(self) -> int:
        """How many are here beyond the bound."""
        return len(self.here) - self.most

    def victim(self, newest: Evictable) -> Evictable | None:
        """The one to go for one that came; None if none can."""
        here, chance, count = self.here, self._chance, len(self.here)
        victim: Evictable | None = None
        if count > _FEW:  # `sample` takes as long as all the rest
            tried = [here[int(chance.random() * count)] for _ in range(_FEW)]
        else:
            tried = chance.sample(here, count)
        for other in tried:
            if other is newest or other is victim or not other.idle:
                continue
            if victim is not None:
                return victim if victim.last_used < other.last_used else other
            victim = other
        return victim


class OpenJournals:
    """most: how many may be open. most_awake: how many of those that can rest may be awake; they do not
    count as open. turn: turns of the loop so far in which something was written: whoever uses a journal
    notes it there as `last_used`. later: calls back after so many seconds.
    """

    def __init__(
        self,
        most: int,
        most_awake: int,
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.turn = 0
        self._open = _Bounded(most)
        self._awake = _Bounded(most_awake)
        self._later = later
        self._watching = False
        self._watched_at = 0
        self._left_alone: list[Evictable] = []
        self._buffers: dict[Evictable, int] = {}
        self._large = 0

    def __len__(self) -> int:
        """How many take descriptors."""
        return len(self._open.here) + len(self._awake.here)

    @property
    def most(self) -> int:
        return self._open.most

    def add(self, journal: Evictable) -> None:
        """A journal was opened that cannot rest: close others beyond the bound."""
        self._open.add(journal)
        journal.last_used = self.turn
        for _ in range(self._open.excess):
            victim = self._open.victim(journal)
            if victim is None:
                return
            victim.shut()

    def remove(self, journal: Evictable) -> None:
        """A journal is closed, or about to be, or could not be opened."""
        self._take_back(journal)
        self._open.remove(journal)
        self._awake.remove(journal)

    # -- those that can rest -----------------------------------------------------------------------

    def woke(self, journal: Evictable) -> None:
        """A journal that can rest was opened, or is about to be used: others rest beyond the bound."""
        self._take_back(journal)
        self._awake.add(journal)
        journal.last_used = self.turn
        self._watch()
        for _ in range(self._awake.excess):
            victim = self._awake.victim(journal)
            if victim is None:
                return
            self._lay_down(victim)

    def _lay_down(self, journal: Evictable) -> None:
        self._awake.remove(journal)
        journal.rest()

    def _watch(self) -> None:
        if not self._watching and self._awake.here:
            self._watching = True
            # So that whatever is used from now on was used later.
            self.turn += 1
            self._watched_at = self.turn
            self._later(_LEFT_ALONE_S, self._look)

    def _look(self) -> None:
        awake = self._awake.here
        self._left_alone = [each for each in awake if each.last_used < self._watched_at]
        self._lay_down_some()

    def _lay_down_some(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._left_alone))):
            journal = self._left_alone.pop()
            is_unused = journal.last_used < self._watched_at and journal.idle
            if is_unused and journal in self._awake:
                self._lay_down(journal)
        if self._left_alone:
            self._later(_PAUSE_S, self._lay_down_some)
        else:
            self._watching = False
            self._watch()

    # -- memory ------------------------------------------------------------------------------------

    def lend(self, journal: Evictable) -> int:
        """Bytes that a journal may gather in memory: much for the first ones, little for many.

        `remove` and `woke` end the loan.
        """
        self._take_back(journal)
        lent = _LARGE if self._large < _LARGE_COUNT else _SMALL
        self._large += lent == _LARGE
        self._buffers[journal] = lent
        return lent

    def _take_back(self, journal: Evictable) -> None:
        self._large -= self._buffers.pop(journal, 0) == _LARGE
