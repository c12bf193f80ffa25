"""Rows of text as a table: the first column to the left, the others, which are numbers, to the right."""

from collections.abc import Sequence

from .terminal import printable

__all__ = ["table"]


def table(rows: Sequence[Sequence[str]]) -> str:
    """One line a row; the first is the head. A row may not be shorter than the others."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for name, *others in shown:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)
