"""Large items: each in a file of its own beside the journal.

Owns the directory `large/` of a queue. An upload is written as `<number>.part` while it arrives;
`publish` renames it to `<id>-<number>.item` when its id is known, before the record that refers to it
is written. So a file tells by its name whether any record can need it: `clean` removes the rest. What
has another name is nobody's business here.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

from ..checksums import crc32
from ..errors import JournalError
from ..locks import Lock
from ..queues.items import Item
from ..queues.positions import Positions, Span
from .durable import sync_directory

__all__ = ["LargeFiles", "Upload"]

_T = TypeVar("_T")
_PIECE = 1024 * 1024
_AT_ONCE = 64 * 1024
"""Small enough for the cache of a processor: read whole into new memory, it would take four times as long."""
_NAME = re.compile(r"(?P<upload>\d+)\.part|(?P<item>\d+)-(?P<number>\d+)\.item")


class Upload:
    """One item on its way to disk. Its methods may block: call them off the loop, one at a time.

    number, path: of the file. crc: of what was written so far.
    """

    def __init__(self, files: "LargeFiles", path: Path, number: int) -> None:
        self.number = number
        self.crc = 0
        self._files = files
        self.path = path
        self._file: int | None = None

    def write(self, chunks: list[bytes]) -> None:
        try:
            if self._file is None:
                with self._files.still_there():
                    self._make_room()
                    self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            for chunk in chunks:
                self.crc = crc32(chunk, self.crc)
                view = memoryview(chunk)
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError as error:
            raise _failed("write", self.path, error) from error

    def link(self, path: Path, crc: int | None = None) -> None:
        """Be the same file as a whole one elsewhere; crc: its checksum, None if that is not known.

        Nothing was written before.
        """
        try:
            with self._files.still_there():
                self._make_room()
                os.link(path, self.path)
        except OSError:  # not every file system can
            self._copy(path)
            if crc is not None:
                self.crc = crc  # what is wrong in it stays wrong
            self.finish(True)
            return
        try:
            self.crc = _checksum(path) if crc is None else crc
        except OSError as error:
            raise _failed("link", self.path, error) from error
        self._files.finished(self)

    def _copy(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self.write([])
                while piece := file.read(_PIECE):
                    self.write([piece])
        except OSError as error:
            raise _failed("copy", path, error) from error

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
        self._files.finished(self)

    def discard(self) -> None:
        self._close()
        self._files.forget(self)
        with suppress(JournalError), self._files.still_there():
            self.path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """A process that was killed may have left one of the same number; and it may be a link."""
        self._files.make_directory()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class LargeFiles:
    """The large items of one queue.

    made: the queue's directory was there once, so that it is not made again if it has gone.
    """

    __slots__ = (
        "_abandoned",
        "_counting",
        "_crcs",
        "_directory",
        "_lock",
        "_named",
        "_names_synced",
        "_number",
        "_uploads",
        "_used",
        "made",
    )

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = 0
        self._used = directory.exists()
        self._abandoned = False
        self._named = self._names_synced = 0  # how often, and up to which time they are on disk
        self._lock = Lock()
        self._counting = Lock()  # never held for long: the loop waits for it
        self._uploads: WeakValueDictionary[int, Upload] | None = None
        self._crcs: dict[int, int] | None = None
        self.made = False

    @property
    def used(self) -> bool:
        """Whether there ever were any, as far as is known."""
        return self._used

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

    def make_directory(self) -> None:
        self._directory.mkdir(parents=not self.made, exist_ok=True)

    def finished(self, upload: Upload) -> None:
        """A file is whole."""
        if self._crcs is None:  # most queues have no large items
            self._crcs = {}
        self._crcs[upload.number] = upload.crc

    def forget(self, upload: Upload) -> None:
        """Its item will not be."""
        if self._crcs is not None:
            self._crcs.pop(upload.number, None)

    def upload(self) -> Upload:
        with self._counting:
            self._number = number = self._number + 1
        self._used = True
        upload = Upload(self, self._directory / f"{number}.part", number)
        if self._uploads is None:
            self._uploads = WeakValueDictionary()
        self._uploads[number] = upload
        return upload

    def publish(self, items: list[Item], sync: bool) -> None:
        """Give the files of items that are about to be recorded their final names, and the items the
        checksums of their files.
        """
        try:
            for item in items:
                if self._crcs is not None:
                    item.crc = self._crcs.pop(item.large, item.crc)
                os.rename(self._part(item), self._item(item))
        except OSError as error:
            raise _failed("publish an item in", self._directory, error) from error
        self._named += 1
        if sync:
            self.sync_names()

    def sync_names(self) -> None:
        """The final names are on disk when this returns; before the records that refer to them are."""
        named = self._named
        if self._names_synced != named:
            try:
                sync_directory(self._directory)
                sync_directory(self._directory.parent)
            except OSError as error:
                raise _failed("sync", self._directory, error) from error
            self._names_synced = named  # more may have been given meanwhile

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

    def fault(self, item: Item) -> str:
        """What is wrong with the file of an item that is recorded, "" if it is whole."""
        path = self._item(item)
        try:
            size = path.stat().st_size
            if size != item.size:
                return f"file {path.name} has {size} bytes, not {item.size}"
            if _checksum(path) != item.crc:
                return f"file {path.name} has a wrong checksum"
        except FileNotFoundError:
            return f"file {path.name} is missing"
        except OSError as error:
            raise _failed("read", path, error) from error
        return ""

    def path_of(self, item: Item) -> Path:
        """Where an item is, whose record is written or about to be."""
        return part if (part := self._part(item)).exists() else self._item(item)

    def trim(self, gone: Positions) -> None:
        """Remove the files of items that nobody needs; who reads one has it open."""
        if not self._used:
            return
        for match in self._names():
            if match["item"] and gone.is_confirmed(int(match["item"])):
                self._remove(match)

    def clean(self, trimmed: int, next_id: int, kept: list[Span]) -> None:
        """After recovery: remove half uploads and files that no record refers to.

        Spares the uploads that somebody still has in hand; what was put and not recorded is not.
        """
        if not self._used:
            return
        wanted = [*kept, Span(trimmed, next_id, 0, 0)]
        for match in self._names():
            if match["upload"]:
                number = int(match["upload"])
                if self._uploads is None or number not in self._uploads:
                    self._remove(match)
                    if self._crcs is not None:
                        self._crcs.pop(number, None)
            elif any(span.first <= int(match["item"]) < span.stop for span in wanted):
                with self._counting:  # others are handed out meanwhile
                    self._number = max(self._number, int(match["number"]))
            else:
                self._remove(match)

    def size(self) -> int:
        total = 0
        if not self._used:
            return total
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # removed meanwhile
                        total += entry.stat().st_size
        except FileNotFoundError:
            pass
        return total

    def _names(self) -> list[re.Match[str]]:
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _failed("list", self._directory, error) from error
        return [match for name in names if (match := _NAME.fullmatch(name))]

    def _remove(self, match: re.Match[str]) -> None:
        path = self._directory / match.string
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("remove", path, error) from error

    def _part(self, item: Item) -> Path:
        return self._directory / f"{item.large}.part"

    def _item(self, item: Item) -> Path:
        return self._directory / f"{item.id}-{item.large}.item"


def _checksum(path: Path) -> int:
    crc = 0
    piece = memoryview(bytearray(_AT_ONCE))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(piece):
            crc = crc32(piece[:size], crc)
    return crc


def _failed(what: str, path: Path, error: OSError) -> JournalError:
    return JournalError(f"cannot {what} {path.name}: {error.strerror}")
