"""The numbers darnerpy is held to, each beside what was measured, and what Darner once reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import consumers, floods, footprints
from bench.driver import Mode
from bench.floods import FLOODED, MODES, PIPELINED, SMALL, SYNCED, label
from bench.footprints import BACKLOG, BESIDE, IDLE, QUEUES, UPLOADS
from bench.results import Results
from bench.servers import CANNED, DARNERPY, DARNERPY_SYNC, REDIS_SYNC

Show = Callable[[float], str]
MIB = 1 << 20
OURS = DARNERPY.name
AIM = 0.65
HELD: dict[Mode, float] = {"set": 0.50, "pair": 0.55, "closeopen": 0.55}

# Darner 0.2.0 by the canned server, on a like machine in an earlier run: it cannot be had here.
DARNER: dict[Mode, dict[int, float]] = {
    "set": {10: 0.60, 100: 0.66, 1000: 0.68},
    "pair": {10: 0.57, 100: 0.53, 1000: 0.44},
}
REDIS_ALWAYS = 0.53  # Redis with an fsync a loop turn, by canned, 100 connections, in that run

VERDICTS = ("not met", "held, below the aim", "below the aim", "not measured", "met")


@dataclass(frozen=True)
class Row:
    what: str
    wanted: str
    measured: str
    verdict: str


def _show_ratio(value: float) -> str:
    return f"{value:.2f}"


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


def _flood_rows(results: Results) -> list[Row]:
    rows = []
    for mode in MODES:
        for connections in FLOODED:
            cell = label(mode, connections)
            value = results.ratio(SMALL, cell, OURS, CANNED.name)
            held = HELD.get(mode)
            wanted = f"≥ {held:.2f}, aim {AIM:.2f}" if held else f"aim {AIM:.2f}"
            row = _row(f"{cell}, by canned", wanted, value, True, _show_ratio)
            if value is not None and value < AIM:
                verdict = "below the aim"
                if held:
                    verdict = "held, below the aim" if value >= held else "not met"
                row = Row(row.what, row.wanted, row.measured, verdict)
            rows.append(row)
    return rows


def _throughput_rows(results: Results) -> list[Row]:
    hundred = label("set", 100)
    synced = results.ratio(SYNCED, hundred, DARNERPY_SYNC.name, OURS)
    by_canned = results.ratio(SYNCED, hundred, DARNERPY_SYNC.name, CANNED.name)
    by_redis = results.ratio(SYNCED, hundred, DARNERPY_SYNC.name, REDIS_SYNC.name)
    rows = [
        _least(f"{hundred}, sync = always by never", synced, 0.6),
        _aim(f"{hundred}, sync = always by canned", by_canned, REDIS_ALWAYS),
        _aim(f"{hundred}, sync = always by Redis always, this run", by_redis, 1.0),
    ]
    for mode in floods.PIPELINED_MODES:
        deep = results.ratio(
            PIPELINED, label(mode, 10), OURS, CANNED.name, base_cell=floods.UNPIPELINED
        )
        rows.append(_least(f"{label(mode, 10)}, 32 deep, by canned not pipelined", deep, 2.0))
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
        _least(f"pairs over {deepest}, by an empty queue", _of_empty(results, deepest), 0.9),
        _most("RSS at any backlog", worst(BACKLOG, rss), 192 * MIB, _mib),
        _most("RssAnon at any backlog", worst(BACKLOG, anonymous), 96 * MIB, _mib),
        _most(f"start with {deepest} after kill -9, first item served", restart, 1.0, _seconds),
        _most(
            f"RSS, {scale(IDLE, 'connections')} opened and never used",
            worst(IDLE, rss),
            100 * MIB,
            _mib,
        ),
        _most("p99 of small items beside 8 MiB ones", p99, 20.0, _milliseconds),
        _most(
            f"RSS, {scale(UPLOADS, 'large uploads')} at once", worst(UPLOADS, rss), 256 * MIB, _mib
        ),
        _most(f"RSS, {queues}", worst(QUEUES, rss), 192 * MIB, _mib),
        _most(f"RssAnon, {queues}", worst(QUEUES, anonymous), 96 * MIB, _mib),
        # 64 journals of about eight files each, and what is being opened and closed meanwhile.
        _most(f"descriptors, {queues}", worst(QUEUES, "descriptors"), 1000, _number),
    ]


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
    found = _flood_rows(results) + _throughput_rows(results)
    found += _footprint_rows(results) + _consumer_rows(results)
    return sorted(found, key=lambda row: VERDICTS.index(row.verdict))


def beside_darner(results: Results) -> list[tuple[str, float, float]]:
    """Cell, our ratio, Darner's; furthest behind first."""
    compared = []
    for mode, ratios in DARNER.items():
        for connections, theirs in ratios.items():
            ours = results.ratio(SMALL, label(mode, connections), OURS, CANNED.name)
            if ours is not None:
                compared.append((label(mode, connections), ours, theirs))
    return sorted(compared, key=lambda row: row[1] - row[2])
