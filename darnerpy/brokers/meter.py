"""How long things take, in histograms: writing a batch, answering a command, an item in its queue.

Owns what is measured, and that nothing is where there is no meter. It is fed once a turn, not by each
command: what many clients ask together is answered together. And of many turns in a second only some are
measured, each of which stands for those around it. So these are samples: of a turn one command, and of
what it confirms in a queue the age of the last item, which stands for all of them. Knows nothing of who
wants to know.
"""

from bisect import bisect_left
from collections.abc import Callable
from time import perf_counter
from typing import Final

from ..clock import Clock
from ..queues.batches import Batch, Dependent, Returned
from ..queues.items import Item
from ..queues.queue import Queue
from .local import LocalBroker

__all__ = ["Histogram", "Meter"]

_ENOUGH: Final = 200
"""Turns that are measured in a second, about."""

_MS: Final = 1000
_S: Final = 1000 * 1000

SHORT: Final = (
    *(50, 100, 250, 500, _MS, 2500, 5 * _MS, 10 * _MS, 25 * _MS, 50 * _MS, 100 * _MS),
    *(250 * _MS, 500 * _MS, _S, 2500 * _MS, 5 * _S, 10 * _S),
)
LONG: Final = (
    *(_MS, 5 * _MS, 10 * _MS, 50 * _MS, 100 * _MS, 500 * _MS, _S, 5 * _S, 10 * _S, 60 * _S),
    *(300 * _S, 1800 * _S, 3600 * _S, 6 * 3600 * _S, 24 * 3600 * _S, 7 * 24 * 3600 * _S),
)


class Histogram:
    """bounds: of the buckets, microseconds. counts: how often it was at most so long, and more than the bound
    before; the last is of all that was longer. sum: of all, microseconds.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = list(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0

    def add(self, microseconds: int, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, microseconds)] += times
        self.sum += microseconds * times


class _Answer(Dependent):
    """A command that waits for a commit in a thread."""

    def __init__(self, histogram: Histogram, began: float, times: int) -> None:
        self._histogram = histogram
        self._began = began
        self._times = times

    def release(self) -> None:
        self._histogram.add(_since(self._began), self._times)


class Meter:
    """commit: how long writes took, those in threads with their sync; one on the loop is of a whole turn,
    with all queues that changed in it, and the answers. command: from when the first command of a turn was
    decided that changes something until it could be answered. queue_time: the age of items when they were
    confirmed.
    """

    __slots__ = (
        "_at_turn_end",
        "_began",
        "_broker",
        "_clock",
        "_every",
        "_turns",
        "command",
        "commit",
        "queue_time",
    )

    def __init__(self, broker: LocalBroker, clock: Clock) -> None:
        self.commit = Histogram(SHORT)
        self.command = Histogram(SHORT)
        self.queue_time = Histogram(LONG)
        self._broker = broker
        self._clock = clock
        self._began = 0.0
        self._turns = 0
        self._every = 1
        self._at_turn_end = broker.at_turn_end

    def start(self) -> None:
        self._broker.at_turn_end = self._begin
        self._broker.tell_commits(self._wrote)

    def pace(self) -> None:
        """A second has passed: measure as many turns of the next one as there need be."""
        self._every = max(1, self._turns // _ENOUGH)
        self._turns = 0

    def _begin(self, end_turn: Callable[[], None]) -> None:
        """A turn has changed something, and is to be ended."""
        self._turns += 1
        if self._turns % self._every:
            self._at_turn_end(end_turn)
        else:
            self._began = perf_counter()
            self._at_turn_end(self._end)

    def _end(self) -> None:
        broker = self._broker
        if not broker.dirty:
            broker.end_turn()
            return
        now = 0
        for stored in broker.dirty:
            batch = stored.queue.batch
            if batch is not None and not batch.late:  # else what it has was counted before
                if not now:
                    now = self._clock.now_ms()
                self._look(stored.queue, now)
        first = broker.dirty[0].queue.batch
        ending = perf_counter()
        broker.end_turn()
        if first is not None:
            self._ended(first, ending)

    def _ended(self, first: Batch, ending: float) -> None:
        if first.ended:
            self.commit.add(_since(ending), self._every)
            self.command.add(_since(self._began), self._every)
        else:
            first.dependents.append(_Answer(self.command, self._began, self._every))

    def _look(self, queue: Queue, now: int) -> None:
        for consumer in queue.consumers.values():
            undo = consumer.undo
            if undo:
                last = undo[-1]
                if isinstance(last, Returned) and len(undo) > 1:  # it comes behind its item
                    last = undo[-2]
                if isinstance(last, Item):
                    age = max(0, now - last.created)
                    self.queue_time.add(age * _MS, len(undo) * self._every)

    def _wrote(self, seconds: float) -> None:
        self.commit.add(int(seconds * _S))


def _since(began: float) -> int:
    return int((perf_counter() - began) * _S)
