"""What was, of every queue and of all together, for charts: in bounded memory, so not all in the same detail.

Owns who is kept in which detail: the last minute of each one's depth; all there is to a row each second and
each minute of the most active ones; and each ten seconds and ten minutes of as many others as there is room
for. Who becomes more active takes what is known of it along.
"""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from .rings import FIELDS, Ring
from .slices import brief
from .watch import Place, Watch

__all__ = ["DETAILS", "Detail", "History", "Series"]

_MINUTE = 60
_RANK_S = 60
_MOVES = 2
"""So many places change their detail in a second."""

_FORGET = 0.9
"""What is left of how active one was, a minute later."""


class Detail(NamedTuple):
    """name: as answers have it. minutes, day: the rings for 10 minutes and for 24 hours, as step and rows."""

    name: str
    minutes: tuple[int, int]
    day: tuple[int, int]

    @property
    def size(self) -> int:
        return Ring.bytes_of(*self.minutes) + Ring.bytes_of(*self.day)


FINE = Detail("fine", (1, 600), (60, 1440))
COARSE = Detail("coarse", (10, 60), (600, 144))
DETAILS = (FINE, COARSE)
_DEPTH = (1, _MINUTE, 1)
_LEAST = Ring.bytes_of(*_DEPTH) + 250


class Kept:
    """What is kept of one. detail: None if only the last minute of its depth. depth: that."""

    __slots__ = ("active", "counted", "day", "depth", "detail", "minutes", "used")

    def __init__(self) -> None:
        self.detail: Detail | None = None
        self.depth: Ring | None = None
        self.minutes: Ring | None = None
        self.day: Ring | None = None
        self.active = 0.0
        self.counted = 0
        self.used = 0

    def change(self, detail: Detail | None) -> Iterator[None]:
        """From now on, with what is known; yields where others should have their turn."""
        before = self.minutes, self.day
        self.detail = detail
        self.minutes = None if detail is None else Ring(*detail.minutes)
        self.day = None if detail is None else Ring(*detail.day)
        for now, then in zip((self.minutes, self.day), before, strict=True):
            if now is not None and then is not None:
                yield from now.take_over(then)


class Series(NamedTuple):
    """What is known of one in a time. detail: as `Detail.name`, "depth" or "none". start: of the first row,
    seconds of the watch's clock.
    """

    detail: str
    start: int
    step: int
    columns: dict[str, list[float]]


