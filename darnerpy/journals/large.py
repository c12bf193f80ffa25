"""Large items: each in a file of its own beside the journal.

Owns the directory `large/` of a queue. An upload is written as `<number>.part` while it arrives;
`publish` renames it to `<id>-<number>.item` when its id is known, before the record that refers to it
is written. So a file tells by its name whether any record can need it: `clean` removes the rest.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from ..errors import JournalError
from ..queues.items import Item
from ..queues.positions import Span
from .durable import sync_directory

__all__ = ["LargeFiles", "Upload"]

_T = TypeVar("_T")


class Upload:
    """One item on its way to disk. Its methods may block: call them off the loop, one at a time.

    number, path: of the file.
    """

    def __init__(self, files: "LargeFiles", path: Path, number: int) -> None:
        self.number = number
        self._files = files
        self.path = path
        self._file: int | None = None

    def write(self, chunks: list[bytes]) -> None:
        try:
            if self._file is None:
                with self._files.still_there():
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError as error:
            raise _failed("write", self.path, error) from error

    def link(self, path: Path) -> None:
        """Be the same file as a whole one, of another queue. Nothing was written before."""
        try:
            with self._files.still_there():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, self.path)
        except OSError as error:
            raise _failed("link", self.path, error) from error

    def finish(self, sync: bool) -> None:
        """All bytes are written; with sync they are on disk when this returns."""
        self.write([])
        try:
            if sync and self._file is not None:
                os.fdatasync(self._file)
        except OSError as error:
            raise _failed("sync", self.path, error) from error
        finally:
            self._close()

    def discard(self) -> None:
        self._close()
        with suppress(JournalError), self._files.still_there():
            self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class LargeFiles:
    """The large items of one queue."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0
        self._used = directory.exists()
        self._abandoned = False
        self._lock = Lock()

    @contextmanager
    def still_there(self) -> Iterator[None]:
        """While the directory is this queue's, and stays so. Raises `JournalError` if it is not."""
        with self._lock:
            if self._abandoned:
                raise JournalError("the queue was deleted")
            yield

    def abandon(self, discard: Callable[[], _T]) -> _T:
        """Have the directory discarded; no upload makes it anew or touches what takes its place."""
        with self.still_there():
            result = discard()
            self._abandoned = True
            return result

    def upload(self) -> Upload:
        self._number += 1
        self._used = True
        return Upload(self, self._directory / f"{self._number}.part", self._number)

    def publish(self, items: list[Item], sync: bool) -> None:
        """Give the files of items that are about to be recorded their final names."""
        try:
            for item in items:
                os.rename(self._part(item), self._item(item))
            if sync:
                sync_directory(self._directory)
                sync_directory(self._directory.parent)
        except OSError as error:
            raise _failed("publish an item in", self._directory, error) from error

    def open(self, item: Item) -> int:
        """A descriptor to read an item from. Raises `JournalError`."""
        # Published between the first and the second try: the third finds it.
        for path in (self._item(item), self._part(item), self._item(item)):
            try:
                return os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _failed("open", path, error) from error
        raise JournalError(f"large item {item.id} has no file {self._item(item)}")

    def path_of(self, item: Item) -> Path:
        """Where an item is, whose record is written or about to be."""
        return part if (part := self._part(item)).exists() else self._item(item)

    def trim(self, stop: int, kept: list[Span]) -> None:
        """Remove the files of items below an id but the kept; who reads one has it open."""

        def unwanted(item_id: int | None) -> bool:
            if item_id is None or item_id >= stop:
                return False
            return not any(span.first <= item_id < span.stop for span in kept)

        if self._used:
            self._remove(unwanted)

    def clean(self, trimmed: int, next_id: int, kept: list[Span]) -> None:
        """After recovery: remove half uploads and files that no record refers to."""
        if not self._used:
            return
        wanted = [*kept, Span(trimmed, next_id, 0, 0)]
        self._remove(
            lambda item_id: item_id is None
            or not any(span.first <= item_id < span.stop for span in wanted)
        )
        for name in os.listdir(self._directory):
            self._number = max(self._number, int(name.partition("-")[2].partition(".")[0]))

    def size(self) -> int:
        if not self._used:
            return 0
        try:
            with os.scandir(self._directory) as entries:
                return sum(entry.stat().st_size for entry in entries)
        except FileNotFoundError:
            return 0

    def _remove(self, unwanted: Callable[[int | None], bool]) -> None:
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return
        for name in names:
            head, dash, tail = name.partition("-")
            known = dash and tail.endswith(".item") and head.isdigit()
            if unwanted(int(head) if known else None):
                (self._directory / name).unlink(missing_ok=True)

    def _part(self, item: Item) -> Path:
        return self._directory / f"{item.large}.part"

    def _item(self, item: Item) -> Path:
        return self._directory / f"{item.id}-{item.large}.item"


def _failed(what: str, path: Path, error: OSError) -> JournalError:
    return JournalError(f"cannot {what} {path.name}: {error.strerror}")
