"""Taking over all queues of a source, one after another.

No queue is mixed with one that is there, and one that fails does not keep the others from being taken.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from ..brokers.datadir import DataDir
from ..clock import Clock
from ..errors import DamageError, ServerError
from ..journals.contract import DiskEngine
from ..names import file_name
from .naming import new_consumer_names, new_names
from .report import QueueReport, Report
from .source import Content, Incoming, Source, SourceError, SourceQueue
from .target import QueueWriter

__all__ = ["Progress", "transfer"]

Progress = Callable[[bytes, int, float], None]
"""Told the queue that is being taken, how many of its items are, and how far all is, from 0 to 1."""

_Take = Callable[[Incoming, int], None]
_TELL_EVERY = 1000


def transfer(
    source: Source,
    directory: Path,
    engine: DiskEngine,
    clock: Clock,
    dry_run: bool,
    progress: Progress,
) -> Report:
    """Take over every queue; directory: the data directory; engine: of the new queues. Raises
    `DataDirError` if it is in use.

    A dry run reads everything and writes nothing. A directory that was not there is only there afterwards
    if a queue was taken.
    """
    is_new = not directory.exists()
    report = Report(left_alone=source.left_alone)
    names = new_names({queue.name: queue.consumers for queue in source.queues})
    with ExitStack() as stack:
        data = None if dry_run else stack.enter_context(closing(DataDir(directory)))
        run = _Run(directory, engine, data, clock, progress, sum(q.size for q in source.queues))
        for queue in source.queues:
            report.queues.append(run.take(queue, names[queue.name]))
        if data is not None and is_new:
            data.remove_unused()
    return report


class _Run:
    def __init__(
        self,
        directory: Path,
        engine: DiskEngine,
        data: DataDir | None,
        clock: Clock,
        progress: Progress,
        size: int,
    ) -> None:
        self._directory = directory
        self._engine = engine
        self._data = data
        self._clock = clock
        self._progress = progress
        self._size = max(1, size)
        self._done = 0

    def take(self, queue: SourceQueue, new_name: bytes) -> QueueReport:
        report = QueueReport(queue.name, new_name)
        if (self._directory / "queues" / file_name(new_name)).exists():
            report.refused = "a queue of that name is in the data directory already"
        else:
            self._try(queue, report)
        self._done += queue.size
        return report

    def _try(self, queue: SourceQueue, report: QueueReport) -> None:
        try:
            self._copy(queue, report)
        except (SourceError, ServerError) as error:
            report.refused = str(error)
        except OSError as error:
            report.refused = f"{error.filename or 'it cannot be copied'}: {error.strerror}"

    def _copy(self, queue: SourceQueue, report: QueueReport) -> None:
        with ExitStack() as stack:
            content = stack.enter_context(queue.open(report))
            names = {name: name for name in content.consumers}
            if not content.exact:
                names = new_consumer_names(report.new_name, content.consumers)
            report.begin(content.consumers)
            report.consumers = {old: new for old, new in names.items() if old != new}
            if self._data is None:
                self._each(queue, content, report, _read)
                return
            writer = stack.enter_context(
                QueueWriter(
                    self._data,
                    report.new_name,
                    self._engine,
                    names,
                    content.exact,
                    paused=content.paused,
                )
            )
            self._each(queue, content, report, writer.put)
            if not report.is_empty:
                writer.finish()

    def _each(self, queue: SourceQueue, content: Content, report: QueueReport, take: _Take) -> None:
        """Have each item taken, and count those that were."""
        now_ms = self._clock.now_ms()
        for item in content.items:
            try:
                take(item, min(item.created or now_ms, now_ms))
            except DamageError as error:
                report.damage.append(f"an item of {item.size} bytes is not taken: {error}")
                continue
            report.count(item.size, 0 < item.expiry <= now_ms, item.readers)
            if report.items % _TELL_EVERY == 0:
                done = self._done + min(report.size, queue.size)
                self._progress(queue.name, report.items, done / self._size)


def _read(item: Incoming, created_ms: int) -> None:
    """Take an item nowhere, but find out whether it could be."""
    if item.pieces is not None:
        for _ in item.pieces():
            pass
