"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["NONE", "show", "table"]

NONE = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


def show(metric: str, value: float | None) -> str:
    """A figure with its unit, which the metric's name ends in; empty if there is none."""
    if value is None:
        return ""
    if metric.startswith("cpu_us"):
        return f"{value:.1f}"
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
