"""Which ids a consumer has confirmed: everything below its position, and a few spans above.

Owns that set, and with it how many items and bytes a backlog is, without counting them: a span knows
where in the queue's stream of bytes it begins and ends. Spans are sorted, disjoint, never touching.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .items import Item

__all__ = ["Positions", "Span", "joined", "shared", "span_of", "without"]


class Span(NamedTuple):
    """Ids from first up to, not including, stop; begin and end: byte offsets in the stream."""

    first: int
    stop: int
    begin: int
    end: int


def span_of(item: Item) -> Span:
    return Span(item.id, item.id + 1, item.offset, item.offset + item.size)


class Positions:
    """position: the lowest id not confirmed. offset: bytes of all items below it, ever.

    count_above, bytes_above: what the confirmed spans above the position add up to.
    """

    __slots__ = ("_firsts", "bytes_above", "count_above", "offset", "position", "spans")

    def __init__(self, position: int = 1, offset: int = 0, spans: Iterable[Span] = ()) -> None:
        self.position = position
        self.offset = offset
        self.spans = list(spans)
        self._firsts = [span.first for span in self.spans]
        self.count_above = sum(span.stop - span.first for span in self.spans)
        self.bytes_above = sum(span.end - span.begin for span in self.spans)

    def copy(self) -> "Positions":
        return Positions(self.position, self.offset, self.spans)

    @property
    def count(self) -> int:
        """Ids confirmed."""
        return self.position - 1 + self.count_above

    @property
    def size(self) -> int:
        """Their bytes."""
        return self.offset + self.bytes_above

    def all_spans(self) -> list[Span]:
        """All that is confirmed, from the first id on."""
        below = [Span(1, self.position, 0, self.offset)] if self.position > 1 else []
        return below + self.spans

    def next_unconfirmed(self, item_id: int) -> int:
        """The lowest id from this one on that is not confirmed."""
        if item_id < self.position:
            return self.position
        at = bisect_right(self._firsts, item_id) - 1
        return max(item_id, self.spans[at].stop) if at >= 0 else item_id

    def is_confirmed(self, item_id: int) -> bool:
        return self.next_unconfirmed(item_id) != item_id

    def next_span_after(self, item_id: int) -> int | None:
        """Where the first confirmed span above an unconfirmed id begins."""
        at = bisect_right(self._firsts, item_id)
        return self._firsts[at] if at < len(self._firsts) else None

    def unconfirmed(self, span: Span) -> Iterator[Span]:
        """The pieces of a span that are not confirmed."""
        first, begin = span.first, span.begin
        if first < self.position:
            first, begin = self.position, self.offset
        at = max(0, bisect_right(self._firsts, first) - 1)
        for known in self.spans[at : bisect_left(self._firsts, span.stop)]:
            if known.stop > first:
                if known.first > first:
                    yield Span(first, known.first, begin, known.begin)
                first, begin = known.stop, known.end
        if first < span.stop:
            yield Span(first, span.stop, begin, span.end)

    def confirmed(self, span: Span) -> Iterator[Span]:
        """The pieces of a span that are confirmed."""
        first, begin = span.first, span.begin
        for piece in self.unconfirmed(span):
            if piece.first > first:
                yield Span(first, piece.first, begin, piece.begin)
            first, begin = piece.stop, piece.end
        if first < span.stop:
            yield Span(first, span.stop, begin, span.end)

    def confirm(self, span: Span) -> None:
        """Confirm ids of which none is confirmed yet."""
        firsts, spans = self._firsts, self.spans
        first, stop, begin, end = span
        if first == self.position:
            self.position, self.offset = stop, end
            if firsts and firsts[0] == stop:
                self.position, self.offset = self._remove(0)
            return
        at = bisect_left(firsts, first)
        if at < len(spans) and spans[at].first == stop:
            stop, end = self._remove(at)
        if at and spans[at - 1].stop == first:
            at -= 1
            first, begin = spans[at].first, spans[at].begin
            self._remove(at)
        self._insert(at, Span(first, stop, begin, end))

    def unconfirm(self, span: Span) -> None:
        """Take back what is confirmed, all of it by one span or all of it below the position."""
        first, stop, begin, end = span
        if first < self.position:
            if stop < self.position:
                self._insert(0, Span(stop, self.position, end, self.offset))
            self.position, self.offset = first, begin
            return
        at = bisect_right(self._firsts, first) - 1
        whole = self.spans[at]
        self._remove(at)
        if stop < whole.stop:
            self._insert(at, Span(stop, whole.stop, end, whole.end))
        if whole.first < first:
            self._insert(at, Span(whole.first, first, whole.begin, begin))

    def advance(self, position: int, offset: int) -> None:
        """Confirm everything below a position; nothing happens if it is no advance."""
        if position <= self.position:
            return
        while self.spans and self.spans[0].stop <= position:
            self._remove(0)
        self.position, self.offset = position, offset
        if self.spans and self.spans[0].first <= position:
            self.position, self.offset = self._remove(0)

    def confirm_all_but(self, kept: Iterable[Span], stop: int, end: int) -> None:
        """Confirm every id below stop (end: its offset) but these spans, given in order."""
        self.spans.clear()
        self._firsts.clear()
        self.count_above = self.bytes_above = 0
        first, begin = None, 0
        for span in kept:
            if first is None:
                self.position, self.offset = span.first, span.begin
            elif first < span.first:
                self._insert(len(self.spans), Span(first, span.first, begin, span.begin))
            first, begin = span.stop, span.end
        if first is None:
            self.position, self.offset = stop, end
        elif first < stop:
            self._insert(len(self.spans), Span(first, stop, begin, end))

    def _insert(self, at: int, span: Span) -> None:
        self.spans.insert(at, span)
        self._firsts.insert(at, span.first)
        self.count_above += span.stop - span.first
        self.bytes_above += span.end - span.begin

    def _remove(self, at: int) -> tuple[int, int]:
        span = self.spans.pop(at)
        del self._firsts[at]
        self.count_above -= span.stop - span.first
        self.bytes_above -= span.end - span.begin
        return span.stop, span.end


def shared(places: Iterable[Positions]) -> Positions:
    """What several consumers have confirmed, every one of them; at least one is given."""
    first, *others = places
    spans = first.all_spans()
    for other in others:
        spans = _both(spans, other.all_spans())
    return _positions(spans)


def without(at: Positions, spared: Iterable[Span]) -> Positions:
    """The same without some spans, which may overlap and come in any order."""
    taken = Positions(spans=joined(spared))
    return _positions([piece for span in at.all_spans() for piece in taken.unconfirmed(span)])


def joined(spans: Iterable[Span], gap: int = -1, ids: int = 1 << 63) -> list[Span]:
    """In order; those that overlap or touch, or have no more than so many bytes and ids between them,
    are one.
    """
    found: list[Span] = []
    for span in sorted(spans):
        last = found[-1] if found else None
        near = last and gap >= 0 and span.begin - last.end <= gap and span.first - last.stop <= ids
        if last and (near or span.first <= last.stop):
            stop, end = max((last.stop, last.end), (span.stop, span.end))
            found[-1] = Span(last.first, stop, last.begin, end)
        else:
            found.append(span)
    return found


def _both(left: list[Span], right: list[Span]) -> list[Span]:
    found: list[Span] = []
    rest = iter(right)
    other = next(rest, None)
    for span in left:
        while other is not None and other.first < span.stop:
            if other.stop > span.first:
                first, begin = max((span.first, span.begin), (other.first, other.begin))
                stop, end = min((span.stop, span.end), (other.stop, other.end))
                found.append(Span(first, stop, begin, end))
            if other.stop > span.stop:
                break
            other = next(rest, None)
    return found


def _positions(spans: list[Span]) -> Positions:
    if spans and spans[0].first == 1:
        return Positions(spans[0].stop, spans[0].end, spans[1:])
    return Positions(spans=spans)