class History:
    """memory: bytes that all may take. second: of the last look."""

    def __init__(self, watch: Watch, memory: int) -> None:
        self.memory = memory
        self.second = 0
        self._watch = watch
        self._all = Kept()
        deque(self._all.change(FINE), 0)
        self._places: dict[Place, Kept] = {}
        self._used = FINE.size
        self._moves: list[tuple[Place, Detail | None]] = []
        watch.noting.append(self._note)
        watch.forgetting.append(self._forget)
        watch.telling.append(self._told)

    # -- keeping -----------------------------------------------------------------------------------

    def _note(self, place: Place, second: int) -> None:
        kept = self._places.get(place)
        if kept is None:
            kept = self._places[place] = self._admit()
        sample = place.last
        if sample is None:
            return
        if kept.depth is not None and second > kept.depth.last:
            kept.depth.write(second, (sample.items,))
        if kept.minutes is not None:
            gauges = (
                sample.items,
                sample.bytes,
                sample.age / 1000,
                sample.open_reads,
                sample.waiters,
            )
            _write(kept.minutes, second, gauges, place.totals)
            if kept.day is not None:
                _write(kept.day, second, gauges, place.totals)

    def _admit(self) -> Kept:
        """A new one is given what there is room for."""
        kept = Kept()
        if self._used + _LEAST <= self.memory:
            kept.depth = Ring(*_DEPTH)
            self._used += _LEAST
            kept.used = _LEAST
        if self._used + FINE.size <= self.memory // 2:
            deque(self._change(kept, FINE), 0)
        elif self._used + COARSE.size <= self.memory:
            deque(self._change(kept, COARSE), 0)
        return kept

    def _change(self, kept: Kept, detail: Detail | None) -> Iterator[None]:
        self._used -= 0 if kept.detail is None else kept.detail.size
        self._used += 0 if detail is None else detail.size
        yield from kept.change(detail)

    def _forget(self, place: Place) -> None:
        kept = self._places.pop(place, None)
        if kept is not None:
            deque(self._change(kept, None), 0)
            self._used -= kept.used

    def _told(self, second: int) -> Iterator[None]:
        watch, sums = self._watch, self._watch.sums
        self.second = second
        gauges = (sums.items, sums.bytes, sums.oldest / 1000, sums.open_reads, sums.waiters)
        for ring in (self._all.minutes, self._all.day):
            if ring is not None:
                _write(ring, second, gauges, watch.totals)
        if watch.looks % _RANK_S == 2:
            yield from self._rank()
        for _ in range(min(_MOVES, len(self._moves))):
            yield
            place, detail = self._moves.pop()
            kept = self._places.get(place)
            if kept is not None and self._room_for(kept, detail):
                yield from self._change(kept, detail)

    def _room_for(self, kept: Kept, detail: Detail | None) -> bool:
        before = 0 if kept.detail is None else kept.detail.size
        return detail is None or self._used - before + detail.size <= self.memory

    # -- who is kept in which detail ---------------------------------------------------------------

    def _rank(self) -> Iterator[None]:
        """Decide anew; what follows from it is done bit by bit, those who give memory first."""
        cut = brief()
        # Who is twice as active is one rank higher, and who is kept finely.
        ranks: list[list[Place]] = []
        for number, place in enumerate(list(self._places)):
            if number % 32 == 0 and cut.is_over():
                yield
            kept = self._places.get(place)
            if kept is None:
                continue
            counted = place.totals[0] + place.totals[1]
            kept.active = kept.active * _FORGET + (counted - kept.counted)
            kept.counted = counted
            if kept.depth is None and self._used + _LEAST <= self.memory:
                kept.depth = Ring(*_DEPTH)
                kept.used = _LEAST
                self._used += _LEAST
            rank = int(kept.active).bit_length() + (kept.detail is FINE)
            ranks += [[] for _ in range(rank + 1 - len(ranks))]
            ranks[rank].append(place)
        fine, coarse = self._shares(len(self._places))
        gives: list[tuple[Place, Detail | None]] = []
        takes: list[tuple[Place, Detail | None]] = []
        for number, place in enumerate(chain.from_iterable(reversed(ranks))):
            wanted = FINE if number < fine else COARSE if number < fine + coarse else None
            has = self._places[place].detail if place in self._places else wanted
            if wanted is not has:
                less = has is FINE or wanted is None
                (gives if less else takes).append((place, wanted))
            if number % 32 == 0 and cut.is_over():
                yield
        takes.reverse()
        self._moves = takes + gives  # the last of them is the first to be done

    def _shares(self, places: int) -> tuple[int, int]:
        """How many are to be kept in fine, how many in coarse detail."""
        left = self.memory - FINE.size - places * _LEAST
        if left <= 0:
            return 0, 0
        fine = (left - places * COARSE.size) // (FINE.size - COARSE.size)
        fine = min(places, max(fine, left // 2 // FINE.size))
        coarse = min(places - fine, (left - fine * FINE.size) // COARSE.size)
        return fine, max(0, coarse)

    # -- answering ---------------------------------------------------------------------------------

    def of_all(self, seconds: int) -> Series:
        return self._series(self._all, seconds)

    def of(self, place: Place | None, seconds: int) -> Series:
        """What is known of a place in the last seconds: 600 of them at most, or a day."""
        kept = None if place is None else self._places.get(place)
        return Series("none", self.second, 1, {}) if kept is None else self._series(kept, seconds)

    def depth_of(self, place: Place) -> list[float]:
        """Of the last minute, a number a second."""
        kept = self._places.get(place)
        if kept is None or kept.depth is None:
            return []
        return kept.depth.column(0, self.second, _MINUTE)

    def _series(self, kept: Kept, seconds: int) -> Series:
        ring = kept.minutes if seconds <= 600 else kept.day
        if kept.detail is None or ring is None:
            if kept.depth is None:
                return Series("none", self.second, 1, {})
            rows = min(seconds, _MINUTE)
            column = kept.depth.column(0, self.second, rows)
            return Series("depth", self.second - rows + 1, 1, {"items": column})
        rows = min(max(1, seconds // ring.step), ring.rows)
        until = self.second // ring.step * ring.step
        columns = {name: ring.column(at, until, rows) for at, name in enumerate(FIELDS)}
        return Series(kept.detail.name, until - (rows - 1) * ring.step, ring.step, columns)


def _write(
    ring: Ring, second: int, gauges: tuple[float, float, float, float, float], totals: list[int]
) -> None:
    """If it is time for it."""
    time = second // ring.step * ring.step
    if time <= ring.last or second <= ring.seen:  # the other one had it, from which it took over
        return
    last, since, passed = ring.last, ring.since, second - ring.seen
    ring.since, ring.seen = tuple(totals), second
    if not last:
        ring.last = time  # there is nothing to compare with: what it rises by is not known
        return
    puts, gets, confirmed = totals
    rates = (
        (puts - since[0]) / passed,
        (gets - since[1]) / passed,
        (confirmed - since[2]) / passed,
    )
    ring.write(time, gauges + rates)
