"""Files in memory that forget what was not synced, page by page and in any order: a disk for arenas.

Holds the folders of arenas, behind the calls that the engine makes of the system. After a kill all that
was written is there. After a power cut each page is as it was when it was last synced, or when the kernel
happened to write it back, or as it is now; of what was made, renamed and removed some beginning has
happened.
"""

import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["ENDLESS", "PAGE", "Fuse", "PageDisk", "PageFiles"]

PAGE = 4096
_NOTHING = bytes(PAGE)
ENDLESS = 1 << 40


class Fuse(BaseException):
    """The process is gone, in the middle of what it did."""


class _Map(bytearray):
    """What a file holds, written to as a map is. written: called before each write."""

    written: Callable[[], None]

    def __setitem__(self, at: Any, value: Any) -> None:
        self.written()
        super().__setitem__(at, value)

    def close(self) -> None:
        pass


class _Inode:
    """data: as processes see it. disk: what a power cut leaves of it at least."""

    def __init__(self, size: int, written: Callable[[], None]) -> None:
        self.data = _Map(size)
        self.data.written = written
        self.disk = bytearray(size)

    def pages(self) -> list[slice]:
        """Those that are not as they are on disk."""
        spans = (slice(at, at + PAGE) for at in range(0, len(self.data), PAGE))
        return [span for span in spans if self.data[span] != self.disk[span]]

    def write_back(self, span: slice) -> None:
        self.disk[span] = self.data[span]


class PageDisk:
    """fail: called before each call of the system with what it is; it may raise `OSError`. fuse: after so
    many more writes to maps, or pages synced, `Fuse` is raised; 0 is never. room: bytes that files may have
    together.
    """

    def __init__(self, chance: random.Random, room: int = ENDLESS) -> None:
        self.fail: Callable[[str], None] = lambda what: None
        self.fuse = 0
        self.room = room
        self.folders: dict[Path, PageFiles] = {}
        self._chance = chance

    def folder(self, path: Path) -> "PageFiles":
        return self.folders.setdefault(path, PageFiles(self))

    def written(self) -> None:
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise Fuse

    @property
    def used(self) -> int:
        inodes = {id(i): i for folder in self.folders.values() for i in folder.files.values()}
        return sum(len(inode.data) for inode in inodes.values())

    def write_back(self) -> None:
        """What a kernel may do at any time: put some pages on the disk and not others."""
        for folder in self.folders.values():
            for inode in folder.files.values():
                for span in inode.pages():
                    if self._chance.random() < 0.3:
                        inode.write_back(span)

    def cut_power(self) -> None:
        """Some of what was not synced is gone."""
        for folder in self.folders.values():
            folder.cut_power(self._chance)


class PageFiles:
    """One folder of them. files: by name."""

    def __init__(self, disk: PageDisk) -> None:
        self.files: dict[str, _Inode] = {}
        self._disk = disk
        self._synced: dict[str, _Inode] = {}
        self._changes: list[dict[str, _Inode]] = []

    def cut_power(self, chance: random.Random) -> None:
        self.files = chance.choice([self._synced, *self._changes])
        self._synced, self._changes = dict(self.files), []
        share = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for inode in self.files.values():
            for span in inode.pages():
                if chance.random() < share:
                    inode.write_back(span)
            written = inode.data.written
            inode.data = _Map(inode.disk)
            inode.data.written = written

    def _changed(self) -> None:
        self._changes.append(dict(self.files))

    # -- what the engine calls ---------------------------------------------------------------------

    def names(self) -> list[str]:
        return list(self.files)

    def make(self, name: str, size: int) -> "_PageFile":
        self._disk.fail("make")
        if self._disk.room < ENDLESS and self._disk.used + size > self._disk.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        inode = self.files[name] = _Inode(size, self._disk.written)
        self._changed()
        return _PageFile(inode, self._disk)

    def open(self, name: str, writable: bool = False) -> "_PageFile":
        self._disk.fail("open")
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, "No such file")
        return _PageFile(self.files[name], self._disk)

    def check(self, name: str, file: Any) -> None:
        if self.files.get(name) is not file.inode:
            raise FileNotFoundError(errno.ENOENT, "was taken away")

    def write(self, name: str, data: bytes) -> None:
        self._disk.fail("write")
        inode = _Inode(len(data), self._disk.written)
        inode.data[:] = data
        inode.disk[:] = data
        self.files[name] = inode
        self._changed()
        self.sync_names()

    def rename(self, name: str, new: str) -> None:
        self._disk.fail("rename")
        self.files[new] = self.files.pop(name)
        self._changed()

    def remove(self, name: str) -> None:
        self._disk.fail("remove")
        self.files.pop(name, None)
        self._changed()

    def sync_names(self) -> None:
        self._disk.fail("sync")
        self._synced, self._changes = dict(self.files), []


class _PageFile:
    def __init__(self, inode: _Inode, disk: PageDisk) -> None:
        self.inode = inode
        self._disk = disk

    @property
    def size(self) -> int:
        return len(self.inode.data)

    def read(self, at: int, size: int) -> bytes:
        self._disk.fail("read")
        return bytes(self.inode.data[at : at + size])

    def written(self, at: int) -> list[tuple[int, int]]:
        data = self.inode.data
        pages = range(at // PAGE * PAGE, self.size, PAGE)
        full = [page for page in pages if data[page : page + PAGE] != _NOTHING[: self.size - page]]
        return [(max(at, page), min(page + PAGE, self.size)) for page in full]

    def write(self, at: int, data: bytes) -> None:
        self._disk.fail("write")
        self.inode.data[at : at + len(data)] = data

    def map(self, writable: bool) -> Any:
        self._disk.fail("map")
        return self.inode.data

    def sync(self) -> None:
        self._disk.fail("sync")
        for span in self.inode.pages():
            self._disk.written()
            self.inode.write_back(span)

    def close(self) -> None:
        pass
