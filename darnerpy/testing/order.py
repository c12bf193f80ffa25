"""Do items come in the order in which they were put, and is END only said when there is none?

Owns the known patterns that no queue can show, for any number of clients. Of each item it computes
when it *certainly waited*: from the end of its put to the first moment someone may have taken it, and
again from the end of an abort, or from when the server must have noticed that its holder is gone.
Then, for each consumer:

- no get, open or peek may show an item b while an item a certainly waited all the time from when b
  was asked for and put until it came, if the put of a had ended before the put of b began;
- no get, open or peek may answer END while any item certainly waited all that time.

If nothing is ever returned these are exactly the bad patterns of a FIFO queue (an item put wholly
before another comes out wholly after it; END while an item was inside). With returns they say that an
item returns to its original place: from then on it comes before everything that was put after it.
The other patterns (never put, out twice, out before in) are `accounting`'s.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from math import inf
from operator import attrgetter
from typing import NamedTuple

from .accounting import DEFAULT_TOLERANCE_MS, Consumer, consumers
from .history import Delivery, Finding, History, Operation, Timeline

__all__ = ["check_order"]


def check_order(history: History, tolerance_ms: int = DEFAULT_TOLERANCE_MS) -> list[Finding]:
    """What cannot have happened to a queue that keeps its order; each item is named at most once.

    Takes O(n log n), and longer only where operations whose answers were lost could be the reason.
    """
    history.check()
    timeline = Timeline(history, tolerance_ms / 1000)
    return [finding for each in consumers(history, timeline) for finding in _check(each)]


class _Stay(NamedTuple):
    """An item certainly waited between two moments. place: when its put had ended."""

    begin: float
    end: float
    place: float
    put: Operation


class _Question(NamedTuple):
    """Whether an item with a place before `place` certainly waited all the time between two moments."""

    begin: float
    end: float
    place: float
    seen: Operation


_BEGIN = attrgetter("begin")


def _check(consumer: Consumer) -> Iterator[Finding]:
    stays = sorted(_stays(consumer), key=_BEGIN)
    doubts = [(o.invoked, consumer.timeline.back(o)) for o in consumer.doubtful]
    blamed: set[str | None] = set()
    for question, found in _answers(stays, sorted(_questions(consumer), key=_BEGIN)):
        if found.put.value in blamed:
            continue
        # Each operation whose answer was lost may hide one item as long as it is not over.
        hidden = sum(b <= question.end and e >= question.begin for b, e in doubts)
        if hidden and _count(stays, question) <= hidden:
            continue
        blamed.add(found.put.value)
        seen = question.seen
        if seen.value is None:
            why = f"{found.put.value} was certainly waiting in {consumer.title} meanwhile"
            yield Finding("END was said too early", why, [found.put, seen])
        else:
            why = f"{found.put.value} was put before {seen.value}, and certainly waiting meanwhile"
            yield Finding("out of order", why, [found.put, consumer.puts[seen.value], seen])


def _stays(consumer: Consumer) -> Iterator[_Stay]:
    """When which items certainly waited."""
    timeline = consumer.timeline
    absences = _Absences(consumer)
    for value, put in consumer.puts.items():
        deliveries = consumer.deliveries.get(value, [])
        sure = consumer.must_see(put)
        if not sure and not deliveries:
            continue
        place, expires = timeline.end(put), timeline.expires(put)[0]
        for begin, end in _between(place, absences.of(deliveries, sure, put.invoked)):
            if begin < min(end, expires):
                yield _Stay(begin, min(end, expires), place, put)


class _Absences:
    """When items of a consumer may not have been in line."""

    def __init__(self, consumer: Consumer) -> None:
        timeline = consumer.timeline
        self._discards = [(o.invoked, timeline.end(o)) for o in consumer.discards]
        self._discards_end = list(accumulate((end for _, end in self._discards), max))
        # Plain gets whose answer was lost: the end of each, and the first begin of those from it on.
        takers = sorted((timeline.end(o), o.invoked) for o in consumer.doubtful if o.kind == "get")
        self._takers_end = [end for end, _ in takers]
        self._takers_begin = list(accumulate((begin for _, begin in reversed(takers)), min))[::-1]

    def of(self, deliveries: list[Delivery], sure: bool, put: float) -> list[tuple[float, float]]:
        """From and until when; what was discarded or taken may be gone for good.

        sure: the put has certainly taken effect. put: when it began.
        """
        away = [(d.operation.invoked, d.back) for d in deliveries]
        # Up to when it was asked for the last time it cannot have gone for good.
        last = max((d.operation.invoked for d in deliveries), default=-inf)
        for begin, end in self._discards[bisect_left(self._discards_end, put) :]:
            if end >= last:
                away.append((begin, inf))
                break
            away.append((begin, end))
        taker = bisect_left(self._takers_end, max(put, last))
        if taker < len(self._takers_end):
            away.append((self._takers_begin[taker], inf))
        if not sure or any(d.confirmed is None and d.operation.invoked == last for d in deliveries):
            away.append((last, inf))
        return sorted(away)


def _between(begin: float, away: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The pieces of time from begin on that are not away."""
    for leaves, returns in away:
        if begin < leaves:
            yield begin, leaves
        begin = max(begin, returns)
    if begin < inf:
        yield begin, inf


def _questions(consumer: Consumer) -> Iterator[_Question]:
    for seen in consumer.sightings:
        if seen.value is None:
            yield _Question(seen.invoked, consumer.timeline.end(seen), inf, seen)
        elif (put := consumer.puts.get(seen.value)) is not None:
            begin = max(seen.invoked, put.invoked)
            yield _Question(begin, consumer.timeline.end(seen), put.invoked, seen)


def _answers(stays: list[_Stay], questions: list[_Question]) -> Iterator[tuple[_Question, _Stay]]:
    """The questions that are answered with yes, each with the stay that lasted longest.

    Both are sorted by begin. A Fenwick tree over the places finds the longest stay before a place.
    """
    places = sorted({stay.place for stay in stays})
    longest: list[_Stay | None] = [None] * (len(places) + 1)
    upcoming = iter([*stays, None])
    stay = next(upcoming)
    for question in questions:
        while stay is not None and stay.begin < question.begin:
            at = bisect_left(places, stay.place) + 1
            while at < len(longest):
                known = longest[at]
                if known is None or known.end < stay.end:
                    longest[at] = stay
                at += at & -at
            stay = next(upcoming)
        found: _Stay | None = None
        at = bisect_left(places, question.place)
        while at:
            known = longest[at]
            if known is not None and (found is None or found.end < known.end):
                found = known
            at -= at & -at
        if found is not None and found.end > question.end:
            yield question, found


def _count(stays: list[_Stay], question: _Question) -> int:
    return sum(
        stay.begin < question.begin and stay.end > question.end and stay.place < question.place
        for stay in stays
    )
