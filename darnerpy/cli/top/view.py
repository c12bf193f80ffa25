"""What of a snapshot is shown, in which order, and how numbers are written: few characters each.

Owns the columns, sorting and filtering. Knows no terminal.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..terminal import printable
from .snapshots import Row, Totals

__all__ = [
    "COLUMNS",
    "Column",
    "Order",
    "age_of",
    "amount",
    "chosen",
    "columns_for",
    "duration",
    "size",
]


class Column(NamedTuple):
    """key: that sorts by it. wide: it is shown where there are so many columns of text."""

    key: str
    title: str
    width: int
    value: Callable[[Row, float], float | str]
    text: Callable[[Row, float], str]
    wide: int = 0


def amount(number: float) -> str:
    """At most six characters: 12, 99,999, 123k, 1.2M."""
    return f"{round(number):,}" if number < 99_999.5 else _scaled(number, 1000, "kMGT")


def rate(number: float) -> str:
    if 0 < number < 9.95:
        return f"{number:.1f}" if number >= 0.05 else "<0.1"
    return amount(number)


def size(number: float) -> str:
    """Bytes in at most six characters: 512, 1.5K, 12M."""
    return f"{round(number)}" if number < 1000 else _scaled(number, 1024, "KMGTP")


def _scaled(number: float, base: int, units: str) -> str:
    at = -1
    while (number >= 999.5 and at < len(units) - 1) or at < 0:
        number, at = number / base, at + 1
    return f"{number:.1f}{units[at]}" if number < 99.95 else f"{number:.0f}{units[at]}"


def duration(seconds: float) -> str:
    """The two largest units, in at most six characters: 5s, 3m20s, 2h05m, 4d11h."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    days, hours = whole // 86400, whole % 86400 // 3600
    return f"{days}d{hours:02}h" if days < 100 else f"{days}d"


def age_of(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(0.0, now - since)


def _age(row: Row, now: float) -> str:
    return "" if row.since is None else duration(age_of(row.since, now))


COLUMNS = (
    Column("n", "QUEUE", 0, lambda row, now: row.name, lambda row, now: printable(row.name)),
    Column("d", "DEPTH", 7, lambda row, now: row.items, lambda row, now: amount(row.items)),
    Column("i", "IN/s", 6, lambda row, now: row.puts, lambda row, now: rate(row.puts)),
    Column("o", "OUT/s", 6, lambda row, now: row.gets, lambda row, now: rate(row.gets)),
    Column("r", "OPEN", 6, lambda row, now: row.open, lambda row, now: amount(row.open)),
    Column("w", "WAIT", 6, lambda row, now: row.waiters, lambda row, now: amount(row.waiters)),
    Column("a", "AGE", 6, lambda row, now: age_of(row.since, now), _age),
    Column("b", "BYTES", 6, lambda row, now: row.bytes, lambda row, now: size(row.bytes)),
    Column(
        "l", "LATER", 7, lambda row, now: row.delayed, lambda row, now: amount(row.delayed), 100
    ),
    Column("s", "DISK", 6, lambda row, now: row.disk, lambda row, now: size(row.disk), 100),
    Column("t", "STATE", 14, lambda row, now: state_of(row), lambda row, now: state_of(row), 120),
)
"""Their keys sort by them; the name has what the others leave."""


def state_of(row: Row) -> str:
    """What is not as usual about it, in words."""
    found = [row.state] if row.state != "ready" else []
    if row.paused != "none":
        found.append("paused" if row.paused == "both" else f"{row.paused} paused")
    if row.lagging:
        found.append("lagging")
    return ", ".join(found)


def columns_for(width: int) -> list[Column]:
    return [column for column in COLUMNS if width >= column.wide]


class Order(NamedTuple):
    """What is shown, and how it is sorted. filter: text that is in the name, or a pattern of it."""

    key: str = "d"
    reverse: bool = True
    filter: str = ""
    consumers: bool = True
    busy_only: bool = False

    def sorted_by(self, key: str) -> "Order":
        """By another column, or by this one the other way round; numbers begin with the largest."""
        if key == self.key:
            return self._replace(reverse=not self.reverse)
        return self._replace(key=key, reverse=key not in "nt")

    def beside(self, step: int, width: int) -> "Order":
        """By the column to the left or to the right of the one that it is sorted by."""
        keys = [column.key for column in columns_for(width)]
        at = keys.index(self.key) if self.key in keys else 0
        return self.sorted_by(keys[(at + step) % len(keys)])


def chosen(rows: Iterable[Row], order: Order, now: float) -> list[Row]:
    """Those that are shown, in their order; of equals, by name."""
    column = next(column for column in COLUMNS if column.key == order.key)
    found = [row for row in rows if _is_wanted(row, order)]
    found.sort(key=lambda row: row.name)
    found.sort(key=lambda row: column.value(row, now), reverse=order.reverse)
    return found


def _is_wanted(row: Row, order: Order) -> bool:
    if row.is_consumer and not order.consumers:
        return False
    if order.busy_only and not (row.items or row.open or row.waiters or row.puts or row.gets):
        return False
    if not order.filter:
        return True
    if any(sign in order.filter for sign in "*?["):
        return fnmatchcase(row.name, order.filter)
    return order.filter.lower() in row.name.lower()


def described(totals: Totals, now: float) -> list[str]:
    """The lines above the table."""
    first = [
        f"depth {amount(totals.items)}",
        f"in/s {rate(totals.puts)}",
        f"out/s {rate(totals.gets)}",
        f"open {amount(totals.open)}",
        f"wait {amount(totals.waiters)}",
        f"age {duration(age_of(totals.since, now)) if totals.since is not None else '-'}",
        f"bytes {size(totals.bytes)}",
    ]
    second = [f"queues {amount(totals.queues)}", f"clients {amount(totals.connections)}"]
    if totals.disk is not None:
        second.append(f"disk {size(totals.disk)}")
    if totals.disk_free is not None:
        second.append(f"free {size(totals.disk_free)}")
    if totals.memory is not None:
        second.append(f"memory {size(totals.memory)}")
    if totals.commit_ms is not None:
        second.append(f"last commit {totals.commit_ms:.1f}ms")
    if totals.commit_p99 is not None:
        second.append(f"p99 {totals.commit_p99:.1f}ms")
    return ["  ".join(first), "  ".join(second)]
