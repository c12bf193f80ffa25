"""`/metrics`: every metric there is, and where each comes from.

Owns the names (docs/monitoring.md explains them). Made in short slices, and sent as it is made: of thousands
of queues nobody else notices. What queues count is taken once, before the first line, and is of the
same second.
"""

import platform
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from ... import build
from ...brokers.sample import Sample
from ...brokers.samples import sample_of
from ...config import QueueRule
from ...sessions.contract import Host
from ...sessions.guard import Status
from ...version import __version__
from ..wording import path_name
from .events import Events
from .exposition import Family, Format, labels
from .health import Health
from .process import Process, look
from .slices import brief
from .watch import Watch

__all__ = ["FAMILIES", "Metrics"]

_LINES = 64
_PIECE = 32 * 1024


def _gauge(name: str, help: str, unit: str = "") -> Family:
    return Family(f"darnerpy_{name}", "gauge", help, unit)


def _counter(name: str, help: str, unit: str = "") -> Family:
    return Family(f"darnerpy_{name}", "counter", help, unit)


_PLACES: tuple[tuple[Family, Callable[[Sample], int]], ...] = (
    (_gauge("queue_items", "Items that wait."), attrgetter("items")),
    (_gauge("queue_bytes", "What they add up to.", "bytes"), attrgetter("bytes")),
    (_gauge("queue_open_reads", "Items held by clients."), attrgetter("open_reads")),
    (_gauge("queue_waiters", "Clients that wait for an item."), attrgetter("waiters")),
    (_gauge("queue_delayed", "Items that are not due yet, as far as read."), attrgetter("delayed")),
    (_counter("queue_gets", "Items handed out, each as often as it was."), attrgetter("gets")),
    (_counter("queue_confirmed", "Items taken or closed."), attrgetter("confirmed")),
    (_counter("queue_returned", "Open reads that came back."), attrgetter("returned")),
    (_counter("queue_expired", "Items whose time was over."), attrgetter("expired")),
    (_counter("queue_discarded", "Items thrown away to make room."), attrgetter("discarded")),
    (_counter("queue_purged", "Items purged, but not all at once."), attrgetter("purged")),
    (_counter("queue_flushed", "Items removed by a flush."), attrgetter("flushed")),
    (_counter("queue_moved", "Items moved elsewhere on request."), attrgetter("moved")),
    (_counter("queue_dead", "Items out of attempts."), attrgetter("dead")),
)
_AGE = _gauge("queue_age_seconds", "How old the next item is, 0 if there is none.", "seconds")
_PUTS = _counter("queue_puts", "Items ever put.")
_DISK = _gauge("queue_disk_bytes", "Bytes of the queue's files.", "bytes")
_DAMAGED = _counter("queue_damaged", "Items that cannot be served because of damage.")
_KEPT = _gauge("queue_kept", "Items on disk that are not served; queues without any are left out.")
_FAILED = _gauge("queue_failed", "1 for a queue whose journal cannot be used; others are left out.")
_PAUSED = _gauge("queue_paused", "1 for a queue that is paused, by what is; others are left out.")
_TARGET = _gauge(
    "queue_target", "1 for a queue that items move to, by which setting; others are left out."
)
_TARGETS = "dead_letter", "expire_to"

_COMMIT = Family(
    "darnerpy_commit_seconds", "histogram", "How long writing took, with its sync.", "seconds"
)
_COMMAND = Family(
    "darnerpy_command_seconds",
    "histogram",
    "How long the first command of a turn took until it could be answered.",
    "seconds",
)
_QUEUE_TIME = Family(
    "darnerpy_queue_time_seconds", "histogram", "Age of items when they were confirmed.", "seconds"
)
_BUILD = Family("darnerpy_build", "info", "What is running.")
_STATUS = Family("darnerpy_status", "stateset", "What clients may do at the moment.")

