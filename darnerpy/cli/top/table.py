"""The rows on the screen: of thousands only those are drawn that can be seen.

Owns widths and colours.
"""

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from .snapshots import Row
from .view import Column, Order, age_of, columns_for, state_of

__all__ = ["Head", "Table"]

_OLD_S, _VERY_OLD_S = 60, 3600
_LEAST_NAME, _USUAL_NAME = 12, 40
_STATE = 9

_PLAIN = Style()
_DIM = Style(dim=True)
_HEAD = Style(bold=True, reverse=True)
_SORTED = Style(bold=True, reverse=True, underline=True)
_BAD, _WARNING = Style(color="red", bold=True), Style(color="yellow")
_IN, _OUT = Style(color="green"), Style(color="cyan")


def _laid_out(width: int, longest: int) -> list[tuple[Column, int]]:
    """The columns and their widths, with one blank before each but the name, which has what is left.

    longest: of all names; with more room than that, numbers would be far from their names.
    """
    columns = columns_for(width)
    left = width - sum(column.width + 1 for column in columns[1:])
    name = max(_LEAST_NAME, min(left, max(longest + _STATE, _USUAL_NAME)))
    return [(columns[0], name), *((c, c.width) for c in columns[1:])]


class Head(Widget):
    """The titles of the columns; the one that is sorted by is marked."""

    DEFAULT_CSS = "Head { height: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._order = Order()
        self._longest = 0

    def show(self, order: Order, longest: int) -> None:
        if (order, longest) != (self._order, self._longest):
            self._order, self._longest = order, longest
            self.refresh()

    def render_line(self, y: int) -> Strip:
        segments = []
        for number, (column, width) in enumerate(_laid_out(self.size.width - 1, self._longest)):
            is_it = column.key == self._order.key
            mark = ("v" if self._order.reverse else "^") if is_it else ""
            title = f"{column.title}{mark}"
            text = title.ljust(width) if number == 0 else f" {title.rjust(width)}"
            segments.append(Segment(text, _SORTED if is_it else _HEAD))
        return Strip(segments).adjust_cell_length(self.size.width, _HEAD)


class Table(ScrollView, can_focus=True):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._now = 0.0
        self._longest = 0

    def show(self, rows: list[Row], now: float, longest: int) -> None:
        self._rows, self._now, self._longest = rows, now, longest
        self.virtual_size = Size(self.size.width, len(rows))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        number = y + self.scroll_offset.y
        width = self.size.width
        if number >= len(self._rows):
            return Strip.blank(width)
        row = self._rows[number]
        segments: list[Segment] = []
        laid_out = _laid_out(width - 1, self._longest)
        for at, (column, cells) in enumerate(laid_out):
            text, style = column.text(row, self._now), _style(column, row, self._now)
            if at == 0:
                if laid_out[-1][0].key != "t" and (state := state_of(row)):
                    text += f" ({state})"  # there is no room for that column
                segments += Strip([Segment(text, style)]).adjust_cell_length(cells)
            else:
                segments.append(Segment(f" {text.rjust(cells)[-cells:]}", style))
        return Strip(segments).adjust_cell_length(width)


def _style(column: Column, row: Row, now: float) -> Style:
    key = column.key
    if key in "nt":
        if row.state == "failed":
            return _BAD
        if state_of(row):
            return _WARNING
        return _DIM if row.is_consumer and key == "n" else _PLAIN
    value = column.value(row, now)
    if not value:
        return _DIM
    if key == "a":
        seconds = age_of(row.since, now)
        return _BAD if seconds >= _VERY_OLD_S else _WARNING if seconds >= _OLD_S else _PLAIN
    return {"i": _IN, "o": _OUT}.get(key, _PLAIN)
