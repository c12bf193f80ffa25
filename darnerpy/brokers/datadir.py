"""The data directory: who may use it, and which queues it holds.

<data>/LOCK            held for as long as a server has the directory
<data>/FORMAT          the version of this layout
<data>/queues/<name>/  a queue: its journal and its large items
<data>/.trash/         deleted queues on their way out, emptied at start
<data>/.scratch/       what queues without a journal put aside, emptied at start
"""

import fcntl
import os
import shutil
from pathlib import Path

from ..errors import DataDirError, JournalError
from ..journals.durable import make_directory, sync_directory
from ..names import file_name, from_file_name

__all__ = ["DataDir"]

_FORMAT = "1"


class DataDir:
    """Take a data directory for this process, making it if need be.

    Raises `DataDirError` naming the path: used by another server, not writable, or of a later format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.queues = path / "queues"
        self._trash = path / ".trash"
        self._scratch = path / ".scratch"
        try:
            make_directory(path)
            self._lock = os.open(path / "LOCK", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DataDirError(f"data directory {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(self._lock)
            raise DataDirError(
                f"data directory {path} is in use by another darnerpy (process {owner})"
            ) from None
        try:
            self._prepare()
        except OSError as error:
            self.close()
            raise DataDirError(f"data directory {path}: {error.strerror}") from error
        except DataDirError:
            self.close()
            raise

    def _prepare(self) -> None:
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        self._check_format()
        make_directory(self.queues)
        for leftover in (self._trash, self._scratch):
            shutil.rmtree(leftover, ignore_errors=True)
            leftover.mkdir(exist_ok=True)

    def _check_format(self) -> None:
        note = self.path / "FORMAT"
        if not note.exists():
            draft = self.path / "FORMAT.new"
            with draft.open("w") as file:
                file.write(_FORMAT + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.rename(note)
            sync_directory(self.path)
        found = note.read_text().strip()
        if found != _FORMAT:
            raise DataDirError(f"{note}: format {found!r} is not known, {_FORMAT!r} is")

    def close(self) -> None:
        """Let others have it."""
        os.close(self._lock)

    def directory(self, queue: bytes) -> Path:
        return self.queues / file_name(queue)

    def scratch(self, queue: bytes) -> Path:
        return self._scratch / file_name(queue)

    def found(self) -> dict[str, bytes | None]:
        """The directories of queues, each with its queue's name (None: only the journal knows)."""
        names: dict[str, bytes | None] = {}
        for entry in sorted(os.scandir(self.queues), key=lambda entry: entry.name):
            try:
                if entry.is_dir():
                    names[entry.name] = from_file_name(entry.name)
            except ValueError:
                continue  # not ours: left alone
        return names

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