_SERVER: tuple[tuple[Family, Callable[[Host], float]], ...] = (
    (
        _gauge("uptime_seconds", "Since the start.", "seconds"),
        lambda host: (host.clock.monotonic_ms() - host.counters.started) / 1000,
    ),
    (_gauge("connections", "Clients that are connected."), lambda host: host.counters.connections),
    (
        _counter("connections_accepted", "Clients that have connected, refused ones too."),
        lambda host: host.counters.total_connections,
    ),
    (
        _counter("connections_refused", "Clients turned away because of a limit."),
        lambda host: host.counters.refused_connections,
    ),
    (_counter("gets", "Gets answered on all ports."), lambda host: host.counters.gets),
    (_counter("sets", "Sets decided on all ports."), lambda host: host.counters.sets),
    (_counter("peeks", "Peeks answered on all ports."), lambda host: host.counters.peeks),
    (
        _counter("get_hits", "Gets and peeks of all ports that had an item."),
        lambda host: host.counters.hits,
    ),
    (
        _counter("get_misses", "Gets and peeks of all ports that had none."),
        lambda host: host.counters.misses,
    ),
    (
        _counter("received_bytes", "Bytes from clients of the memcache ports.", "bytes"),
        lambda host: host.counters.bytes_read,
    ),
    (
        _counter("sent_bytes", "Bytes to clients of the memcache ports.", "bytes"),
        lambda host: host.counters.bytes_written,
    ),
    (_counter("queues_created", "Queues that came to be."), lambda host: host.broker.created),
    (_counter("queues_deleted", "Queues that were deleted."), lambda host: host.broker.deleted),
    (_gauge("journals_open", "Journals that are open."), lambda host: host.broker.open_journals),
    (
        _gauge("window_bytes", "Memory that items read ahead take.", "bytes"),
        lambda host: host.broker.windows.used,
    ),
    (
        _gauge("loading", "1 after a start until every journal was opened once."),
        lambda host: int(host.broker.loading),
    ),
    (
        _gauge("out_of_disk", "1 while items are refused because the disk is too full."),
        lambda host: int(host.broker.space.error is not None),
    ),
    (_counter("tap_events", "Events written to the tap."), lambda host: host.tap()[1]),
    (
        _counter("log_lines_lost", "Lines that the log could not take."),
        lambda host: host.log_lines_lost(),
    ),
)
_READY = _gauge("ready", "1 if /readyz says so.")
_QUEUES = _gauge("queues", "Queues there are.")
_FREE = _gauge("disk_free_bytes", "Free bytes on the disk of the data.", "bytes")
_STREAMS = _gauge("event_streams", "Clients that follow /v1/events.")

_PROCESS: tuple[tuple[Family, Callable[[Process], float]], ...] = (
    (
        Family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", "bytes"),
        attrgetter("resident"),
    ),
    (
        Family("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", "bytes"),
        attrgetter("virtual"),
    ),
    (
        Family("process_cpu_seconds", "counter", "Total user and system CPU time.", "seconds"),
        attrgetter("cpu"),
    ),
    (Family("process_open_fds", "gauge", "Open file descriptors."), attrgetter("files")),
    (Family("process_max_fds", "gauge", "Most file descriptors."), attrgetter("most_files")),
    (Family("process_threads", "gauge", "Threads."), attrgetter("threads")),
)
_BEGAN = Family(
    "process_start_time_seconds", "gauge", "When the process began, Unix time.", "seconds"
)

FAMILIES: tuple[Family, ...] = (
    *(family for family, _ in _PLACES),
    *(_AGE, _PUTS, _DISK, _DAMAGED, _KEPT, _FAILED, _PAUSED, _TARGET),
    *(_COMMIT, _COMMAND, _QUEUE_TIME, _BUILD, _STATUS, _READY, _QUEUES, _FREE, _STREAMS),
    *(family for family, _ in _SERVER),
    *(family for family, _ in _PROCESS),
    _BEGAN,
)
"""All there are: alerts and dashboards are tested against them."""


