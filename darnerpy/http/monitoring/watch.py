"""Looks at every queue once a second, in short slices, while HTTP is on.

Owns what was seen last of each consumer, and totals of it that never fall, whatever becomes of queues: a
queue that is made anew begins where the one before it ended. Who wants to know is told at the end of each
look. Knows nothing of what they make of it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import floor

from ...brokers.loader import NO_HARM
from ...brokers.meter import Meter
from ...brokers.sample import Sample
from ...brokers.samples import sample_of
from ...brokers.stored import StoredQueue
from ...queues.consumer import Consumer
from ...sessions.contract import Host
from ...sessions.pace import Pace
from ...version import __version__
from ..wording import path_name
from .process import Process, look
from .quantiles import quantile
from .rings import RATES
from .slices import brief, in_slices

__all__ = ["Place", "Sums", "Watch", "Watched"]

log = logging.getLogger("darnerpy.http")

_STEP = 2
_MEASURE_S = 30
_NONE = (0.0,) * RATES
_QUANTILE_S = 60
"""Commit latency is of the last minute."""


class Place:
    """A consumer, b"" is the queue's own, as long as its queue is watched.

    last: the sample seen last, None before the first. totals: how many items were put, handed out and
    confirmed since the watch began. rates: the same in a second, of the last one. changed: the number of the
    look that last saw anything but its age change.
    """

    __slots__ = ("changed", "consumer", "last", "name", "rates", "totals")

    def __init__(self, name: bytes, consumer: Consumer) -> None:
        self.name = name
        self.consumer = consumer
        self.last: Sample | None = None
        self.totals = [0] * RATES
        self.rates: Sequence[float] = _NONE
        self.changed = 0


class Watched:
    """A queue. since, seen: the numbers of the first and the last look that found it. state, harm: then.
    changed: the number of the look that saw one of these become so.
    """

    __slots__ = ("changed", "harm", "name", "places", "seen", "since", "state", "stored")

    def __init__(self, stored: StoredQueue, since: int) -> None:
        self.stored = stored
        self.name = path_name(stored.name)
        self.places: dict[bytes, Place] = {}
        self.seen = self.since = since
        self.changed = since
        self.state = ""
        self.harm = NO_HARM


class Sums:
    """Of all queues and consumers, as one look has found them. oldest: age in milliseconds."""

    def __init__(self) -> None:
        self.queues = self.loading = self.failed = 0
        self.items = self.bytes = self.open_reads = self.waiters = self.delayed = 0
        self.oldest = self.disk = 0
        self.lost = self.kept = 0

    def add(self, sample: Sample) -> None:
        self.items += sample.items
        self.bytes += sample.bytes
        self.open_reads += sample.open_reads
        self.waiters += sample.waiters
        self.delayed += sample.delayed
        if sample.age > self.oldest:
            self.oldest = sample.age


class Watch:
    """looks: how many there were. queues: by name. sums: of the last look; totals, rates: as `Place` has
    them, of all. gone: the names of queues, and of consumers as `queue+consumer`, that were no longer there.
    failed: the names of queues that have failed. commit_p99: seconds, of the last minute; None if nothing was
    written. process, disk_free: as they were last.

    noting: called for each place, in the look; told: called when it is over, and may yield.
    """

    def __init__(self, host: Host, meter: Meter) -> None:
        self.host = host
        self.meter = meter
        self.looks = 0
        self.queues: dict[bytes, Watched] = {}
        self.sums = Sums()
        self.totals = [0] * RATES
        self.rates = [0.0] * RATES
        self.gone: list[str] = []
        self.failed: list[str] = []
        self.commit_p99: float | None = None
        self.process: Process = look()
        self.disk_free = 0
        self.version = __version__
        self.noting: list[Callable[[Place, int], None]] = []
        self.forgetting: list[Callable[[Place], None]] = []
        self.telling: list[Callable[[int], Iterable[None]]] = []
        self._at = 0
        self._commits: deque[list[int]] = deque(maxlen=_QUANTILE_S)
        self._task: asyncio.Task[None] | None = None

    # -- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        """In the middle of each second: a look that is late is still in its own."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await in_slices(self.look())
            except Exception:
                log.exception("watching the queues failed")
            now = loop.time()
            await asyncio.sleep(floor(now + 0.5) + 0.5 - now)

    # -- looking -----------------------------------------------------------------------------------

    def look(self) -> Iterator[None]:
        """Look once at everything there is."""
        host = self.host
        at = host.clock.monotonic_ms()
        passed = (at - self._at) / 1000 if self._at else 0.0
        self._at = at
        self.looks += 1
        second = at // 1000
        sums = Sums()
        before = list(self.totals)
        self.failed = failed = []
        self.gone = []
        cut = brief()
        for number, stored in enumerate(list(host.broker.queues.values())):
            if stored.exists and stored.deletion is None:
                watched = self._watched(stored)
                sums.queues += 1
                sums.disk += stored.disk_bytes
                state = stored.state
                if state != watched.state:
                    watched.state, watched.changed = state, self.looks
                harm = stored.harm
                if harm != watched.harm:
                    watched.harm, watched.changed = harm, self.looks
                if harm != NO_HARM:
                    sums.lost += harm.lost
                    sums.kept += harm.kept
                if state != "ready":
                    sums.loading += state == "loading"
                    if state == "failed":
                        sums.failed += 1
                        failed.append(watched.name)
                if stored.known:
                    self._see(watched, sums, passed, second)
            if number % _STEP == 0 and cut.is_over():
                yield
        yield
        if len(self.queues) > sums.queues:
            yield from self._sweep(cut)
        self.sums = sums
        self.rates = (
            [(now - then) / passed for now, then in zip(self.totals, before, strict=True)]
            if passed
            else [0.0] * RATES
        )
        self._look_around()
        yield
        self.process = look()
        for tell in self.telling:
            yield
            yield from tell(second)

    def _watched(self, stored: StoredQueue) -> Watched:
        watched = self.queues.get(stored.name)
        if watched is None:
            watched = self.queues[stored.name] = Watched(stored, self.looks)
        elif watched.stored is not stored:  # it was deleted, and there is one of that name again
            watched.stored = stored
            for place in watched.places.values():
                place.last = None
            watched.since = self.looks
        watched.seen = self.looks
        return watched

    def _see(self, watched: Watched, sums: Sums, passed: float, second: int) -> None:
        queue, now = watched.stored.queue, self.host.clock.now_ms()
        places = watched.places
        for name, consumer in list(queue.consumers.items()):
            place = places.get(name)
            if place is None:
                place = places[name] = Place(name, consumer)
            elif place.consumer is not consumer:
                place.consumer, place.last = consumer, None
            sample = sample_of(queue, consumer, now)
            last, place.last = place.last, sample
            if last is not None:
                last.age = sample.age  # that it grows is no change
            if last is None:
                place.changed = self.looks
                if (
                    watched.since == self.looks > 1
                ):  # it was not there a second ago: all of it is new
                    self._count(place, sample, (0, 0, 0), passed)
            elif sample != last:
                place.changed = self.looks
                self._count(place, sample, (last.puts, last.gets, last.confirmed), passed)
            elif place.changed == self.looks - 1:
                place.changed = self.looks if any(place.rates) else place.changed
                place.rates = _NONE
            sums.add(sample)
            for note in self.noting:
                note(place, second)
        if len(places) > len(queue.consumers):
            for name in places.keys() - queue.consumers.keys():
                self._forget(places.pop(name))
                self.gone.append(f"{watched.name}+{path_name(name)}")

    def _count(
        self, place: Place, sample: Sample, last: tuple[int, int, int], passed: float
    ) -> None:
        now = sample.puts, sample.gets, sample.confirmed
        # None can fall, and none must be shown to if it did.
        rises = [max(0, new - old) for new, old in zip(now, last, strict=True)]
        place.rates = tuple([rise / passed if passed else 0.0 for rise in rises])
        for at, rise in enumerate(rises):
            place.totals[at] += rise
            if at or not place.name:  # a put counts once, for all consumers
                self.totals[at] += rise

    def _sweep(self, cut: Pace) -> Iterator[None]:
        """Forget what is no more."""
        for number, name in enumerate(list(self.queues)):
            watched = self.queues[name]
            if watched.seen != self.looks:
                del self.queues[name]
                self.gone.append(watched.name)
                for place in watched.places.values():
                    self._forget(place)
            if number % (_STEP * 32) == 0 and cut.is_over():
                yield

    def _forget(self, place: Place) -> None:
        for forget in self.forgetting:
            forget(place)

    def _look_around(self) -> None:
        self.meter.pace()
        self.disk_free = self.host.broker.space.free()
        counts = list(self.meter.commit.counts)
        before = self._commits[0] if self._commits else [0] * len(counts)
        self._commits.append(counts)
        since = [now - then for now, then in zip(counts, before, strict=True)]
        self.commit_p99 = quantile(self.meter.commit.bounds, since, 0.99)
        if self.looks % _MEASURE_S == 0:
            self.host.broker.measure(lambda: None)
