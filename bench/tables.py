"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["NONE", "Held", "numbers_to_hold", "show", "table"]

NONE = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]


class Held(NamedTuple):
    """A number to hold. metric: its name ends in the unit, and it is `times` if it has none."""

    what: str
    metric: str
    found: float | None
    wanted: float
    at_most: bool = False


def numbers_to_hold(numbers: Iterable[Held]) -> list[str]:
    rows = []
    for what, metric, found, wanted, at_most in numbers:
        if found is None:
            continue
        met = found <= wanted if at_most else found >= wanted
        word = "at most" if at_most else "at least"
        shown, limit = (
            f"{each:.2g}" if metric == "times" else show(metric, each) for each in (found, wanted)
        )
        rows.append([what, f"{word} {limit}", shown, "met" if met else "not met"])
    return ["## The numbers to hold", "", *table(["", "wanted", "found", ""], rows)]


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
