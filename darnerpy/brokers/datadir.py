"""The data directory: who may use it, and which queues it holds.

<data>/LOCK            held for as long as a server has the directory
<data>/FORMAT          the version of this layout
<data>/queues/<name>/  a queue: its journal and its large items
<data>/.trash/         deleted queues on their way out, emptied at start
<data>/.ready/         rewritten queues on their way in, given their places at start
<data>/.scratch/       what is not finished, or not to be kept, emptied at start
<data>/LEASE_KEY       what ids of leases are signed with, once there was one
<data>/tap             what happens, told by a server for those who follow it
<data>/backups/<name>/ copies of it all, each a data directory
"""

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from ..errors import DarnerError, DataDirError, JournalError
from ..journals.durable import make_directory, sync_directory
from ..names import file_name, from_file_name
from .formats import check_format, check_place, upgrade

__all__ = ["LEASE_KEY", "DataDir"]

LEASE_KEY = "LEASE_KEY"
"""The name of a file: see above."""


class DataDir:
    """Take a data directory for this process, making it if need be.

    as_it_is: to look at; it must be there, of a version that can be read so, and nothing in it is changed.

    Raises `DataDirError` naming the file: used by another server, or not writable;
    `DataFormatError` if the directory is of another format, or holds other things.
    """

    def __init__(self, path: Path, as_it_is: bool = False) -> None:
        self.path = path
        self.queues = path / "queues"
        self.backups = path / "backups"
        self._trash = path / ".trash"
        self._ready = path / ".ready"
        self._scratch = path / ".scratch"
        self._as_it_is = as_it_is
        try:
            if as_it_is:
                check_format(path)
            else:
                make_directory(path)
                check_place(path)
            self._lock = os.open(path / "LOCK", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(self._lock)
            raise DataDirError(
                f"data directory {path} is in use by another darnerpy (process {owner})"
            ) from None
        try:
            self._sign()
            if not as_it_is:
                self._prepare()
        except OSError as error:
            self.close()
            raise _unusable(path, error) from error
        except DarnerError:
            self.close()
            raise

    def _sign(self) -> None:
        """Whoever finds the directory in use is told by whom."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _prepare(self) -> None:
        upgrade(self.path)
        make_directory(self.queues)
        self._trash.mkdir(exist_ok=True)
        for fresh in list(self._ready.glob("*")):
            self._exchange(fresh)
        for leftover in (self._trash, self._scratch):
            shutil.rmtree(leftover, ignore_errors=True)
            leftover.mkdir(exist_ok=True)
        for half in self.backups.glob(".*"):
            shutil.rmtree(half, ignore_errors=True)

    def close(self) -> None:
        """Let others have it."""
        os.close(self._lock)

    def remove_unused(self) -> None:
        """Remove the directory, unless there is a queue or something that is not ours."""
        with suppress(OSError):
            self.queues.rmdir()
            for name in (self._trash, self._ready, self._scratch):
                shutil.rmtree(name, ignore_errors=True)
            (self.path / "FORMAT").unlink()
            (self.path / "LOCK").unlink()
            self.path.rmdir()

    def directory(self, queue: bytes) -> Path:
        return self._at(file_name(queue))

    def _at(self, name: str) -> Path:
        """Where a queue's directory is: to look at it, it is where its place is not given to it yet."""
        ready = self._ready / name
        return ready if self._as_it_is and ready.exists() else self.queues / name

    def scratch(self, queue: bytes) -> Path:
        return self._scratch / file_name(queue)

    def found(self) -> dict[Path, bytes | None]:
        """The directories of queues, each with its queue's name (None: only the journal knows)."""
        found: dict[Path, bytes | None] = {}
        names = {entry.name for entry in os.scandir(self.queues) if entry.is_dir()}
        if self._as_it_is:
            names |= {path.name for path in self._ready.glob("*")}
        for name in sorted(names):
            try:
                found[self._at(name)] = from_file_name(name)
            except ValueError:
                continue  # not ours: left alone
        return found

    def place(self, fresh: Path, queue: bytes) -> None:
        """Make a directory, of this file system and synced, a queue's, instead of what it has.

        After a crash the queue is as before or as it should be, at the latest when a server starts.
        """
        make_directory(self._ready)
        ready = self._ready / file_name(queue)
        os.rename(fresh, ready)
        sync_directory(self._ready)
        self._exchange(ready)

    def _exchange(self, ready: Path) -> None:
        """What the queue had goes only when it has what is ready, durably."""
        grave = self.discard(self.queues / ready.name)
        os.rename(ready, self.queues / ready.name)
        sync_directory(self.queues)
        sync_directory(self._ready)
        if grave is not None:
            shutil.rmtree(grave, ignore_errors=True)

    def discard(self, directory: Path) -> Path | None:
        """Make a queue's directory disappear, durably; returns what is left to be removed."""
        if not directory.exists():
            return None
        try:
            for number in range(1_000_000):
                grave = self._trash / f"{directory.name[:200]}.{number}"
                if not grave.exists():
                    break
            os.rename(directory, grave)
            sync_directory(self.queues)
        except OSError as error:
            raise JournalError(f"cannot delete {directory.name}: {error.strerror}") from error
        return grave


def _unusable(path: Path, error: OSError) -> DataDirError:
    """What keeps a data directory from being used, by the file that does."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return DataDirError(f"data directory {path}: {error.filename or path} is no directory")
    file = f"{error.filename}: " if error.filename and error.filename != str(path) else ""
    return DataDirError(f"data directory {path}: {file}{error.strerror}")
