"""Rows of numbers in the order of time, of which only the latest are kept.

Owns their form: a row of `FIELDS` for each step, in four bytes a number (seven digits are enough for a
chart), and gaps where nothing is known. Knows nothing of queues and clocks: times are whole seconds of
any clock that only goes forward.
"""

from array import array
from collections.abc import Iterator, Sequence

__all__ = ["FIELDS", "GAUGES", "RATES", "Ring"]

FIELDS = ("items", "bytes", "age", "open_reads", "waiters", "puts", "gets", "confirmed")
"""Gauges as they were at the end of a step (ages are seconds), and by how much totals rose in it,
a second.
"""

GAUGES = 5
RATES = len(FIELDS) - GAUGES

_NOT_KNOWN = float("nan")


class Ring:
    """step: seconds that a row stands for. width: numbers in a row. last: the time of the last row, 0 if
    there is none. since: what the totals were when it was written, and seen: when that really was.
    """

    __slots__ = ("_values", "last", "rows", "seen", "since", "step", "width")

    def __init__(self, step: int, rows: int, width: int = len(FIELDS)) -> None:
        self.step = step
        self.rows = rows
        self.width = width
        self.last = self.seen = 0
        self.since: Sequence[int] = (0,) * RATES
        self._values = array("f", [_NOT_KNOWN]) * (rows * width)

    @staticmethod
    def bytes_of(step: int, rows: int, width: int = len(FIELDS)) -> int:
        """What one takes in memory, about."""
        return rows * width * 4 + 250

    def write(self, time: int, row: Sequence[float]) -> None:
        """The row of a time, which is a multiple of the step and later than the last one."""
        step, rows, width = self.step, self.rows, self.width
        if self.last and time - self.last > step:
            self._forget(min((time - self.last) // step - 1, rows))
        at = time // step % rows * width
        self._values[at : at + width] = array("f", row)
        self.last = time

    def _forget(self, missed: int) -> None:
        """Nothing is known of so many steps after the last one."""
        gap = array("f", [_NOT_KNOWN]) * self.width
        for step in range(1, missed + 1):
            at = (self.last // self.step + step) % self.rows * self.width
            self._values[at : at + self.width] = gap

    def column(self, field: int, until: int, rows: int) -> list[float]:
        """One number of each of so many rows, the last of them of a time, oldest first; NaN is a gap."""
        known = self._values[field :: self.width].tolist()
        at = until // self.step % self.rows + 1
        ordered = known[at:] + known[:at]
        late = (until - self.last) // self.step if self.last else self.rows
        if late > 0:  # nothing was written since
            late = min(late, self.rows)
            ordered = ordered[: self.rows - late] + [_NOT_KNOWN] * late
        return ordered[self.rows - rows :]

    def take_over(self, other: "Ring") -> Iterator[None]:
        """Begin with what another one has, of the same width: its rows are repeated, or some become one.
        Yields where others should have their turn.
        """
        if not other.last:
            return
        self.since, self.seen = other.since, other.seen
        self.last = other.last // self.step * self.step
        if self.step <= other.step:
            self._repeat(other)
            yield
        else:
            for number, time in enumerate(range(self.last, 0, -self.step)):
                if number == self.rows or time - self.step < other.last - other.rows * other.step:
                    return
                row = other._mean(time - self.step, time)
                at = time // self.step % self.rows * self.width
                self._values[at : at + self.width] = row
                if number % 16 == 0:
                    yield

    def _repeat(self, other: "Ring") -> None:
        width, times = self.width, other.step // self.step
        for late in range(min(other.rows, self.rows // times)):
            end = other.last // other.step - late
            if end <= 0:
                return
            at = end % other.rows * width
            row = other._values[at : at + width]
            at = (end * times - times + 1) % self.rows
            whole = min(times, self.rows - at)
            self._values[at * width : (at + whole) * width] = row * whole
            self._values[: (times - whole) * width] = row * (times - whole)

    def _mean(self, after: int, until: int) -> "array[float]":
        """What it was from one time to another: the last of the gauges, the mean of the rates."""
        step, width = self.step, self.width
        at = until // step % self.rows * width
        row = self._values[at : at + width]
        count = (until - after) // step
        for time in range(until - step, after, -step):
            at = time // step % self.rows * width
            for field in range(GAUGES, width):
                row[field] += self._values[at + field]
        for field in range(GAUGES, width):
            row[field] /= count
        return row
