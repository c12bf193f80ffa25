"""What brokers need of an event loop, where there is none: done by whoever calls, and by few threads.

Owns the order of things under one lock. What is to be done soon is done before the lock is let go. What
may block is done outside of it, by the threads that wait for its outcome: the first who comes does it, the
others gather the next batch and wait (group commit), so that a lone caller never waits for another thread.
Timers have a thread of their own, started when the first one is set; trimming and compaction have one
more, for they may take long and an interval sync must not wait for them.
"""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from operator import call
from threading import Condition, Thread
from typing import Any

from ..brokers.turn import Turn
from ..clock import Clock
from ..journals.workers import Done, Workers
from ..locks import Lock
from .sleepers import ThreadSleeper

__all__ = ["THREADS", "Scheduler"]

log = logging.getLogger("darnerpy.library")

THREADS = "darnerpy-"
"""What the names of the threads begin with that are started here."""

_THREADS = 4
"""For what blocks, when those who wait for it are tasks of an event loop."""

_LOOK_MS = 1000
"""How often it is looked whether the clock was set, while anything waits for a time."""

_STEP_MS = 100


class _Timer:
    __slots__ = ("cancelled", "when", "work")

    def __init__(self, when: int, work: Callable[[], object]) -> None:
        self.cancelled = False
        self.when = when
        self.work = work

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: "_Timer") -> bool:
        return self.when < other.when


class _Job:
    __slots__ = ("done", "work")

    def __init__(self, work: Callable[[], Any], done: Done) -> None:
        self.work = work
        self.done = done


class _Foreground(Workers):
    """Takes the work that somebody waits for."""

    def __init__(self, scheduler: "Scheduler") -> None:
        self._scheduler = scheduler

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        self._scheduler.jobs.append(_Job(work, done))
        self._scheduler.turn.after = True

    def close(self) -> None:
        """Who closes does what is left first."""


class _Lazy(Workers):
    """Threads that are started when there is work for them, and end with `stop`."""

    def __init__(self, count: int, call_soon: Callable[..., object], name: str) -> None:
        self._make = partial(Workers, count, call_soon, name)
        self._made: Workers | None = None

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        if self._made is None:
            self._made = self._make()
        self._made.submit(work, done)

    def close(self) -> None:
        """It is called with the lock held, which they may need to come to an end."""

    def stop(self) -> None:
        if self._made is not None:
            self._made.close()
            self._made = None


