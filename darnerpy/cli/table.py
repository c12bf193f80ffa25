"""Rows of text as a table."""

from collections.abc import Sequence

from .terminal import printable

__all__ = ["left_table", "table"]


def table(rows: Sequence[Sequence[str]]) -> str:
    """One line a row; the first is the head. A row may not be shorter than the others.

    The first column is to the left, the others, which are numbers, to the right.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for name, *others in shown:
        right = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
    return "\n".join(lines)


def left_table(rows: Sequence[Sequence[str]]) -> str:
    """As `table`, of texts: all columns are to the left."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    )
