"""Which file is a ring, and who may write it.

A ring has one writer: whoever has the lock of its file. Promises that a file that is no ring is refused and
left as it is, and that there is room for all of one that is: a full disk is an error here, no SIGBUS later.
"""

import errno
import os
import secrets
import stat
import time

from ..errors import NoRingError, RingError, RingInUseError
from .layout import DATA, FORMAT, WRITER, Seeds, pack_beginning, unpack_title
from .lock import take
from .mapped import PATIENCE_S, Mapped

__all__ = ["create_file", "open_file"]

_BLOCK = 1 << 20


def open_file(path: str) -> Mapped:
    """For readers. Raises `NoRingError` if there is none, and `RingError` if it is something else."""
    descriptor = _open(path, os.O_RDONLY, 0)
    try:
        title = os.pread(descriptor, DATA, 0)
        if unpack_title(title) is None:  # perhaps it is just being written
            time.sleep(PATIENCE_S)
            title = os.pread(descriptor, DATA, 0)
        if _is_zero(title):
            raise NoRingError(f"{path} is no ring yet: nothing is in it")
        size, seeds = _known(path, title, os.fstat(descriptor).st_size)
        return Mapped(path, descriptor, size, seeds, writable=False)
    except BaseException:
        os.close(descriptor)
        raise


def create_file(path: str, size: int, mode: int) -> Mapped:
    """For the one writer: a new ring, or one whose writer is gone."""
    while True:
        descriptor = _open(path, os.O_RDWR | os.O_CREAT, mode)
        try:
            if not take(descriptor):
                raise RingInUseError(f"{path} has a writer already{_whose(descriptor)}")
            if _is_at(path, descriptor):
                seeds = _prepared(path, descriptor, size)
                return Mapped(path, descriptor, size, seeds, writable=True)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was removed meanwhile


def _open(path: str, flags: int, mode: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK, mode)  # a pipe would block
    except FileNotFoundError as error:
        if flags & os.O_CREAT:
            raise RingError(f"cannot make {path}: there is no such directory") from error
        raise NoRingError(f"there is no ring {path}: {error.strerror}") from error
    except OSError as error:
        raise RingError(f"cannot open {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RingError(f"{path} is no file")
    return descriptor


def _is_at(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _prepared(path: str, descriptor: int, size: int) -> Seeds:
    """Make a ring of a file that we have the lock of, if it is none yet; its seeds."""
    title = os.pread(descriptor, DATA, 0)
    length = os.fstat(descriptor).st_size
    fresh = _is_zero(title)
    if fresh:
        _refuse_contents(path, descriptor)
        seeds = (secrets.randbits(32), secrets.randbits(32) & 0x7FFF7FFF)  # a sum has two halves
    else:
        found, seeds = _known(path, title, length)
        if found != size:
            raise RingError(
                f"{path} is a ring of {found} bytes, not of {size}: remove it to have another size"
            )
    try:
        if fresh:
            os.ftruncate(descriptor, DATA + size)
        os.posix_fallocate(descriptor, 0, DATA + size)
    except OSError as error:
        os.ftruncate(descriptor, length)
        raise RingError(f"{path}: no room for a ring of {size} bytes: {error.strerror}") from error
    if fresh:
        # At once, so that nothing between no ring and a ring is ever there.
        os.pwrite(descriptor, pack_beginning(size, seeds), 0)
    return seeds


def _known(path: str, title: bytes, length: int) -> tuple[int, Seeds]:
    """Size and seeds of a ring of ours; raises `RingError` for anything else."""
    known = unpack_title(title)
    if known is None:
        raise RingError(f"{path} is no ring: it begins with {title[:8]!r}")
    number, size, seeds = known
    if number != FORMAT:
        raise RingError(f"{path} is a ring of format {number}; this darnerpy knows {FORMAT}")
    if length != DATA + size:
        raise RingError(f"{path} has {length} bytes, where a ring of {size} has {DATA + size}")
    return size, seeds


def _refuse_contents(path: str, descriptor: int) -> None:
    """Raise `RingError` if there is anything but zeros in the file."""
    at = 0
    while True:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        block = os.pread(descriptor, _BLOCK, at)
        if not _is_zero(block):
            raise RingError(f"{path} is no ring, and not empty: there is something from {at} on")
        at += len(block)


def _is_zero(data: bytes) -> bool:
    return data.count(0) == len(data)


def _whose(descriptor: int) -> str:
    """Which process wrote last, for people."""
    pid = int.from_bytes(os.pread(descriptor, DATA, 0)[WRITER], "big")
    return f": process {pid}" if pid else ""