class Scheduler:
    """A `Scheduler`, and what makes `Workers`, for one broker. All but `call_soon_threadsafe` and what is
    named so is called with the lock held.

    over: nothing more is done. jobs: work that may block and is to be done by those who wait. loops: how
    many tasks of event loops wait for any.

    clock_was_set: called when it was. settled: called before the lock is let go when `Turn.after` says so;
    returns whether it wants to be called after each turn.
    """

    def __init__(
        self,
        lock: Lock,
        turn: Turn,
        clock: Clock,
        clock_was_set: Callable[[], None],
        settled: Callable[[], bool],
    ) -> None:
        self.turn = turn
        self.jobs: deque[_Job] = deque()
        self.loops = 0
        self.over = False
        self._lock = lock
        self._clock = clock
        self._clock_was_set = clock_was_set
        self._settled = settled
        self._soon: deque[_Timer] = deque()
        self._timers: list[_Timer] = []
        self._timekeeper: Thread | None = None
        self._alarm: ThreadSleeper | None = None
        self._running: set[_Job] = set()
        self._idle = Condition(lock)
        self._sleepers: dict[ThreadSleeper, None] = {}
        self._waiting: set[Callable[[], None]] = set()
        self._lazy: list[_Lazy] = []
        self._threads = self._workers(_THREADS, "commit")

    # -- what the broker asks ----------------------------------------------------------------------

    def workers(self, count: int, call_soon: Callable[..., object], name: str) -> Workers:
        """Many are for what somebody waits for, one is for the background."""
        return _Foreground(self) if count > 1 else self._workers(count, name)

    def _workers(self, count: int, name: str) -> _Lazy:
        made = _Lazy(count, self.call_soon_threadsafe, f"{THREADS}{name}")
        self._lazy.append(made)
        return made

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> _Timer:
        timer = _Timer(0, partial(callback, *args))
        self._soon.append(timer)
        self.turn.after = True
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> _Timer:
        if delay <= 0:
            return self.call_soon(callback, *args)
        timer = _Timer(self._clock.monotonic_ms() + round(delay * 1000), partial(callback, *args))
        heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._keep_time()
        return timer

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> None:
        """Called by threads that have done some work: they go on with what it brings about."""
        with self._lock:
            if self.over or self.turn.busy:
                return  # what the work was for is no more
            self.turn.begin()
            try:
                callback(*args)
                self.turn.end()
                self.settle()
            except BaseException:
                log.exception("a queue has to be read anew")
                self.cut_off()
            self._idle.notify_all()
        self.leave()

    # -- turns -------------------------------------------------------------------------------------

    def settle(self) -> bool:
        """Do what is to be done soon, before the lock is let go; whether there are jobs.

        What comes of it is left to the next turn, or to the timekeeper: nobody is held up for long.
        """
        turn = self.turn
        turn.begin()
        for _ in range(len(self._soon)):
            timer = self._soon.popleft()
            if not timer.cancelled:
                timer.work()
        watched = self._settled()
        turn.end()
        turn.after = watched
        if self._soon:
            turn.after = True
            self._keep_time()
        if not self.jobs:
            return False
        if self._sleepers:
            self._nudge()
        return True

    def cut_off(self) -> None:
        """Something was raised under the lock. If that was in the middle of a turn, all who wait have to
        look around: what they wait for will not come.
        """
        if self.turn.busy:
            self.over = True
            for wake in list(self._waiting):
                wake()
            if self._alarm is not None:
                self._alarm.nudge()
            self.jobs.clear()
            self._idle.notify_all()

    # -- waiting -----------------------------------------------------------------------------------

    def attend(self, wake: Callable[[], None]) -> None:
        """Call this when everybody has to look around."""
        self._waiting.add(wake)

    def depart(self, wake: Callable[[], None]) -> None:
        self._waiting.discard(wake)

    def pause_threadsafe(self, sleeper: ThreadSleeper, until: float | None) -> None:
        """Sleep until woken or a time (monotonic milliseconds), doing meanwhile what is to be done."""
        while True:
            if self.jobs and not sleeper.woken and self.work():
                continue
            with self._lock:
                if sleeper.woken:
                    return
                if self.jobs:
                    continue
                if sleeper.helps:
                    self._sleepers[sleeper] = None
            seconds = None if until is None else (until - self._clock.monotonic_ms()) / 1000
            try:
                in_time = sleeper.sleep(seconds)
            finally:
                self._sleepers.pop(sleeper, None)
            if not in_time:
                return

    def work(self) -> bool:
        """Do one of the jobs; False if there is none. Thread-safe."""
        outcome: list[Any] = []
        job: _Job | None = None
        try:
            with self._lock:
                if not self.jobs or self.over:
                    return False
                job = self.jobs.popleft()
                self._running.add(job)
            error: Exception | None = None
            try:
                # In one call of C: if it is interrupted, then before it is done and not after.
                outcome.extend(map(call, (job.work,)))
            except Exception as raised:
                error = raised
            with self._lock:
                self._running.discard(job)
                if self.over:
                    self._idle.notify_all()
                    return False
                self.turn.begin()
                job.done(outcome[0] if outcome else None, error)
                self.turn.end()
                self.settle()
        except BaseException:
            with self._lock:
                self.turn.busy = True
                if job is not None:
                    self._running.discard(job)
                self.cut_off()
            raise
        return True

    def leave(self) -> None:
        """The caller has what it wanted: see to it that what is still to be done is done. Thread-safe."""
        while self.jobs:
            with self._lock:
                if self.over or not self.jobs:
                    return
                if self._sleepers and self._nudge():
                    return
                if self.loops:
                    self.hand_over()
                    return
            self.work()

    def interrupted(self) -> None:
        """The caller may have been the one to do what is to be done, and will not: have another do it."""
        with self._lock:
            if self.jobs:
                self._nudge()

    def _nudge(self) -> bool:
        """Have one of those who wait do what is to be done; False if they have what they wait for."""
        for sleeper in list(self._sleepers):
            left = self._sleepers.pop(sleeper, False)  # it may be leaving by itself
            if left is not False and not sleeper.woken:
                sleeper.nudge()
                return True
        return False

    def hand_over(self) -> None:
        """Have jobs done by threads: nobody who may block waits for them."""
        while self.jobs:
            job = self.jobs.popleft()
            self._threads.submit(job.work, job.done)

    # -- time --------------------------------------------------------------------------------------

    def _keep_time(self) -> None:
        if self._timekeeper is None:
            timekeeper = Thread(target=self._run_timers, name=f"{THREADS}timers", daemon=True)
            timekeeper.start()
            self._timekeeper = timekeeper
        elif self._alarm is not None:
            self._alarm.nudge()

    def _run_timers(self) -> None:
        ahead = self._ahead()
        while True:
            with self._lock:
                if self.over or self.turn.busy:
                    return
                now = self._clock.monotonic_ms()
                while self._timers and (self._timers[0].when <= now or self._timers[0].cancelled):
                    self._soon.append(heappop(self._timers))
                try:
                    before, ahead = ahead, self._ahead()
                    if abs(ahead - before) > _STEP_MS:
                        self.turn.begin()
                        self._clock_was_set()
                        self.turn.end()
                    if self._soon:
                        self.settle()
                except BaseException:
                    log.exception("a queue has to be read anew")
                    self.cut_off()
                    return
                seconds = None
                if self._soon:
                    seconds = 0.001  # more has come of it: the others have their turn first
                elif self._timers:
                    seconds = min(self._timers[0].when - now, _LOOK_MS) / 1000
                alarm = self._alarm = ThreadSleeper()
            self.leave()
            alarm.sleep(seconds)

    def _ahead(self) -> int:
        return self._clock.now_ms() - self._clock.monotonic_ms()

    def rest(self) -> None:
        """Wait until a thread has done some work, or a while."""
        self._idle.wait(timeout=1.0)

    # -- the end -----------------------------------------------------------------------------------

    def stop_threadsafe(self) -> None:
        """No more is done; returns when nothing is under way. It may be called again.

        Threads that have ended are dropped here: Python runs code when a `Thread` goes, where Ctrl-C is
        lost, and should not do so wherever garbage happens to be collected later.
        """
        with self._lock:
            self.turn.busy = True
            self.cut_off()
            while self._running:
                self._idle.wait()
        for each in self._lazy:
            each.stop()
        if self._timekeeper is not None:
            self._timekeeper.join()
            self._timekeeper = None
