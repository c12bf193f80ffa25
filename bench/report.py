"""The page of results: the answer and one table, the numbers to hold, then every scenario."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from bench import engines, floods, targets
from bench.driver import Mode
from bench.floods import FLOODED, LABELS, MODES, SMALL, SYNCED, label
from bench.profile import counts
from bench.results import Results
from bench.servers import CANNED, DARNER, DARNERPY, DARNERPY_SYNC, REDIS, REDIS_SYNC
from bench.tables import NONE, show, table

_FOOTPRINTS = {
    "ops_per_s": "ops/s",
    "cpu_us": "CPU µs",
    "empty_ops_per_s": "ops/s on an empty queue",
    "p50_us": "p50",
    "p99_us": "p99",
    "p999_us": "p99.9",
    "max_us": "worst",
    "rss_bytes": "RSS",
    "anonymous_bytes": "RssAnon",
    "fresh_bytes": "RSS when started",
    "descriptors": "descriptors",
    "fill_per_s": "filled at, items/s",
    "restart_s": "restart",
    "peek_ms": "peek",
    "flush_ms": "flush",
    "big_bytes_per_s": "big items",
    "bytes_per_s": "rate",
}


# -- the answer --------------------------------------------------------------------------------------


def _in_words(results: Results, scenario: str, mode: Mode, server: str) -> str:
    """A rate and what one operation costs, at 100 connections."""
    cell = label(mode, 100)
    rate = show("ops_per_s", results.value(scenario, cell, server, "ops_per_s"))
    cost = show("cpu_us", results.undisturbed(scenario, cell, server, "cpu_us"))
    return f"{rate} a second at {cost} µs of the processor each" if rate else "(not measured)"


def _sentence(results: Results) -> str:
    def words(mode: Mode, server: str, scenario: str = SMALL) -> str:
        return _in_words(results, scenario, mode, server)

    synced, theirs = (
        show("ops_per_s", results.value(SYNCED, label("set", 100), server.name, "ops_per_s"))
        for server in (DARNERPY_SYNC, REDIS_SYNC)
    )
    text = (
        f"How fast is it? For 100 clients and items of 64 bytes, on one core, darnerpy puts "
        f"{words('set', DARNERPY.name)} and takes {words('get', DARNERPY.name)}"
    )
    if synced:
        text += f"; with each synced to disk before its answer it puts {synced} a second"
    text += f". Redis, which keeps its items in memory, puts {words('set', REDIS.name)}"
    if theirs:
        text += f", and {theirs} a second synced"
    return text + "."


def _costs(results: Results, server: str, mode: Mode) -> str:
    found = [
        show("cpu_us", results.undisturbed(SMALL, label(mode, connections), server, "cpu_us"))
        or NONE
        for connections in FLOODED
    ]
    return NONE if set(found) == {NONE} else " / ".join(found)


def _rate(results: Results, server: str, mode: Mode) -> str:
    cell = label(mode, 100)
    rate = show("ops_per_s", results.value(SMALL, cell, server, "ops_per_s"))
    return (
        f"{rate}, {show('p99_us', results.value(SMALL, cell, server, 'p99_us'))}" if rate else NONE
    )


def _answer(results: Results) -> list[str]:
    """What a reader wants to know first."""
    rows = []
    for server in (recipe.name for recipe in floods.ALL):
        if server in results.absent:
            rows.append((server, results.absent[server], *[""] * (len(MODES) + 1)))
        elif server in results.servers(SMALL):
            costs = (_costs(results, server, mode) for mode in MODES)
            rates = (_rate(results, server, mode) for mode in ("set", "get"))
            rows.append((server, *costs, *rates))
    heads = [LABELS[mode] for mode in MODES]
    return [
        _sentence(results),
        "",
        f"µs of the server's processor an operation, user and system, at "
        f"{' / '.join(map(str, FLOODED))} connections; and at 100 connections the operations a "
        "second with the 99th percentile of the time to the answer:",
        "",
        *table(["", *heads, "sets a second, p99", "gets a second, p99"], rows),
        "*canned* stores nothing: it is the kernel, nearly alone, and no server on this machine costs "
        "less. memcached keeps one item and takes none away. Redis and beanstalkd keep their items in "
        "memory; darnerpy keeps them on disk, and its memory stays the same however many wait.",
        "",
    ]


# -- the numbers to hold -----------------------------------------------------------------------------


def verdicts(results: Results) -> list[str]:
    """Every number to hold, shortfalls first, and how many there are of each kind."""
    rows = targets.rows(results)
    found = [row.verdict for row in rows]
    counted = ((verdict, found.count(verdict)) for verdict in targets.VERDICTS)
    listed = ((row.what, row.wanted, row.measured, row.verdict) for row in rows)
    return [
        ", ".join(f"{count} {verdict}" for verdict, count in counted if count) + ".",
        "",
        *table(["", "wanted", "measured", "verdict"], listed),
    ]


def _numbers(results: Results) -> list[str]:
    return [
        "## The numbers to hold",
        "",
        "A row is *met* if what was measured is within *wanted*, and *close* if it is within 5 % of "
        "that. *aim* is what we would like to reach, and is no promise. Costs are in µs of the server's "
        f"processor, scaled to a machine where the canned server costs {targets.CANNED_US}. *set+get "
        "pairs* puts an item and takes it again, in turn; *close/open* is `get QUEUE/close/open`, which "
        "confirms an item and opens the next. *32 deep* is pipelined: each client has 32 commands under "
        "way, otherwise one.",
        "",
        *verdicts(results),
    ]


def _beside_darner(results: Results) -> list[str]:
    here = DARNER.name in results.servers(SMALL)
    where = (
        "Darner, the C++ server, in the same run."
        if here
        else "Darner 0.2.0, the C++ server, was not installed. What 0.2.0 cost was measured in November "
        "2026 on two cores of a Xeon, beside the same canned server, and is quoted."
    )
    shown = (
        (cell, f"{ours:.1f}", f"{theirs:.1f}", "behind" if ours > theirs else "ahead")
        for cell, ours, theirs in targets.beside_darner(results)
    )
    theirs = DARNER.name if here else "Darner (quoted)"
    return [
        "## Beside Darner",
        "",
        where,
        "",
        *table(["µs, scaled", DARNERPY.name, theirs, ""], shown),
    ]


# -- every scenario ----------------------------------------------------------------------------------


def _by_canned(results: Results, place: tuple[str, str, str], metric: str, digits: int) -> str:
    """A figure, and how many times that of the canned server it is."""
    scenario, cell, _ = place
    if metric == "cpu_us":
        cost, canned = (
            results.undisturbed(scenario, cell, s, metric) for s in (place[2], CANNED.name)
        )
        figure, ratio = show(metric, cost), cost / canned if cost and canned else None
    else:
        figure = show(metric, results.value(*place, metric))
        ratio = results.ratio(*place, CANNED.name, metric=metric)
    if not figure or ratio is None or place[2] == CANNED.name:
        return figure or NONE
    return f"{figure} ({ratio:.{digits}f})"


def _latencies(results: Results, place: tuple[str, str, str]) -> str:
    metrics = ("p50_us", "p99_us", "p999_us")
    figures = [show(metric, results.value(*place, metric)) for metric in metrics]
    return " / ".join(figures) if all(figures) else NONE


def _flood(results: Results, scenario: str) -> list[str]:
    servers, cells = results.servers(scenario), results.cells(scenario)
    parts: dict[str, Callable[[tuple[str, str, str]], str]] = {
        "µs of the server's processor an operation (by canned):": lambda place: _by_canned(
            results, place, "cpu_us", 1
        ),
        "Operations a second (by canned):": lambda place: _by_canned(
            results, place, "ops_per_s", 2
        ),
        "Time to the answer, p50 / p99 / p99.9:": lambda place: _latencies(results, place),
    }
    lines = []
    for what, words in parts.items():
        rows = ((cell, *(words((scenario, cell, name)) for name in servers)) for cell in cells)
        lines += [what, "", *table(["", *servers], rows)]
    return lines


def _footprint(results: Results, scenario: str) -> list[str]:
    metrics = [name for name in _FOOTPRINTS if name in results.metrics(scenario)]
    rows = []
    for cell in results.cells(scenario):
        for server in results.servers(scenario):
            values = [_figure(results, scenario, cell, server, name) for name in metrics]
            if any(values):
                rows.append((cell, server, *values))
    return table(["", "server", *(_FOOTPRINTS[name] for name in metrics)], rows)


def _figure(results: Results, scenario: str, cell: str, server: str, metric: str) -> str:
    held = metric in ("rss_bytes", "anonymous_bytes", "descriptors")  # the most, not the median
    pick = results.worst if held else results.value
    return show(metric, pick(scenario, cell, server, metric))


def _instructions() -> list[str]:
    found = counts.committed()
    if not found:
        return []
    lines = [
        "## Instructions of a command",
        "",
        "Without sockets and the event loop, counted by `make profile` (see `bench/README.md`): they "
        "depend on nothing but the code and the interpreter.",
        "",
    ]
    for each in found:
        lines += [f"{each.about}:", "", *counts.table_of(each)]
    return lines


def markdown(results: Results, machine: dict[str, str], how: str) -> str:
    today = datetime.now(UTC).date().isoformat()
    lines = [
        "# Benchmarks",
        "",
        *_answer(results),
        "## How it was measured",
        "",
        f"{today}, by `make bench` ({how}). The server runs alone on one core, "
        "the load on another; each cell is run on all servers one right after the other, in "
        "rounds. Rates and latencies are the median of the rounds. The processor's time is that of the "
        "server's process, all its threads, between the end of the warm-up and the end of the load, and the "
        "mean of the two cheapest rounds: what else the machine does only adds to it. "
        "*canned* is a C epoll server that answers without storing. Compare ratios: absolute figures "
        "vary from run to run. An operation is one set or one get with the reply entirely right; "
        "beanstalkd's get is a reserve and a delete.",
        "",
        *table(["machine", ""], machine.items()),
        *_numbers(results),
        *_beside_darner(results),
    ]
    for scenario in results.scenarios():
        flooded = scenario in (*floods.SCENARIOS, *engines.FLOODS)
        body = _flood if flooded else _footprint
        lines += [f"## {scenario}", "", *body(results, scenario)]
    lines += _instructions()
    if results.notes:
        lines += ["## Notes", "", *(f"- {note}" for note in results.notes), ""]
    return "\n".join(lines)
