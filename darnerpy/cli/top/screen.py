"""The live table on a terminal: keys, what is shown where, and that it is new.

textual draws it and reads the keys. A thread asks the server; what it brings is shown when it comes, or held
back while the table is paused.
"""

import os
import threading
import time
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from ..client import Unreachable
from ..terminal import printable
from .snapshots import Lost, Snapshot
from .sources import Places, updates
from .table import Head, Table
from .view import COLUMNS, Order, chosen, described, duration

__all__ = ["Top", "show"]

_KEYS = "q quit  / filter  ndiorwab sort  <> column  space pause  e busy  ? all keys"
_HELP = """\
 q, Ctrl-C      quit
 /              show only queues with this text in their names, or that fit
                a pattern such as mail-*; Enter keeps it, Escape drops it
 n d i o r w a b
                sort by name, depth, in/s, out/s, open reads, waiters, age,
                bytes, and again the other way round; l s t: delayed, disk,
                state, which a wider terminal shows
 < >            sort by the column to the left, to the right
 space          pause, and go on
 e              only queues in which something is, or happens; or all
 c              with or without named consumers
 Up Down PgUp PgDn Home End
                scroll
 ? or h         these lines, and back
"""


def show(places: Places, order: Order) -> int:
    """Until somebody leaves. Raises `Unreachable` if there is nothing to begin with."""
    coming = updates(places)
    first = next(coming)
    if isinstance(first, Lost):
        raise Unreachable(first.reason)
    top = Top(order)
    top.take(first)

    def bring() -> None:
        for update in coming:
            if not top.bring(update):
                return

    for name in (
        "COLUMNS",
        "LINES",
    ):  # they would go before what the terminal says when it is resized
        os.environ.pop(name, None)
    top.bringing = threading.Thread(target=bring, daemon=True)
    top.run()
    return 0


class Top(App[None]):
    """bringing: what calls `bring`, started when there is a screen."""

    CSS = """
    Screen { layers: below above; overflow: hidden; }
    Static { text-wrap: nowrap; text-overflow: ellipsis; height: 1; }
    #totals { height: 2; text-style: bold; }
    #keys { dock: bottom; color: $text-muted; }
    Table { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    #help { layer: above; display: none; padding: 1; background: $panel; width: 100%; height: auto; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit"),
        Binding("ctrl+c", "quit", priority=True),
        Binding("slash", "filter"),
        Binding("escape", "leave"),
        Binding("space", "pause"),
        Binding("e", "busy_only"),
        Binding("c", "consumers"),
        Binding("question_mark,h", "help"),
        Binding("less_than_sign,left", "beside(-1)"),
        Binding("greater_than_sign,right", "beside(1)"),
        *(Binding(column.key, f"sort('{column.key}')") for column in COLUMNS),
    ]

    def __init__(self, order: Order) -> None:
        super().__init__(ansi_color=False)
        self.order = order
        self.bringing: threading.Thread | None = None
        self._snapshot: Snapshot | None = None
        self._held: Snapshot | None = None
        self._paused = self._typing = False
        self._lost = ""
        self._lost_since = 0.0

    # -- what comes --------------------------------------------------------------------------------

    def bring(self, update: Snapshot | Lost) -> bool:
        """From another thread; False when nobody looks any more."""
        try:
            self.call_from_thread(self.take, update)
        except RuntimeError:
            return False
        return True

    def take(self, update: Snapshot | Lost) -> None:
        if isinstance(update, Lost):
            if not self._lost:
                self._lost_since = time.monotonic()
            self._lost = update.reason
        else:
            self._lost = ""
            if self._paused:
                self._held = update
            else:
                self._snapshot = update
        if self.is_running:
            self._draw()

    # -- what is shown -----------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        yield Static(id="totals")
        yield Head()
        yield Table()
        yield Static(id="keys")
        yield Static(_HELP, id="help", markup=False)

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self._draw()
        self.set_interval(1.0, self._draw)  # ages go on, whatever comes
        if self.bringing is not None:
            self.bringing.start()

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        snapshot = self._snapshot
        if snapshot is None or not self.is_running:
            return
        now = time.monotonic()
        rows = chosen(snapshot.rows.values(), self.order, now)
        self.query_one("#about", Static).update(self._about(snapshot, len(rows)))
        lines = described(snapshot.totals, now)
        self.query_one("#totals", Static).update(Text("\n".join(lines)))
        filter = printable(self.order.filter)
        keys = f"filter: {filter}_   Enter keeps it, Escape drops it" if self._typing else _KEYS
        self.query_one("#keys", Static).update(Text(keys))
        longest = max((len(row.name) for row in rows), default=0)
        self.query_one(Head).show(self.order, longest)
        self.query_one(Table).show(rows, now, longest)

    def _about(self, snapshot: Snapshot, shown: int) -> Text:
        totals = snapshot.totals
        text = Text()
        text.append(f"darnerpy {totals.version}", "bold")
        text.append(f"  {printable(snapshot.origin)}  up {duration(totals.uptime)}")
        if totals.status.lower() != "up":
            text.append(f"  {totals.status.lower()}", "bold yellow")
        for trouble in totals.troubles:
            text.append(f"  {trouble}", "bold red")
        if self._lost:
            passed = duration(time.monotonic() - self._lost_since)
            text.append(f"  LOST for {passed}: {printable(self._lost)}", "bold red")
        if self._paused:
            text.append("  PAUSED", "bold yellow")
        if self.order.filter or self.order.busy_only or not self.order.consumers:
            what = f"{shown:,} of {len(snapshot.rows):,} shown"
            text.append(f"  {what}", "cyan")
        if self.order.filter:
            text.append(f": {printable(self.order.filter)}", "cyan")
        return text

    # -- what is done with keys --------------------------------------------------------------------

    def action_sort(self, key: str) -> None:
        self._change(self.order.sorted_by(key))

    def action_beside(self, step: int) -> None:
        self._change(self.order.beside(step, self.size.width))

    def action_busy_only(self) -> None:
        self._change(self.order._replace(busy_only=not self.order.busy_only))

    def action_consumers(self) -> None:
        self._change(self.order._replace(consumers=not self.order.consumers))

    def action_pause(self) -> None:
        self._paused = not self._paused
        if not self._paused and self._held is not None:
            self._snapshot, self._held = self._held, None
        self._draw()

    def action_help(self) -> None:
        shown = self.query_one("#help")
        shown.display = not shown.display

    def action_filter(self) -> None:
        self._typing = True
        self._draw()

    def action_leave(self) -> None:
        """Out of the help; or the filter goes."""
        if self.query_one("#help").display:
            self.action_help()
        else:
            self._change(self.order._replace(filter=""))

    def on_key(self, event: events.Key) -> None:
        """A filter is typed: no other key means anything."""
        if not self._typing:
            return
        event.stop()
        event.prevent_default()
        filter, key = self.order.filter, event.key
        if key in ("enter", "escape"):
            self._typing = False
            filter = filter if key == "enter" else ""
        elif key in ("backspace", "ctrl+h"):
            filter = filter[:-1]
        elif key == "ctrl+u":
            filter = ""
        elif event.is_printable and event.character:
            filter += event.character
        self._change(self.order._replace(filter=filter))

    def on_paste(self, event: events.Paste) -> None:
        if self._typing:
            text = "".join(filter(str.isprintable, event.text))
            self._change(self.order._replace(filter=self.order.filter + text))

    def _change(self, order: Order) -> None:
        self.order = order
        self._draw()
