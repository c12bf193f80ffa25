"""Time, the event loop and the threads of a simulated server: one list of things to do, by seed.

What was called soon runs in the order in which it was asked for, as on a real loop. When a thread gets
to its work, and when a timer rings, is left to chance, within what time allows. Nothing here waits:
when there is nothing to do, the clock is moved to the next timer.
"""

import random
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from ...journals.workers import Done, Workers

__all__ = ["Clockwork", "SimulatedWorkers"]

_Work = tuple[Callable[..., Any], tuple[Any, ...]]


class _Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clockwork:
    """A `Clock` and a `Scheduler`. now: milliseconds since the epoch, with fractions.

    fuse: after so many more steps the power goes (`Blackout` is raised); None is never.
    """

    def __init__(self, chance: random.Random, start_ms: float = 1_000_000.0) -> None:
        self.now = start_ms
        self.steps = 0
        self._chance = chance
        self._soon: deque[_Work] = deque()
        self._timers: list[tuple[float, int, _Timer, _Work]] = []
        self._jobs: list[deque[Callable[[], None]]] = []
        self._number = 0

    # -- what the server uses ----------------------------------------------------------------------

    def now_ms(self) -> int:
        return int(self.now)

    monotonic_ms = now_ms

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self._soon.append((callback, args))

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> _Timer:
        timer = _Timer()
        self._number += 1
        heappush(self._timers, (self.now + delay * 1000, self._number, timer, (callback, args)))
        return timer

    def workers(self, count: int, call_soon: Callable[..., object], name: str) -> Workers:
        """As many lines of jobs as there would be threads."""
        lines = [deque[Callable[[], None]]() for _ in range(count)]
        self._jobs += lines
        return SimulatedWorkers(lines, call_soon, self._chance)

    # -- what drives it ----------------------------------------------------------------------------

    def step(self) -> bool:
        """Do one thing that can be done now; False if there is nothing but to wait for a timer."""
        self.steps += 1
        self._ring()
        busy = [line for line in self._jobs if line]
        if busy and (not self._soon or self._chance.random() < 0.5):
            self._chance.choice(busy).popleft()()
            self.now += self._chance.random() * 0.2
            return True
        if self._soon:
            callback, args = self._soon.popleft()
            callback(*args)
            self.now += 0.005
            return True
        return False

    def wait(self, most_ms: float) -> None:
        """Nothing can be done: let time pass, up to the next timer."""
        while self._timers and self._timers[0][2].cancelled:
            heappop(self._timers)
        next_timer = self._timers[0][0] if self._timers else self.now + most_ms
        self.now = max(self.now, min(self.now + most_ms, next_timer))

    def forget(self) -> None:
        """The process is gone, and all that it was going to do."""
        self._soon.clear()
        self._timers.clear()
        self._jobs.clear()

    def _ring(self) -> None:
        while self._timers and self._timers[0][0] <= self.now:
            _, _, timer, work = heappop(self._timers)
            if not timer.cancelled:
                self._soon.append(work)


class SimulatedWorkers(Workers):
    """Threads whose work is done whenever chance has it."""

    def __init__(
        self,
        lines: list[deque[Callable[[], None]]],
        call_soon: Callable[..., object],
        chance: random.Random,
    ) -> None:
        self._lines = lines
        self._soon = call_soon
        self._chance = chance

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        def run() -> None:
            try:
                result, error = work(), None
            except Exception as caught:  # as a real thread does it
                result, error = None, caught
            self._soon(done, result, error)

        self._chance.choice(self._lines).append(run)

    def close(self) -> None:
        for line in self._lines:
            while line:
                line.popleft()()
