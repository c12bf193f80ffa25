"""Writing a queue of a data directory into a file, and reading such a file as a source of queues."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from ..clock import Clock
from ..migration.report import QueueReport
from ..migration.source import Content, Incoming, SourceQueue
from .contents import incoming
from .findings import QueueCheck
from .framed import Framed
from .jsonl import JsonLines
from .lines import End, Head, Place, head_of, names_in, paused_in
from .offline import OfflineQueue
from .streams import Reader
from .walk import Progress, Walk

__all__ = ["FORMATS", "ExportedSource", "export"]


class Format(Protocol):
    """How a queue is written to a file. Large items go through in pieces, both ways.

    What is read is checked; `SourceError` says where in the file what was expected. Reading to the end
    without one means that all was read that had been written.
    """

    def write(self, target: BinaryIO, head: Head, items: Iterable[Incoming]) -> End: ...

    def read_head(self, reader: Reader, file: str) -> tuple[Head, Place]: ...

    def read_items(
        self, reader: Reader, file: str, consumers: frozenset[str]
    ) -> Iterator[Incoming]: ...


FORMATS: Mapping[str, Format] = {"jsonl": JsonLines(), "binary": Framed()}


def export(
    queue: OfflineQueue,
    check: QueueCheck,
    form: Format,
    target: BinaryIO,
    clock: Clock,
    progress: Progress,
) -> End:
    """Write all items that some consumer has not confirmed. check: filled with what is wrong.

    Raises `JournalError` for a queue that cannot be read, `OSError` for a file that cannot be written.
    """
    consumers = sorted(name for name in queue.found.positions if name)
    head = head_of(queue.name or b"", consumers, clock.now_ms(), queue.found.paused)
    seen = (
        each for each in Walk(queue, check, progress, synced=True).items() if not each.passed_over
    )
    return form.write(target, head, incoming(queue, seen))


class ExportedSource:
    """One queue in a file, as `export` wrote it. title: what to call the file, by default its path."""

    def __init__(self, path: Path, form: Format, title: str = "") -> None:
        self.queues: list[SourceQueue] = [_ExportedQueue(path, form, title or str(path))]
        self.left_alone: list[str] = []


class _ExportedQueue:
    def __init__(self, path: Path, form: Format, title: str) -> None:
        self._path = path
        self._title = title
        self._form = form
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
            head, place = form.read_head(Reader(file), title)
        self.name, self.consumers = names_in(head, place)
        self._paused = paused_in(head, place)

    @contextmanager
    def open(self, report: QueueReport) -> Iterator[Content]:
        with self._path.open("rb") as file:
            reader = Reader(file)
            head, _ = self._form.read_head(reader, self._title)
            names = frozenset({"", *head.consumers})
            items = self._form.read_items(reader, self._title, names)
            yield Content(self.consumers, items, exact=True, paused=self._paused)
