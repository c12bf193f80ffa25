"""Rings against a model that keeps every row; histories in little memory."""

import math

from hypothesis import given
from hypothesis import strategies as st

from darnerpy.http.monitoring.quantiles import quantile
from darnerpy.http.monitoring.rings import FIELDS, GAUGES, Ring

ROWS = 7


def rows_of(ring: Ring, until: int, rows: int) -> list[float | None]:
    return [None if math.isnan(value) else value for value in ring.column(0, until, rows)]


@given(
    st.integers(1, 5),
    st.lists(st.integers(1, 2 * ROWS), max_size=20),
    st.integers(0, 2 * ROWS),
    st.integers(1, ROWS),
)
def test_a_ring_has_the_last_rows_and_gaps_where_nothing_was_written(
    step: int, pauses: list[int], late: int, rows: int
) -> None:
    ring, model, at = Ring(step, ROWS, 1), {}, 100
    for number, pause in enumerate(pauses):
        at += pause
        ring.write(at * step, (number,))
        model[at] = float(number)
    until = at + late
    wanted = [model.get(each) for each in range(until - rows + 1, until + 1)]
    assert rows_of(ring, until * step, rows) == wanted


def filled(step: int, rows: int, times: range) -> Ring:
    ring = Ring(step, rows)
    for time in times:
        ring.write(time, (time, *(0,) * (GAUGES - 1), time / 10, 1, 0))
    return ring


PUTS = FIELDS.index("puts")


def test_a_finer_ring_repeats_what_a_coarse_one_has() -> None:
    coarse = filled(10, 6, range(1000, 1100, 10))
    fine = Ring(1, 60)
    list(fine.take_over(coarse))
    wanted = [float(-(-time // 10) * 10) for time in range(1041, 1091)]
    assert rows_of(fine, 1090, 50) == wanted
    assert rows_of(fine, 1093, 3) == [None] * 3
    assert fine.column(PUTS, 1090, 2) == [109.0, 109.0]


def test_of_a_fine_ring_a_coarse_one_has_last_gauges_and_mean_rates() -> None:
    fine = filled(1, 60, range(1001, 1098))
    coarse = Ring(10, 6)
    list(coarse.take_over(fine))
    assert rows_of(coarse, 1090, 6) == [None, 1050.0, 1060.0, 1070.0, 1080.0, 1090.0]
    assert [round(value, 3) for value in coarse.column(PUTS, 1090, 2)] == [107.55, 108.55]


def test_nothing_is_taken_over_from_a_ring_without_rows() -> None:
    ring = Ring(1, 5)
    list(ring.take_over(Ring(10, 5)))
    assert rows_of(ring, 100, 5) == [None] * 5


def test_quantiles() -> None:
    assert quantile([10, 100], [0, 0, 0], 0.99) is None
    assert quantile([1_000_000, 2_000_000], [100, 0, 0], 0.5) == 0.5
    assert quantile([1_000_000, 2_000_000], [50, 50, 0], 0.75) == 1.5
    assert quantile([1_000_000, 2_000_000], [0, 0, 9], 0.5) == 2.0