class Metrics:
    def __init__(self, watch: Watch, events: Events, health: Health) -> None:
        self._watch = watch
        self._events = events
        self._health = health
        host = watch.host
        began = host.clock.monotonic_ms() - host.counters.started
        self._began = (host.clock.now_ms() - began) / 1000

    def text(self, to: Format, glob: bytes) -> Iterator[bytes]:
        """All of it in pieces; b"" where others should have their turn. glob: of queues, b"" is all."""
        for part in chain(self._of_server(to), self._of_queues(to, glob)):
            yield part.encode()
        yield to.end.encode()

    def _of_server(self, to: Format) -> Iterator[str]:
        watch = self._watch
        host, meter = watch.host, watch.meter
        now = labels(
            {"version": __version__, "build": build.kind(), "python": platform.python_version()}
        )
        parts = [to.one(_BUILD, 1, now), to.head(_STATUS)]
        for status in Status:
            is_so = int(host.guard.status is status)
            parts.append(to.line(_STATUS, is_so, labels({_STATUS.name: str(status)})))
        yield "".join(parts)
        yield ""
        yield "".join([to.one(family, of(host)) for family, of in _SERVER])
        yield ""
        parts = [
            to.one(_READY, int(self._health.is_ready())),
            to.one(_QUEUES, watch.sums.queues),
            to.one(_FREE, watch.disk_free),
            to.one(_STREAMS, self._events.streams),
        ]
        for family, histogram in (
            (_COMMIT, meter.commit),
            (_COMMAND, meter.command),
            (_QUEUE_TIME, meter.queue_time),
        ):
            parts.append(to.histogram(family, histogram.bounds, histogram.counts, histogram.sum))
        yield "".join(parts)
        yield ""
        process = look()
        parts = [to.one(family, of(process)) for family, of in _PROCESS]
        yield "".join(parts) + to.one(_BEGAN, self._began)
        yield ""

    def _of_queues(self, to: Format, glob: bytes) -> Iterator[str]:
        """Lines of a family stand together: so all is taken first, and then written family by family."""
        host, known = self._watch.host, self._watch.queues
        matches = QueueRule(glob, {}).matches if glob else None
        own: list[str] = []
        puts: list[int] = []
        disk: list[int] = []
        lost: list[int] = []
        keeping: list[str] = []
        kept: list[int] = []
        failed: list[str] = []
        paused: list[str] = []
        targeted: list[str] = []
        by_option = [(option, host.settings.targets(option)) for option in _TARGETS]
        targets = {name for _, names in by_option for name in names}
        places: list[str] = []
        samples: list[Sample] = []
        cut = brief()
        for number, stored in enumerate(list(host.broker.queues.values())):
            if number % 8 == 0 and cut.is_over():
                yield ""
            if not stored.exists or not (matches is None or matches(stored.name)):
                continue
            watched = known.get(stored.name)
            name = path_name(stored.name) if watched is None else watched.name
            label = f'{{queue="{name}"}}'
            if stored.error is not None:
                failed.append(label)
            if not stored.known:
                continue
            queue, now = stored.queue, host.clock.now_ms()
            own.append(label)
            puts.append(queue.total_items)
            disk.append(stored.disk_bytes)
            harm = stored.harm
            lost.append(harm.lost)
            if harm.kept:
                keeping.append(label)
                kept.append(harm.kept)
            if queue.paused:
                paused += [
                    f'{{queue="{name}",what="{what}"}}'
                    for bit, what in ((1, "puts"), (2, "gets"))
                    if queue.paused & bit
                ]
            if stored.name in targets:
                targeted += [
                    f'{{queue="{name}",what="{option}"}}'
                    for option, names in by_option
                    if stored.name in names
                ]
            for each, consumer in list(queue.consumers.items()):
                places.append(f'{{queue="{name}",consumer="{path_name(each)}"}}' if each else label)
                samples.append(sample_of(queue, consumer, now))
        yield ""
        yield from _lines(to, _PUTS, own, puts)
        yield from _lines(to, _DISK, own, disk)
        yield from _lines(to, _DAMAGED, own, lost)
        yield from _lines(to, _KEPT, keeping, kept)
        yield from _lines(to, _FAILED, failed, [1] * len(failed))
        yield from _lines(to, _PAUSED, paused, [1] * len(paused))
        yield from _lines(to, _TARGET, targeted, [1] * len(targeted))
        for family, of in _PLACES:
            yield from _lines(to, family, places, samples, of)
        yield from _lines(to, _AGE, places, samples, _seconds)
        released: tuple[list[Any], ...] = own, places, samples
        for taken in released:  # to let go of thousands takes its time, too
            while taken:
                del taken[-_LINES:]
                if cut.is_over():
                    yield ""


def _seconds(sample: Sample) -> float:
    return sample.age / 1000


def _itself(value: Any) -> Any:
    return value


def _lines(
    to: Format,
    family: Family,
    labels: list[str],
    values: Sequence[Any],
    of: Callable[[Any], float] = _itself,
) -> Iterator[str]:
    """A family of which each queue or consumer has a sample; "" where others should have their turn."""
    name, cut = to.sample(family), brief()
    text = to.head(family)
    for at in range(0, len(labels), _LINES):
        stop = at + _LINES
        some = zip(labels[at:stop], map(of, values[at:stop]), strict=True)
        text += "".join([f"{name}{label} {value}\n" for label, value in some])
        if len(text) >= _PIECE:
            yield text
            text = ""
        elif cut.is_over():
            yield ""
    yield text
