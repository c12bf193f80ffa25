"""Kestrel's journal: what its records mean, and which items are left when all were replayed.

A journal is a series of files that were written one after another; everything that happened to the
queue is in them. Items are known by when they were added, the first being 0. Removing takes the first
that waits, so that of a whole journal only few numbers are kept in mind: everything from `next` on
waits, before it only what is returned or open.
"""

from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple

from ..errors import DamageError
from .source import PIECE

__all__ = ["Op", "Record", "Replay", "read_pieces", "read_records"]

_INT = Struct("<i")
_SECONDS = Struct("<i")
_TIMES = Struct("<qq")


class Op(IntEnum):
    ADD = 0
    REMOVE = 1
    ADDX = 2
    REMOVE_TENTATIVE = 3
    SAVE_XID = 4
    UNREMOVE = 5
    CONFIRM_REMOVE = 6
    ADD_XID = 7
    CONTINUE = 8
    REMOVE_TENTATIVE_XID = 9


_ADDS = (Op.ADD, Op.ADDX, Op.ADD_XID, Op.CONTINUE)
_HAVE_XID = (
    Op.SAVE_XID,
    Op.UNREMOVE,
    Op.CONFIRM_REMOVE,
    Op.ADD_XID,
    Op.CONTINUE,
    Op.REMOVE_TENTATIVE_XID,
)


class Record(NamedTuple):
    """One thing that happened. at, size: where its data is in the file, if it adds an item.

    xid: of the transaction it is about, 0 if none is named. created, expiry: milliseconds, 0: not
    known, never.
    """

    op: Op
    xid: int = 0
    at: int = 0
    size: int = -1
    created: int = 0
    expiry: int = 0

    @property
    def adds(self) -> bool:
        return self.op in _ADDS


def read_records(file: BinaryIO, size: int) -> Iterator[Record]:
    """The records of a file of so many bytes; the file may be read and moved in between.

    Raises `DamageError` at the first that cannot be read; it says at which byte.
    """
    reader = _Reader(file, size)
    while reader.at < size:
        start = reader.at
        try:
            record = _read_record(reader)
        except DamageError as error:
            raise DamageError(
                f"byte {start}: {error}; the {size - start} bytes from there on are not taken"
            ) from None
        yield record


def _read_record(reader: "_Reader") -> Record:
    code = reader.take(1)[0]
    try:
        op = Op(code)
    except ValueError:
        raise DamageError(f"{code} is no kind of record") from None
    xid = _INT.unpack(reader.take(4))[0] if op in _HAVE_XID else 0
    if op not in _ADDS:
        return Record(op, xid)
    times = _SECONDS if op is Op.ADD else _TIMES
    size = _INT.unpack(reader.take(4))[0] - times.size
    if size < 0:
        raise DamageError(f"an item of {size + times.size} bytes, at least {times.size} are needed")
    fields = times.unpack(reader.take(times.size))
    created, expiry = (0, fields[0] * 1000) if op is Op.ADD else fields
    at = reader.at
    reader.skip(size)
    # What expired before 1970 has expired: 0 would be never.
    return Record(op, xid, at, size, max(0, created), max(1, expiry) if expiry else 0)


class _Reader:
    """at: the next byte to read; whoever else moves the file does not matter."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.at = 0

    def take(self, count: int) -> bytes:
        self._check(count)
        if self._file.tell() != self.at:
            self._file.seek(self.at)
        data = self._file.read(count)
        self.at += count
        if len(data) < count:
            raise DamageError("the file became shorter while it was read")
        return data

    def skip(self, count: int) -> None:
        self._check(count)
        self.at += count

    def _check(self, count: int) -> None:
        if self._size - self.at < count:
            raise DamageError(f"{count} bytes should follow, {self._size - self.at} do")


class Replay:
    """Which items wait after all that was replayed.

    broken: something of the journal is missing. Then nobody can tell any more which item a removal
    was about, so that none is removed: items may come again, but none is lost.
    """

    def __init__(self) -> None:
        self.broken = False
        self._added = 0
        self._next = 0
        self._returned: deque[int] = deque()
        self._open: dict[int, int] = {}
        self._given_xids: dict[int, int] = {}
        self._last_xid = 0

    def apply(self, record: Record) -> None:
        op, xid = record.op, record.xid
        if op is Op.CONTINUE:
            self._confirm(xid)
        if record.adds:
            if op is Op.ADD_XID and xid:
                self._given_xids[self._added] = xid
            self._added += 1
        elif self.broken:
            pass
        elif op is Op.REMOVE:
            self._take()
        elif op is Op.SAVE_XID:
            self._last_xid = xid
        elif op is Op.UNREMOVE:
            if xid in self._open:
                self._returned.appendleft(self._open.pop(xid))
        elif op is Op.CONFIRM_REMOVE:
            self._confirm(xid)
        else:
            self._begin(xid)

    def waiting(self) -> tuple[frozenset[int], int]:
        """The numbers of items that wait: some by number, and all from a number on.

        An item that is still open was never confirmed: it is back in its place.
        """
        return frozenset((*self._returned, *self._open.values())), self._next

    def _take(self) -> int | None:
        if self._returned:
            number = self._returned.popleft()
        elif self._next < self._added:
            number = self._next
            self._next += 1
        else:
            return None
        return number

    def _begin(self, xid: int) -> None:
        number = self._take()
        if number is None:
            return
        xid = xid or self._given_xids.pop(number, 0) or self._new_xid()
        if xid in self._open:
            self._returned.appendleft(self._open[xid])  # never confirmed
        self._open[xid] = number
        self._last_xid = xid

    def _new_xid(self) -> int:
        xid = self._last_xid + 1
        while xid in self._open or not xid:
            xid += 1
        return xid

    def _confirm(self, xid: int) -> None:
        if not self.broken:
            self._open.pop(xid, None)


def read_pieces(path: Path, at: int, size: int) -> Iterator[bytes]:
    """Part of a file, in pieces. Raises `DamageError` if it is not there any more."""
    with path.open("rb") as file:
        file.seek(at)
        while size:
            piece = file.read(min(size, PIECE))
            if not piece:
                raise DamageError("the file became shorter while it was read")
            size -= len(piece)
            yield piece
