"""Which journals are open: how many may be, which one goes, and how much memory each may take.

Opening a journal costs a hundred times what a command does, so which one is closed for another
matters. Owns that choice and the journals' share of memory; knows of a journal only whether it can go.
"""

from random import Random
from typing import Protocol

from .descriptors import descriptor_limit, journals_possible

__all__ = ["Evictable", "OpenJournals", "journals_by_default"]

_LARGE, _SMALL = 1024 * 1024, 128 * 1024
_LARGE_COUNT = 32
_MEMORY = 64 * 1024 * 1024
_SMALL_COST = 2 * _SMALL
"""A small write buffer that is full and the one being written to a table, as measured."""

_SAMPLE = 8


class Evictable(Protocol):
    """An open journal. idle: nothing is under way that needs it. last_used: the turn it was used in."""

    last_used: int

    @property
    def idle(self) -> bool: ...

    def shut(self) -> None:
        """Close the journal; it is opened again when it is needed."""
        ...


def journals_by_default() -> int:
    """How many journals may be open unless it is said: what memory and descriptors allow."""
    in_memory = _LARGE_COUNT + (_MEMORY - _LARGE_COUNT * _LARGE) // _SMALL_COST
    return min(in_memory, journals_possible(descriptor_limit()))


class OpenJournals:
    """most: how many may be open; more are only while none of them can be closed. turn: turns of the
    loop so far in which something was written: whoever uses a journal notes it there as `last_used`.

    The one to go is the less recently used of two taken by chance. Who is used all the time stays,
    and going through a few more queues than fit costs a few openings a round, where closing the
    least recently used would close each queue just before its turn (measured: 66 queues in turn
    where 64 fit, 9 % of the commands open a journal, not 100 %).
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: list[Evictable] = []
        self._places: dict[Evictable, int] = {}
        self.turn = 0
        self._chance = Random(0)
        self._buffers: dict[Evictable, int] = {}
        self._large = 0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, journal: Evictable) -> None:
        """A journal was opened: close others beyond the bound."""
        if journal not in self._places:
            self._places[journal] = len(self._open)
            self._open.append(journal)
        journal.last_used = self.turn
        for _ in range(len(self._open) - self.most):
            victim = self._choose(journal)
            if victim is None:
                return
            victim.shut()

    def remove(self, journal: Evictable) -> None:
        """A journal is closed, or about to be, or could not be opened."""
        self._take_back(journal)
        place = self._places.pop(journal, None)
        if place is not None:
            last = self._open.pop()
            if last is not journal:
                self._open[place] = last
                self._places[last] = place

    def _choose(self, newest: Evictable) -> Evictable | None:
        sample = self._chance.sample(self._open, min(_SAMPLE, len(self._open)))
        idle = [each for each in sample if each is not newest and each.idle][:2]
        return min(idle, key=lambda each: each.last_used, default=None)

    # -- memory ------------------------------------------------------------------------------------

    def lend(self, journal: Evictable) -> int:
        """Bytes that a journal may gather in memory: much for the first ones, little for many.

        `remove` ends the loan.
        """
        self._take_back(journal)
        lent = _LARGE if self._large < _LARGE_COUNT else _SMALL
        self._large += lent == _LARGE
        self._buffers[journal] = lent
        return lent

    def _take_back(self, journal: Evictable) -> None:
        self._large -= self._buffers.pop(journal, 0) == _LARGE
