"""The results as Markdown: shortfalls first, then every scenario, then the machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from bench import floods, targets
from bench.results import Results
from bench.servers import CANNED, DARNERPY, DARNERPY_SYNC, REDIS, REDIS_SYNC

_HEADINGS = {
    "ops_per_s": "ops/s",
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


def _show(metric: str, value: float | None) -> str:
    if value is None:
        return ""
    if metric.endswith("bytes_per_s"):
        return f"{value / 1e6:,.0f} MB/s"
    if metric.endswith("_bytes"):
        return f"{value / (1 << 20):.1f} MiB"
    if metric.endswith("_us"):
        return f"{value:.0f} µs" if value < 1000 else f"{value / 1000:.1f} ms"
    if metric.endswith("_ms"):
        return f"{value:.1f} ms"
    if metric.endswith("_s") and not metric.endswith("per_s"):
        return f"{value:.3f} s"
    return f"{value / 1000:.1f}k" if metric.endswith("per_s") and value >= 1000 else f"{value:,.0f}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def _flood_cell(results: Results, scenario: str, cell: str, server: str) -> str:
    rate = _show("ops_per_s", results.value(scenario, cell, server, "ops_per_s"))
    ratio = results.ratio(scenario, cell, server, CANNED.name)
    if not rate or ratio is None or server == CANNED.name:
        return rate or "–"
    return f"**{ratio:.2f}** ({rate})"


def _latency_cell(results: Results, scenario: str, cell: str, server: str) -> str:
    figures = [
        _show(metric, results.value(scenario, cell, server, metric))
        for metric in ("p50_us", "p99_us", "p999_us")
    ]
    cost = results.value(scenario, cell, server, "cpu_us")
    if cost is None:
        return "–"
    return " / ".join(figures) + f" ({cost:.1f})"


def _flood(results: Results, scenario: str) -> list[str]:
    servers, cells = results.servers(scenario), results.cells(scenario)
    rates = ((c, *(_flood_cell(results, scenario, c, s) for s in servers)) for c in cells)
    delays = ((c, *(_latency_cell(results, scenario, c, s) for s in servers)) for c in cells)
    return [
        "Ratio to the canned server (operations a second):",
        "",
        *table(["", *servers], rates),
        "p50 / p99 / p99.9 (µs of server CPU a command):",
        "",
        *table(["", *servers], delays),
    ]


def _footprint(results: Results, scenario: str) -> list[str]:
    metrics = [name for name in _HEADINGS if name in results.metrics(scenario)]
    rows = []
    for cell in results.cells(scenario):
        for server in results.servers(scenario):
            values = [_figure(results, scenario, cell, server, name) for name in metrics]
            if any(values):
                rows.append((cell, server, *values))
    return table(["", "server", *(_HEADINGS[name] for name in metrics)], rows)


def _figure(results: Results, scenario: str, cell: str, server: str, metric: str) -> str:
    held = metric in ("rss_bytes", "anonymous_bytes", "descriptors")  # the most, not the median
    pick = results.worst if held else results.value
    return _show(metric, pick(scenario, cell, server, metric))


def _shortfalls(results: Results) -> list[str]:
    rows = targets.rows(results)
    verdicts = [row.verdict for row in rows]
    counts = ((verdict, verdicts.count(verdict)) for verdict in targets.VERDICTS)
    verdict_rows = ((row.what, row.wanted, row.measured, row.verdict) for row in rows)
    shown = (
        (cell, f"{ours:.2f}", f"{theirs:.2f}", "behind" if ours < theirs else "ahead")
        for cell, ours, theirs in targets.beside_darner(results)
    )
    return [
        "## The numbers to hold",
        "",
        "A row is *met* if what was measured is within *wanted*. *aim* is what we would like to reach, and "
        "is no promise. *By canned* is the rate divided by that of the canned server. *set+get pairs* puts "
        "an item and takes it again, in turn; *close/open* is `get QUEUE/close/open`, which confirms an "
        "item and opens the next. *32 deep* is pipelined: each client has 32 commands under way, "
        "otherwise one.",
        "",
        ", ".join(f"{count} {verdict}" for verdict, count in counts if count) + ".",
        "",
        *table(["", "wanted", "measured", "verdict"], verdict_rows),
        "## Beside Darner",
        "",
        "Darner 0.2.0 could not be run beside the others. Its ratios to the canned server were "
        "measured on a like machine in an earlier run and are quoted.",
        "",
        *table(["by canned", "darnerpy", "Darner (quoted)", ""], shown),
    ]


def _answer(results: Results) -> list[str]:
    """What a reader wants to know first: how many items a second, how soon, beside what."""
    cells = {
        "items put a second": (floods.SMALL, floods.label("set", 100), DARNERPY, REDIS),
        "items taken a second": (floods.SMALL, floods.label("get", 100), DARNERPY, REDIS),
        "items put a second, each synced to disk before its answer": (
            floods.SYNCED,
            floods.label("set", 100),
            DARNERPY_SYNC,
            REDIS_SYNC,
        ),
    }
    rows = []
    for what, (scenario, cell, ours, theirs) in cells.items():
        found = [
            _show(metric, results.value(scenario, cell, server.name, metric)) or "–"
            for server in (ours, theirs)
            for metric in ("ops_per_s", "p99_us")
        ]
        rows.append((what, *found))
    return [
        "How fast is it? With 100 clients and items of 64 bytes, the server on one core:",
        "",
        *table(["", "darnerpy", "p99", "Redis", "p99"], rows),
        "Redis keeps its items in memory; darnerpy keeps them on disk, and its memory stays the "
        "same however many wait.",
        "",
    ]


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
        "rounds, and the median is shown. *canned* is a C epoll server that answers without "
        "storing: the limit of the machine. Compare ratios: absolute rates vary from run to "
        "run. An operation is one set or one get with the reply entirely right; "
        "memcached keeps one item and takes nothing away, and beanstalkd's get is a reserve "
        "and a delete.",
        "",
        *table(["machine", ""], machine.items()),
        *_shortfalls(results),
    ]
    for scenario in results.scenarios():
        body = _flood if scenario in floods.SCENARIOS else _footprint
        lines += [f"## {scenario}", "", *body(results, scenario)]
    if results.notes:
        lines += ["## Notes", "", *(f"- {note}" for note in results.notes), ""]
    return "\n".join(lines)
