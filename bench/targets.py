"""The numbers darnerpy is held to, each beside what was measured, and what Darner once reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import consumers, engines, floods, footprints
from bench.driver import Mode
from bench.floods import FLOODED, MODES, PIPELINED, SMALL, SYNCED, label
from bench.footprints import BACKLOG, BESIDE, IDLE, QUEUES, UPLOADS
from bench.results import Results
from bench.servers import (
    CANNED,
    DARNER,
    DARNERPY,
    DARNERPY_ARENA,
    DARNERPY_MEMORY,
    DARNERPY_PURE,
    DARNERPY_SYNC,
    REDIS_SYNC,
)

Show = Callable[[float], str]
Costs = dict[Mode, dict[int, float]]
MIB = 1 << 20
OURS = DARNERPY.name
CLOSE = 1.05  # so far beyond a cost is close to it

# µs of the server's processor an operation by connections, where canned costs CANNED_US.
CANNED_US = 5.3
COSTS: dict[str, Costs] = {
    OURS: {
        "set": {10: 9.3, 100: 7.3},
        "get": {10: 8.1, 100: 6.5},
        "pair": {10: 9.3, 100: 7.2},
        "closeopen": {10: 8.7, 100: 7.5},
    },
    DARNERPY_PURE.name: {
        "set": {10: 12.0, 100: 8.8},
        "get": {10: 10.0, 100: 8.0},
        "pair": {10: 11.0, 100: 8.6},
        "closeopen": {10: 12.0, 100: 10.0},
    },
    DARNERPY_ARENA.name: {
        "set": {10: 8.4, 100: 7.0},
        "get": {10: 7.8, 100: 6.5},
        "pair": {10: 8.4, 100: 6.6},
        "closeopen": {10: 8.7, 100: 7.4},
    },
    DARNERPY_MEMORY.name: {"set": {100: 6.9}, "pair": {100: 6.6}},
}
MOST_AT_A_THOUSAND = 1.1  # of what it costs at 100

# Darner 0.2.0 in November 2026 on two cores of a Xeon, beside the same canned server: for where it is not
# installed.
QUOTED_DARNER: Costs = {
    "set": {10: 10.4, 100: 9.3, 1000: 10.2},
    "get": {10: 11.7, 100: 11.5, 1000: 12.7},
    "pair": {10: 10.3, 100: 9.7, 1000: 10.7},
    "closeopen": {10: 11.5, 100: 11.4, 1000: 12.5},
}

VERDICTS = ("not met", "close", "below the aim", "not measured", "met")


@dataclass(frozen=True)
class Row:
    what: str
    wanted: str
    measured: str
    verdict: str


def _show_ratio(value: float) -> str:
    return f"{value:.2f}"


def _micro(value: float) -> str:
    return f"{value:.1f}"


def _mib(value: float) -> str:
    return f"{value / MIB:.0f} MiB"


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms"


def _number(value: float) -> str:
    return f"{value:.0f}"


def _row(what: str, wanted: str, value: float | None, met: bool, show: Show) -> Row:
    if value is None:
        return Row(what, wanted, "", "not measured")
    return Row(what, wanted, show(value), "met" if met else "not met")


def _most(what: str, value: float | None, bound: float, show: Show) -> Row:
    return _row(what, f"≤ {show(bound)}", value, value is not None and value <= bound, show)


def _least(what: str, value: float | None, bound: float) -> Row:
    met = value is not None and value >= bound
    return _row(what, f"≥ {bound:.2f}", value, met, _show_ratio)


def scaled(results: Results, server: str, cell: str) -> float | None:
    """What a cell costs, as if canned cost CANNED_US there."""
    ours, canned = (
        results.undisturbed(SMALL, cell, name, "cpu_us") for name in (server, CANNED.name)
    )
    return ours / canned * CANNED_US if ours and canned else None


def _cost(what: str, value: float | None, bound: float, show: Show) -> Row:
    row = _most(what, value, bound, show)
    close = value is not None and bound < value <= bound * CLOSE
    return Row(row.what, row.wanted, row.measured, "close") if close else row


def _cost_rows(results: Results) -> list[Row]:
    rows = []
    for server, costs in COSTS.items():
        if server == DARNERPY_PURE.name and server not in results.servers(SMALL):
            continue  # only beside a compiled one
        for mode, bounds in costs.items():
            for connections, bound in bounds.items():
                cell = label(mode, connections)
                what = f"{cell}, µs" if server == OURS else f"{server}: {cell}, µs"
                rows.append(_cost(what, scaled(results, server, cell), bound, _micro))
    for mode in MODES:
        many, few = (
            results.undisturbed(SMALL, label(mode, count), OURS, "cpu_us") for count in (1000, 100)
        )
        ratio = many / few if many and few else None
        what = f"{label(mode, 1000)}, µs by those at 100"
        rows.append(_cost(what, ratio, MOST_AT_A_THOUSAND, _show_ratio))
    return rows


def _throughput_rows(results: Results) -> list[Row]:
    hundred = label("set", 100)
    synced = results.ratio(SYNCED, hundred, DARNERPY_SYNC.name, OURS)
    by_redis = results.ratio(SYNCED, hundred, DARNERPY_SYNC.name, REDIS_SYNC.name)
    rows = [
        _least(f"{hundred}, sync = always by never", synced, 0.6),
        _aim(f"{hundred}, sync = always by Redis always, this run", by_redis, 1.0),
    ]
    for mode in floods.PIPELINED_MODES:
        deep = results.ratio(
            PIPELINED, label(mode, 10), OURS, CANNED.name, base_cell=floods.UNPIPELINED
        )
        rows.append(_least(f"{label(mode, 10)}, 32 deep, by canned not pipelined", deep, 2.5))
    return rows


def _aim(what: str, value: float | None, aim: float) -> Row:
    row = _row(what, f"aim {aim:.2f}", value, True, _show_ratio)
    below = value is not None and value < aim
    return Row(row.what, row.wanted, row.measured, "below the aim") if below else row


def _of_empty(results: Results, cell: str) -> float | None:
    full = results.value(BACKLOG, cell, OURS, "ops_per_s")
    empty = results.value(BACKLOG, cell, OURS, "empty_ops_per_s")
    return full / empty if full and empty else None


def _footprint_rows(results: Results) -> list[Row]:
    backlogs = [
        cell
        for cell in results.cells(BACKLOG)
        if results.value(BACKLOG, cell, OURS, "ops_per_s") is not None
    ]
    deepest = backlogs[-1] if backlogs else "the deepest backlog"

    def scale(scenario: str, otherwise: str) -> str:
        return next(iter(results.cells(scenario)), otherwise)

    def worst(scenario: str, metric: str) -> float | None:
        return results.worst(scenario, None, OURS, metric)

    small_p99 = results.value(BESIDE, footprints.WITH_BIG, OURS, "p99_us")
    p99 = None if small_p99 is None else small_p99 / 1000
    restart = results.value(BACKLOG, deepest, OURS, "restart_s")
    queues = scale(QUEUES, "many queues").partition(":")[0]
    rss, anonymous = "rss_bytes", "anonymous_bytes"
    return [
        _least(f"pairs over {deepest}, by an empty queue", _of_empty(results, deepest), 0.95),
        _most("RSS at any backlog", worst(BACKLOG, rss), 192 * MIB, _mib),
        _most("RssAnon at any backlog", worst(BACKLOG, anonymous), 96 * MIB, _mib),
        _most(f"start with {deepest} after kill -9, first item served", restart, 1.0, _seconds),
        _most(
            f"RSS, {scale(IDLE, 'connections')} opened and never used",
            worst(IDLE, rss),
            60 * MIB,
            _mib,
        ),
        _most("p99 of small items beside 8 MiB ones", p99, 20.0, _milliseconds),
        _most(
            f"RSS, {scale(UPLOADS, 'large uploads')} at once", worst(UPLOADS, rss), 256 * MIB, _mib
        ),
        _most(f"RSS, {queues}", worst(QUEUES, rss), 192 * MIB, _mib),
        _most(f"RssAnon, {queues}", worst(QUEUES, anonymous), 96 * MIB, _mib),
        _most(f"descriptors, {queues}", worst(QUEUES, "descriptors"), 1000, _number),
    ]


def _turn_rows(results: Results) -> list[Row]:
    name = DARNERPY_ARENA.name
    cells = results.cells(engines.TURNS) or ["queues in turn"]
    few, many = cells[0], cells[-1]
    ratio = results.ratio(engines.TURNS, many, name, name, base_cell=few)
    return [_least(f"{name}: {many}, rate by {few}", ratio, 0.3)]


def _consumer_rows(results: Results) -> list[Row]:
    rows = []
    for one, ten in ((consumers.ONE, consumers.TEN), (consumers.DEEP_ONE, consumers.DEEP_TEN)):
        few = results.value(consumers.CONSUMERS, one, OURS, "ops_per_s")
        many = results.value(consumers.CONSUMERS, ten, OURS, "ops_per_s")
        cost = few / many if few and many else None
        rows.append(_most(f"{ten}, what one costs", cost, 1.3, _show_ratio))
    rss = results.worst(consumers.CONSUMERS, None, OURS, "rss_bytes")
    rows.append(_most("RSS with 100 named consumers of 1,000,000 items", rss, 192 * MIB, _mib))
    return rows


def rows(results: Results) -> list[Row]:
    """Every number, shortfalls first."""
    found = _cost_rows(results) + _throughput_rows(results)
    found += _footprint_rows(results) + _turn_rows(results) + _consumer_rows(results)
    return sorted(found, key=lambda row: VERDICTS.index(row.verdict))


def beside_darner(results: Results) -> list[tuple[str, float, float]]:
    """Cell, what ours costs, what Darner does (or did, if it is not here); furthest behind first."""
    compared = []
    here = DARNER.name in results.servers(SMALL)
    for mode in MODES:
        for connections in FLOODED:
            cell = label(mode, connections)
            ours = scaled(results, OURS, cell)
            theirs = (
                scaled(results, DARNER.name, cell) if here else QUOTED_DARNER[mode][connections]
            )
            if ours is not None and theirs is not None:
                compared.append((cell, ours, theirs))
    return sorted(compared, key=lambda row: row[2] / row[1])
