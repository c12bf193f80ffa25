"""Positions against a plain set of confirmed ids."""

from collections.abc import Callable
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from darnerpy.queues.positions import Positions, Span, joined, shared, without

LAST = 24
SIZES = [(7 * item_id) % 5 for item_id in range(LAST + 2)]
"""Of each item; some are empty."""

Action = tuple[Literal["confirm", "take back", "advance", "all but"], int, int]
spans = st.tuples(st.integers(1, LAST), st.integers(1, LAST + 1)).map(sorted)
actions = st.lists(
    st.tuples(
        st.sampled_from(["confirm", "confirm", "take back", "advance", "all but"]), spans
    ).map(lambda drawn: (drawn[0], *drawn[1])),
    max_size=25,
)


def offset(item_id: int) -> int:
    return sum(SIZES[1:item_id])


def span(first: int, stop: int) -> Span:
    return Span(first, stop, offset(first), offset(stop))


def pieces(ids: set[int]) -> list[Span]:
    """The fewest spans that make up these ids."""
    firsts = [i for i in sorted(ids) if i - 1 not in ids]
    stops = [i + 1 for i in sorted(ids) if i + 1 not in ids]
    return [span(first, stop) for first, stop in zip(firsts, stops, strict=True)]


class Both:
    """Positions and the set they stand for."""

    def __init__(self) -> None:
        self.at = Positions()
        self.confirmed: set[int] = set()
        self.undo: list[tuple[Span, set[int]]] = []

    def do(self, action: str, first: int, stop: int) -> None:
        ids = set(range(first, stop))
        if action == "confirm":
            for piece in list(self.at.unconfirmed(span(first, stop))):
                self.undo.append((piece, set(self.confirmed)))
                self.at.confirm(piece)
                self.confirmed.update(range(piece.first, piece.stop))
        elif action == "take back":
            for _ in range(min(len(self.undo), stop - first)):
                piece, self.confirmed = self.undo.pop()
                self.at.unconfirm(piece)
        elif action == "advance":
            self.undo.clear()
            self.at.advance(first, offset(first))
            self.confirmed.update(range(1, first))
        else:
            self.undo.clear()
            kept = ids - self.confirmed
            self.at.confirm_all_but(
                [span(i, i + 1) for i in sorted(kept)], stop + 1, offset(stop + 1)
            )
            self.confirmed = set(range(1, stop + 1)) - kept

    def check(self) -> None:
        at, confirmed = self.at, self.confirmed
        position = min(i for i in range(1, LAST + 3) if i not in confirmed)
        above = {i for i in confirmed if i > position}
        assert (at.position, at.offset) == (position, offset(position))
        assert at.spans == pieces(above)
        assert at.count_above == len(above)
        assert at.bytes_above == sum(SIZES[i] for i in above)


def after(todo: list[Action]) -> Both:
    both = Both()
    for action in todo:
        both.do(*action)
        both.check()
    return both


@given(actions)
def test_whatever_is_done_they_are_the_set(todo: list[Action]) -> None:
    after(todo)


@given(actions, st.integers(1, LAST))
def test_questions_are_answered_as_the_set_would(todo: list[Action], item_id: int) -> None:
    both = after(todo)
    at, confirmed = both.at, both.confirmed
    assert at.is_confirmed(item_id) == (item_id in confirmed)
    assert at.next_unconfirmed(item_id) == min(
        i for i in range(item_id, LAST + 3) if i not in confirmed
    )
    if item_id not in confirmed:
        later = [piece.first for piece in at.spans if piece.first > item_id]
        assert at.next_span_after(item_id) == (later[0] if later else None)


@given(actions, spans)
def test_the_unconfirmed_pieces_of_a_span(todo: list[Action], bounds: list[int]) -> None:
    both = after(todo)
    first, stop = bounds
    wanted = pieces(set(range(first, stop)) - both.confirmed)
    assert list(both.at.unconfirmed(span(first, stop))) == wanted


@given(actions, actions)
def test_a_copy_goes_its_own_way(todo: list[Action], more: list[Action]) -> None:
    both = after(todo)
    copied = both.at.copy()
    other = Both()
    other.at, other.confirmed = copied, set(both.confirmed)
    other.check()
    for action in more:
        other.do(*action)
        other.check()
    both.check()


def test_many_spans_cost_no_more_than_their_neighbours() -> None:
    """With 100 000 of them, to look at each for each would take minutes."""
    at = Positions()
    for item_id in range(2, 200_002, 2):
        at.confirm(Span(item_id, item_id + 1, 0, 0))
    calls: list[Callable[[int], object]] = [
        at.next_unconfirmed,
        at.next_span_after,
        lambda i: list(at.unconfirmed(Span(i, i + 3, 0, 0))),
    ]
    for call in calls:
        for item_id in range(1, 200_000, 2):
            call(item_id)


@given(st.lists(actions, min_size=1, max_size=3))
def test_what_several_share_is_what_is_in_all_their_sets(todos: list[list[Action]]) -> None:
    several = [after(todo) for todo in todos]
    both = Both()
    both.at = shared(each.at for each in several)
    both.confirmed = set.intersection(*(each.confirmed for each in several))
    both.check()


@given(actions, st.lists(spans, max_size=4))
def test_without_some_spans_they_are_the_set_without_them(
    todo: list[Action], spared: list[list[int]]
) -> None:
    both = after(todo)
    kept = [span(first, stop + 1) for first, stop in spared]
    both.at = without(both.at, kept)
    for first, stop in spared:
        both.confirmed -= set(range(first, stop + 1))
    both.check()


def test_spans_with_little_between_them_are_joined() -> None:
    some = [Span(9, 10, 90, 100), Span(1, 3, 0, 20), Span(2, 4, 10, 30), Span(6, 7, 50, 60)]
    assert joined(some) == [Span(1, 4, 0, 30), Span(6, 7, 50, 60), Span(9, 10, 90, 100)]
    assert joined(some, 20) == [Span(1, 7, 0, 60), Span(9, 10, 90, 100)]
    assert joined([Span(1, 2, 0, 5), Span(3, 4, 5, 9)]) == [Span(1, 2, 0, 5), Span(3, 4, 5, 9)]
