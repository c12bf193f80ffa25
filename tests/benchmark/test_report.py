"""The page of benchmarks: what it opens with, and its verdicts, from figures that are given."""

import pytest

from bench import report, targets
from bench.floods import FLOODED, MODES, SMALL, SYNCED, label
from bench.results import Results
from bench.servers import BEANSTALKD, CANNED, DARNERPY, DARNERPY_SYNC, MEMCACHED, REDIS


def figures(cost: float, rate: float = 100_000) -> dict[str, float]:
    return {"cpu_us": cost, "ops_per_s": rate, "p50_us": 90, "p99_us": 2100, "p999_us": 4000}


@pytest.fixture
def results() -> Results:
    """Canned costs twice what it does where the numbers were set."""
    results = Results()
    for mode in MODES:
        for connections in FLOODED:
            cell = label(mode, connections)
            results.add(SMALL, cell, CANNED.name, figures(10.6, 200_000))
            results.add(SMALL, cell, DARNERPY.name, figures(13.0))
    results.add(SYNCED, label("set", 100), DARNERPY_SYNC.name, figures(20, 60_000))
    results.add(SMALL, label("set", 100), REDIS.name, figures(12.1, 187_800))
    results.absent[BEANSTALKD.name] = "not installed"
    return results


def page(results: Results) -> list[str]:
    return report.markdown(results, {"processor": "one"}, "a test").splitlines()


def test_it_opens_with_the_answer_and_one_table(results: Results) -> None:
    lines = page(results)
    assert lines[0] == "# Benchmarks"
    assert "puts 100.0k a second at 13.0 µs of the processor each" in lines[2]
    assert "synced to disk before its answer it puts 60.0k a second" in lines[2]
    assert "Redis, which keeps its items in memory, puts 187.8k a second" in lines[2]
    opening = lines[: lines.index("## How it was measured")]
    assert sum(line.startswith("|---") for line in opening) == 1
    costs = " | ".join(["13.0 / 13.0 / 13.0"] * 4)
    assert f"| darnerpy | {costs} | 100.0k, 2.1 ms | 100.0k, 2.1 ms |" in opening


def test_a_server_that_could_not_run_has_a_row_that_says_so(results: Results) -> None:
    lines = page(results)
    assert any(line.startswith("| beanstalkd | not installed |") for line in lines)
    # One that was not asked to take part has none.
    assert not any(line.startswith(f"| {MEMCACHED.name} |") for line in lines[:20])


def test_a_mode_a_server_was_not_run_in_is_a_dash(results: Results) -> None:
    row = next(line for line in page(results) if line.startswith(f"| {REDIS.name} |"))
    assert row == f"| {REDIS.name} | – / 12.1 / – | – | – | – | 187.8k, 2.1 ms | – |"


@pytest.mark.parametrize(
    ("cost", "measured", "verdict"),
    [
        (14.6, "7.3", "met"),
        (15.2, "7.6", "close"),
        (15.4, "7.7", "not met"),
    ],
)
def test_costs_are_scaled_by_canned(
    results: Results, cost: float, measured: str, verdict: str
) -> None:
    results.add(SMALL, label("set", 100), DARNERPY.name, figures(cost))
    row = next(row for row in targets.rows(results) if row.what == "set, 100 connections, µs")
    assert (row.wanted, row.measured, row.verdict) == ("≤ 7.3", measured, verdict)


def test_a_thousand_connections_are_held_against_a_hundred(results: Results) -> None:
    results.add(SMALL, label("get", 1000), DARNERPY.name, figures(15.6))
    rows = {row.what: row for row in targets.rows(results)}
    row = rows["get, 1000 connections, µs by those at 100"]
    assert (row.measured, row.verdict) == ("1.20", "not met")
    assert rows["set, 1000 connections, µs by those at 100"].verdict == "met"


def test_shortfalls_come_first(results: Results) -> None:
    order = [targets.VERDICTS.index(row.verdict) for row in targets.rows(results)]
    assert order == sorted(order)
    assert len(set(order)) > 1


def test_darner_is_compared_in_all_twelve_cells(results: Results) -> None:
    compared = targets.beside_darner(results)
    assert len(compared) == 12
    assert all(ours == pytest.approx(6.5) for _, ours, _ in compared)
    lines = page(results)
    assert "| set, 100 connections | 6.5 | 9.3 | ahead |" in lines


def test_every_flood_has_costs_rates_and_latencies(results: Results) -> None:
    lines = page(results)
    begin = lines.index(f"## {SMALL}")
    rows = [line for line in lines[begin:] if line.startswith("| set, 100 connections |")]
    assert rows[0] == "| set, 100 connections | 10.6 | 13.0 (1.2) | 12.1 (1.1) |"
    assert rows[1] == "| set, 100 connections | 200.0k | 100.0k (0.50) | 187.8k (0.94) |"
    assert rows[2].startswith("| set, 100 connections | 90 µs / 2.1 ms / 4.0 ms |")
