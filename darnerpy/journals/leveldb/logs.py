"""The logs of a LevelDB, read past whatever is broken in them. Pure; nothing is written.

LevelDB gives up the rest of a 32 KiB block with one bad record, and takes a wrong length near the end
for a cut. Here a log is a series of stretches: sound records, and between them the bytes of what is
not, without the heads of fragments as far as these can be told. What is in those bytes is not known
here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from .format import is_right

__all__ = ["Stretch", "is_in_order", "stretches"]

_BLOCK = 32 * 1024
_HEAD = Struct("<IHB")
_LENGTH = Struct("<HB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_SECTOR = 512
_FEWEST = 16
_NULS = re.compile(rb"\x00{4,}")
_KINDS = re.compile(rb"[\x01-\x04]")


class Stretch(NamedTuple):
    """record: one that is sound, or None; broken: then, what there is of one or more that are not.

    never_written: some of it is as a power cut leaves what had not reached the disk: NULs up to the
    end of a sector. cut: the log ends in the middle of it, or in NULs, and all before that is sound.
    """

    record: bytes | None
    broken: bytes = b""
    never_written: bool = False
    cut: bool = False


def is_in_order(log: bytes) -> bool:
    """Whether the heads of fragments lead from one to the next, in an order that a writer makes, and
    to the very end. Cheap: nothing else is looked at.
    """
    head = _LENGTH.unpack_from
    at, stop, size, inside = 0, _BLOCK, len(log), False
    while at < size:
        if at > stop - _HEAD.size:
            at, stop = min(stop, size), stop + _BLOCK
            continue
        if at > size - _HEAD.size:
            return False
        length, kind = head(log, at + 4)
        at += _HEAD.size + length
        if at > stop:
            return False
        if kind == _FULL and not inside:
            continue
        if kind not in ((_MIDDLE, _LAST) if inside else (_FIRST,)):
            return False
        inside = kind != _LAST
    return at == size and not inside


def stretches(log: bytes) -> Iterator[Stretch]:
    """All of a log, in order."""
    broken = _Broken()
    held: list[_Fragment] = []  # of a record that has begun
    for fragment in _fragments(log):
        if fragment.kind in (_FULL, _FIRST):
            broken.take(held)
            held = []
        held.append(fragment)
        if fragment.kind not in (_FULL, _LAST):
            continue
        if held[0].kind in (_FULL, _FIRST) and all(each.sound for each in held):
            if broken.parts:
                yield broken.end()
                broken = _Broken()
            yield Stretch(b"".join(each.data for each in held))
        else:
            broken.take(held)
        held = []
    broken.take(held)
    if broken.parts:
        yield broken.end()


class _Fragment(NamedTuple):
    """kind: 0 if it has no head that can be believed. cut: nothing was written behind it."""

    kind: int
    data: bytes
    sound: bool
    never_written: bool = False
    cut: bool = False


@dataclass(slots=True)
class _Broken:
    parts: list[bytes] = field(default_factory=list)
    never_written: bool = False
    cut: bool = False

    def take(self, fragments: list[_Fragment]) -> None:
        cut = all(each.sound or each.cut for each in fragments)
        self.cut = cut and (self.cut or not self.parts)
        for each in fragments:
            self.parts.append(each.data)
            self.never_written = self.never_written or each.never_written

    def end(self) -> Stretch:
        return Stretch(None, b"".join(self.parts), self.never_written, self.cut)


def _fragments(log: bytes) -> Iterator[_Fragment]:
    at, size = 0, len(log)
    written = len(log.rstrip(b"\0"))
    while at < size:
        left = _BLOCK - at % _BLOCK
        if left < _HEAD.size:
            at += left
            continue
        stop = min(at + left, size)  # of the block
        begin = at + _HEAD.size
        if begin > size:
            yield _Fragment(0, log[at:], False, cut=True)
            return
        checksum, length, kind = _HEAD.unpack_from(log, at)
        end = begin + length
        known = _FULL <= kind <= _LAST
        if known and end <= stop:
            sound = is_right(checksum, log[begin - 1 : end])
            if sound or _leads_on(log, end, stop):
                yield _Fragment(kind, log[begin:end], sound, *_nuls(log, at, end, written))
                at = end
                continue
        elif known and stop == size and is_right(checksum, log[begin - 1 :]):
            # The last one is whole, and only its length is wrong.
            yield _Fragment(kind, log[begin:], True)
            return
        following = _next_sound(log, begin, stop)
        nuls, cut = _nuls(log, at, following, written)
        cut = cut or (known and end > stop == size == following and length <= left - _HEAD.size)
        yield _Fragment(0, log[begin:following], False, nuls, cut)
        at = following


def _leads_on(log: bytes, end: int, stop: int) -> bool:
    """Whether a fragment, though wrong, ends where another begins, or its block does."""
    return stop - end < _HEAD.size or _sound_at(log, end, stop)


def _sound_at(log: bytes, at: int, stop: int) -> bool:
    checksum, length, kind = _HEAD.unpack_from(log, at)
    end = at + _HEAD.size + length
    if not _FULL <= kind <= _LAST or end > stop:
        return False
    return is_right(checksum, log[at + _HEAD.size - 1 : end])


def _next_sound(log: bytes, at: int, stop: int) -> int:
    """Where in the block the next fragment begins that is sound and is followed by one, or ends it."""
    last = stop - _HEAD.size
    for match in _KINDS.finditer(log, at + _HEAD.size - 1, stop):
        start = match.start() - _HEAD.size + 1
        length, _ = _LENGTH.unpack_from(log, start + 4)
        end = start + _HEAD.size + length
        if end > stop:
            continue
        if end <= last and not _FULL <= log[end + _HEAD.size - 1] <= _LAST:
            continue
        if _sound_at(log, start, stop):
            return start
    return stop


def _nuls(log: bytes, begin: int, end: int, written: int) -> tuple[bool, bool]:
    """Whether NULs lead up to the end of a sector, or of the log; and whether nothing comes after.

    written: what is behind it is NULs.
    """
    found = [
        match.start()
        for match in _NULS.finditer(log, begin, end)
        if match.end() == len(log) or match.end() // _SECTOR * _SECTOR >= match.start() + _FEWEST
    ]
    return bool(found), bool(found) and min(found) >= written
