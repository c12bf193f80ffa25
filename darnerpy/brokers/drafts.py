"""A queue that is written while no server has its data directory: whole beside the others, then in its place.

Owns the directory it is written in, until that is given its place: before, there is no trace of the
queue, and what is there under its name stays as it is. What is in it is said by whoever writes it.
"""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from ..config import QueueSettings
from ..journals.contract import DiskEngine
from ..journals.durable import make_directory, sync_directory
from ..journals.large import LargeFiles
from .datadir import DataDir

__all__ = ["Draft"]

_MEMORY = 1024 * 1024


class Draft:
    """A context; closed without `place`, nothing has happened.

    name: of the queue. journal, large: to be written to; directory: where they are.
    """

    def __init__(self, data: DataDir, name: bytes, engine: DiskEngine) -> None:
        self._data = data
        self._name = name
        self.directory = data.scratch(name)
        make_directory(self.directory)
        self.large = LargeFiles(self.directory / "large")
        try:
            self.journal = engine.open(self.directory, name, self.large, _MEMORY, QueueSettings())
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.journal.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def place(self) -> None:
        """All is written: make it a queue of the data directory, durably, instead of what has its name."""
        self.journal.sync()
        self.journal.close()
        for directory, _, _ in os.walk(self.directory):
            sync_directory(Path(directory))
        self._data.place(self.directory, self._name)
