"""The files of one arena: all that the engine asks of the system, and nothing else does.

Owns the folder `arena/` of a queue. Names are those of segments, `<number>.segment`, of what is not
finished, `<name>.part`, and `lost`; whatever else lies there is left alone. A simulation puts a disk of
its own in the place of `Folder`. Errors are `OSError`, as the system has them.
"""

import os
from errno import EINVAL, ENOENT, ENXIO, EOPNOTSUPP
from mmap import ACCESS_READ, ACCESS_WRITE, mmap
from pathlib import Path
from typing import Any, Protocol

from ..durable import make_directory_unsynced, sync_directory

__all__ = ["File", "Files", "Folder"]


class File(Protocol):
    """One open file. size: bytes."""

    @property
    def size(self) -> int: ...

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from a place on; fewer only at the end."""
        ...

    def written(self, at: int) -> list[tuple[int, int]]:
        """The parts from a place on where there may be anything but zeros: of each its first place and the
        one behind it, in order.
        """
        ...

    def map(self, writable: bool) -> Any:
        """A map of all of it, as `mmap` makes them; it outlives the file's being closed."""
        ...

    def write(self, at: int, data: bytes) -> None: ...

    def sync(self) -> None:
        """All that was written to it, mapped or not, is on disk when this returns."""
        ...

    def close(self) -> None: ...


class Files(Protocol):
    """The folder, there or not."""

    def names(self) -> list[str]:
        """Of the files in it; none if it is not there."""
        ...

    def make(self, name: str, size: int) -> File:
        """A new file of zeros for which there is room on the disk, in the place of one that has the name."""
        ...

    def open(self, name: str, writable: bool = False) -> File: ...

    def check(self, name: str, file: File) -> None:
        """Raises `OSError` if that is no longer the file of this name: nobody would find it again."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put a whole file in the place of what has the name; it is on disk then, and at any time there is
        one or the other.
        """
        ...

    def rename(self, name: str, new: str) -> None:
        """In the place of what has the new name."""
        ...

    def remove(self, name: str) -> None:
        """Unless it has gone."""
        ...

    def sync_names(self) -> None:
        """What was made, renamed and removed is so on disk when this returns."""
        ...


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._prefix = f"{path}{os.sep}"  # joining paths takes as long as opening a file
        # Whoever made them, maybe a process that was killed: that they are there may not be on disk.
        self._unsynced = [path.parent.parent, path.parent]

    def names(self) -> list[str]:
        try:
            return os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def make(self, name: str, size: int) -> File:
        flags = os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC
        try:
            handle = os.open(self.path / name, flags, 0o644)
        except FileNotFoundError:
            self._unsynced = [*make_directory_unsynced(self.path), self.path.parent]
            handle = os.open(self.path / name, flags, 0o644)
        try:
            os.posix_fallocate(handle, 0, size)
        except BaseException:
            os.close(handle)
            self.remove(name)
            raise
        return _Open(handle, size)

    def open(self, name: str, writable: bool = False) -> File:
        flags = os.O_RDWR if writable else os.O_RDONLY
        handle = os.open(self._prefix + name, flags | os.O_CLOEXEC)
        try:
            # Where it ends is all that is asked: `fstat` takes longer to tell everything.
            return _Open(handle, os.lseek(handle, 0, os.SEEK_END))
        except BaseException:
            os.close(handle)
            raise

    def check(self, name: str, file: File) -> None:
        assert isinstance(file, _Open)
        if not file.is_at(self._prefix + name):
            raise FileNotFoundError(ENOENT, f"{self.path.parent.name} was taken away")

    def write(self, name: str, data: bytes) -> None:
        part = f"{name}.part"
        file = self.make(part, max(1, len(data)))
        try:
            file.write(0, data)
            file.sync()
        finally:
            file.close()
        self.rename(part, name)
        self.sync_names()

    def rename(self, name: str, new: str) -> None:
        os.rename(self.path / name, self.path / new)

    def remove(self, name: str) -> None:
        try:
            os.unlink(self.path / name)
        except FileNotFoundError:
            pass

    def sync_names(self) -> None:
        for path in self._unsynced:
            sync_directory(path)
        self._unsynced = []
        sync_directory(self.path)


class _Open:
    def __init__(self, handle: int, size: int) -> None:
        self.size = size
        self._handle = handle
        self._number = 0

    def read(self, at: int, size: int) -> bytes:
        data = os.pread(self._handle, size, at)
        while len(data) < size:  # a large read may be cut into several
            more = os.pread(self._handle, size - len(data), at + len(data))
            if not more:
                break
            data += more
        return data

    def written(self, at: int) -> list[tuple[int, int]]:
        # Before anything is read: what is read, and what is read ahead with it, is no hole any more.
        parts: list[tuple[int, int]] = []
        try:
            while at < self.size:
                first = os.lseek(self._handle, at, os.SEEK_DATA)
                at = os.lseek(self._handle, first, os.SEEK_HOLE)
                parts.append((first, min(at, self.size)))
        except OSError as error:
            if error.errno in (EINVAL, EOPNOTSUPP):  # the file system cannot tell
                return [(at, self.size)]
            if error.errno != ENXIO:
                raise
        return parts

    def map(self, writable: bool) -> mmap:
        return mmap(self._handle, self.size, access=ACCESS_WRITE if writable else ACCESS_READ)

    def sync(self) -> None:
        os.fdatasync(self._handle)

    def is_at(self, path: str) -> bool:
        if self._number == 0:
            self._number = os.fstat(self._handle).st_ino
        try:
            return os.stat(path).st_ino == self._number
        except FileNotFoundError:
            return False

    def write(self, at: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.pwrite(self._handle, view, at)
            view = view[done:]
            at += done

    def close(self) -> None:
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)
