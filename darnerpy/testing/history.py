"""What concurrent clients asked of a server and what they were told, as a record to be judged.

Owns the form of that record and what follows from it alone: until when an operation of unknown
outcome may take effect, and when an item that a client held can be had again. What answers are right
is for `accounting`, `order` and `linear` to say. Reads no clock: all times are seconds of the one
monotonic clock of whoever recorded them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal, Self, get_args

import msgspec

from ..errors import DarnerError

__all__ = ["Delivery", "Event", "Finding", "History", "Operation", "Timeline"]

_OUTCOMES = ("ok", "refused", "unknown")
_EVENTS = ("killed", "started", "disconnected", "settled")
Kind = Literal["put", "get", "open", "close", "abort", "peek", "flush", "delete"]


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a client asked.

    client: one connection; whoever connects again is another client. consumer: "" is the queue's own;
    for put, flush and delete it is all of them. value: what was put (every value only once in a
    history), came (None is END), or is closed or aborted. outcome: `unknown` when the connection
    ended before the answer, then returned is None; `refused` when it was an error that promises that
    nothing has happened. lasts: seconds after which the item expires (put) or the open read times
    out (open); None is never.
    """

    client: str
    kind: Kind
    queue: str
    invoked: float
    returned: float | None = None
    outcome: Literal["ok", "refused", "unknown"] = "ok"
    value: str | None = None
    consumer: str = ""
    lasts: float | None = None

    def __str__(self) -> str:
        name = f"{self.queue}+{self.consumer}" if self.consumer else self.queue
        until = "?" if self.returned is None else f"{self.returned:.4f}"
        told = "" if self.outcome == "ok" else f", {self.outcome}"
        value = "END" if self.value is None and self.kind in ("get", "open", "peek") else self.value
        said = "" if value is None else f" {value}"
        return f"[{self.invoked:.4f} to {until}] {self.client}: {self.kind} {name}{said}{told}"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened to a client, or to the server and so to all clients.

    killed: recorded before it is done. started: the server answers again; no client of before is left.
    disconnected: recorded before the client hangs up. settled: from here on the server must have
    noticed that, and what the client held is back in its place.
    """

    kind: Literal["killed", "started", "disconnected", "settled"]
    at: float
    client: str = ""


class History(msgspec.Struct):
    """drained: queues and consumers that, after all else, were read with plain gets up to END.

    about: where it comes from: seed, settings.
    """

    operations: list[Operation] = []
    events: list[Event] = []
    drained: list[tuple[str, str]] = []
    about: str = ""

    def check(self) -> None:
        """Raises `DarnerError` for a record that says nothing, or something that cannot be."""
        values: set[str] = set()
        for each in self.operations:
            if each.kind not in get_args(Kind) or each.outcome not in _OUTCOMES:
                raise DarnerError(f"no such kind or outcome: {each}")
            if each.returned is not None and each.returned < each.invoked:
                raise DarnerError(f"it returned before it was invoked: {each}")
            if each.kind in ("put", "close", "abort") and each.value is None:
                raise DarnerError(f"a value is missing: {each}")
            if each.kind == "put" and each.value is not None:
                if each.value in values:
                    raise DarnerError(f"the value was put before: {each}")
                values.add(each.value)
        for event in self.events:
            if event.kind not in _EVENTS:
                raise DarnerError(f"no such event: {event.kind}, one of {_EVENTS} was expected")

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Raises `DarnerError`, which says where, if it is no history."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DarnerError(f"no history: {error}") from error


@dataclass(frozen=True)
class Finding:
    """Something that cannot have happened if the server keeps its promises.

    what: the promise that was broken, in a few words. why: how that is seen. operations: which.
    """

    what: str
    why: str
    operations: Sequence[Operation] = field(default=())

    def __str__(self) -> str:
        return "\n".join([f"{self.what}: {self.why}", *(f"  {each}" for each in self.operations)])


@dataclass(frozen=True)
class Delivery:
    """A get or open that was answered with an item.

    release: from when on the item may be had again; inf if never. back: from when on it certainly
    waits in its place again, or was confirmed. confirmed: yes, no, or None: nobody can know.
    """

    operation: Operation
    release: float
    back: float
    confirmed: bool | None


class Timeline:
    """What follows from the events of a history, and who held what for how long.

    tolerance: seconds by which clocks may differ, for expiry and timeouts.
    """

    def __init__(self, history: History, tolerance: float) -> None:
        self.tolerance = tolerance
        self._disconnected: dict[str, float] = {}
        self._settled: dict[str, float] = {}
        self._kills: list[tuple[float, float]] = []
        for event in sorted(history.events, key=lambda event: event.at):
            if event.kind == "disconnected":
                self._disconnected[event.client] = event.at
            elif event.kind == "settled":
                self._settled[event.client] = event.at
            elif event.kind == "killed":
                self._kills.append((event.at, inf))
            elif self._kills:
                self._kills[-1] = (self._kills[-1][0], event.at)
        self._starts = [started for _, started in self._kills]

    def end(self, operation: Operation) -> float:
        """Until when it took effect, if it did."""
        if operation.returned is not None:
            return operation.returned
        return self.back(operation)

    def cut(self, operation: Operation) -> float:
        """When the connection that asked this ended, at the earliest; inf if it did not."""
        at = bisect_right(self._starts, operation.invoked)
        killed = self._kills[at][0] if at < len(self._kills) else inf
        return max(operation.invoked, min(killed, self._disconnected.get(operation.client, inf)))

    def back(self, operation: Operation) -> float:
        """When the server has certainly noticed that."""
        at = bisect_right(self._starts, operation.invoked)
        started = self._starts[at] if at < len(self._starts) else inf
        return min(started, self._settled.get(operation.client, inf))

    def kills(self) -> Iterator[tuple[float, float]]:
        """Times of kill and of start."""
        yield from self._kills

    def hang_ups(self) -> Iterator[tuple[str, float]]:
        yield from self._disconnected.items()

    def expires(self, put: Operation) -> tuple[float, float]:
        """Before the first moment it has not expired, after the second it has."""
        if put.lasts is None:
            return inf, inf
        return (
            put.invoked + put.lasts - self.tolerance,
            self.end(put) + put.lasts + self.tolerance,
        )

    def deliveries(self, operations: Iterable[Operation]) -> dict[str, list[Delivery]]:
        """By value, of the operations on one consumer, in the order in which they were asked."""
        ends: dict[tuple[str, str], list[Operation]] = {}
        taken: list[Operation] = []
        for each in sorted(operations, key=lambda operation: operation.invoked):
            if each.value is None or each.outcome == "refused":
                continue
            if each.kind in ("close", "abort"):
                ends.setdefault((each.client, each.value), []).append(each)
            elif each.kind in ("get", "open") and each.outcome == "ok":
                taken.append(each)
        found: dict[str, list[Delivery]] = {}
        for each in taken:
            value = each.value or ""
            later = ends.get((each.client, value), [])
            # The same client may have aborted it before: what ends this read was asked after it.
            at = bisect_left(later, each.returned or 0, key=lambda operation: operation.invoked)
            end = later[at] if at < len(later) and each.kind == "open" else None
            found.setdefault(value, []).append(self._delivery(each, end))
        return found

    def _delivery(self, taken: Operation, end: Operation | None) -> Delivery:
        if taken.kind == "get":
            return Delivery(taken, inf, inf, True)
        times_out = inf if taken.lasts is None else taken.invoked + taken.lasts - self.tolerance
        cut, back = self.cut(taken), self.back(taken)
        if end is None:
            return Delivery(taken, min(cut, times_out), back, False)
        known = end.returned is not None
        if end.kind == "close":
            if known and self.end(end) < times_out:
                return Delivery(taken, inf, inf, True)
            # A close that came too late, or was not heard, touched nothing.
            return Delivery(taken, min(cut, times_out), inf if known else back, None)
        release = min(cut, times_out, end.invoked)
        return Delivery(taken, release, min(back, self.end(end)) if known else back, False)
