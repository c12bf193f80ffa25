"""How consumers share the memory for loaded items."""

from hypothesis import given
from hypothesis import strategies as st

from darnerpy.queues.windows import Windows


class Holder:
    """Holds items of 10 bytes each, and keeps the first whatever happens."""

    def __init__(self) -> None:
        self.loaded = 0
        self.settled = 0

    def settle(self, windows: Windows) -> None:
        before, self.settled = self.settled, self.loaded
        if before != self.loaded:
            windows.settle(self, before, self.loaded)

    def shrink(self, target: int) -> None:
        self.loaded = max(min(self.loaded, 10), target // 10 * 10)


def test_one_alone_may_have_it_all() -> None:
    windows, holder = Windows(100), Holder()
    holder.loaded = 100
    holder.settle(windows)
    assert (windows.used, windows.share, holder.loaded) == (100, 100, 100)


def test_over_the_limit_the_large_give_back_to_half_their_share() -> None:
    windows, large, small = Windows(100), Holder(), Holder()
    for holder, loaded in ((small, 20), (large, 90)):
        holder.loaded = loaded
        holder.settle(windows)
    assert (windows.share, windows.used) == (50, 40)
    assert (large.loaded, small.loaded) == (20, 20)


def test_who_holds_nothing_has_no_share() -> None:
    windows, one, other = Windows(100), Holder(), Holder()
    for holder in (one, other):
        holder.loaded = 10
        holder.settle(windows)
    assert windows.share == 50
    other.loaded = 0
    other.settle(windows)
    assert windows.share == 100


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=30))
def test_the_sum_is_right_and_within_the_limit(changes: list[tuple[int, int]]) -> None:
    windows, holders = Windows(100), [Holder() for _ in range(6)]
    for which, items in changes:
        holders[which].loaded = 10 * items
        holders[which].settle(windows)
        assert windows.used == sum(holder.loaded for holder in holders)
        assert windows.used <= 100
        assert windows.share == 100 // max(1, sum(holder.loaded > 0 for holder in holders))
