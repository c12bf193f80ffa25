"""The bytes of a LevelDB: checksums, log records, edits, batches, blocks. Pure; nothing is written.

A log, and a MANIFEST is one too, is a series of 32 KiB blocks with fragments of records; a table is a
series of blocks with entries in order of keys, of which the last one is an index of the others.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from ...errors import DamageError

__all__ = [
    "FOOTER_BYTES",
    "Handle",
    "Manifest",
    "Table",
    "TRAILER_BYTES",
    "decode_block",
    "has_right_checksum",
    "index_handle",
    "is_right",
    "read_batch",
    "read_entries",
    "read_handle",
    "read_log",
    "read_manifest",
    "read_snappy",
    "unpack_block",
]

_LOG_BLOCK = 32 * 1024
_FRAGMENT = Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_COMPARATOR, _LOG, _NEXT_FILE, _SEQUENCE, _POINTER, _DELETED, _ADDED = 1, 2, 3, 4, 5, 6, 7
_PREVIOUS_LOG = 9

_BATCH = Struct("<QI")
_DELETION, _VALUE = 0, 1

FOOTER_BYTES = 48
TRAILER_BYTES = 5
_MAGIC = 0xDB4775248B80FB57
_U32 = Struct("<I")
_U64 = Struct("<Q")
_PLAIN, _SNAPPY = 0, 1
_MOST_DIGITS = 10
"""Bytes that 64 bits take, seven in each; LevelDB reads no more either."""


# -- checksums -------------------------------------------------------------------------------------


def _crc_tables() -> list[list[int]]:
    first = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        first.append(crc)
    tables = [first]
    for _ in range(7):
        tables.append([crc >> 8 ^ first[crc & 0xFF] for crc in tables[-1]])
    return tables


_CRC_TABLES = _crc_tables()
_EIGHT = Struct("<II")


def crc32c(data: bytes) -> int:
    """The checksum that LevelDB uses, which is not zlib's."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _CRC_TABLES
    crc = 0xFFFFFFFF
    whole = len(data) & ~7
    for low, high in _EIGHT.iter_unpack(memoryview(data)[:whole]):
        low ^= crc
        crc = (
            t7[low & 0xFF]
            ^ t6[low >> 8 & 0xFF]
            ^ t5[low >> 16 & 0xFF]
            ^ t4[low >> 24]
            ^ t3[high & 0xFF]
            ^ t2[high >> 8 & 0xFF]
            ^ t1[high >> 16 & 0xFF]
            ^ t0[high >> 24]
        )
    for byte in data[whole:]:
        crc = crc >> 8 ^ t0[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def is_right(stored: int, data: bytes) -> bool:
    turned = (
        stored - 0xA282EAD8 & 0xFFFFFFFF
    )  # stored "masked", so that it may lie in what is checked
    return turned >> 17 | turned << 15 & 0xFFFFFFFF == crc32c(data)


# -- logs ------------------------------------------------------------------------------------------


def read_log(log: bytes, damaged: Callable[[str], None]) -> Iterator[bytes]:
    """The records of a log. A record cut off at the end is none; other damage is told and skipped."""
    record: bytes | None = None
    at = 0
    while at + _FRAGMENT.size <= len(log):
        left = _LOG_BLOCK - at % _LOG_BLOCK
        if left < _FRAGMENT.size:
            at += left
            continue
        checksum, length, kind = _FRAGMENT.unpack_from(log, at)
        begin = at + _FRAGMENT.size
        end = begin + length
        if not (checksum or length or kind):
            at += left  # never written
            continue
        if end > len(log):
            return
        if _FRAGMENT.size + length > left or not is_right(checksum, log[begin - 1 : end]):
            damaged(f"byte {at}: a record's checksum is wrong")
            record = None
            at += left
            continue
        at = end
        piece = log[begin:end]
        if kind in (_FULL, _FIRST):
            record = piece
        elif record is not None:
            record += piece
        if kind in (_FULL, _LAST) and record is not None:
            yield record
            record = None


def read_batch(record: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """The changes in a record of a log: key, tag (sequence and kind, as in tables) and value."""
    sequence, count = _unpack(_BATCH, record, 0)
    fields = _Fields(record, _BATCH.size)
    for number in range(sequence, sequence + count):
        kind = fields.number()
        if kind not in (_DELETION, _VALUE):
            raise DamageError(f"a change of kind {kind}")
        key = fields.string()
        yield key, number << 8 | kind, fields.string() if kind == _VALUE else b""


# -- the MANIFEST ----------------------------------------------------------------------------------


class Table(NamedTuple):
    """smallest, largest: its first and last key, with their tags."""

    number: int
    smallest: bytes
    largest: bytes


class Manifest(NamedTuple):
    """comparator: the name of the order of keys. logs from this number on, and previous_log, hold
    what is in no table yet. next_file: no file has this number yet, or a higher one. levels: tables by
    number; from level 1 on those of one do not overlap."""

    comparator: bytes
    log: int
    previous_log: int
    next_file: int
    levels: dict[int, dict[int, Table]]


def read_manifest(data: bytes) -> Manifest:
    """Raises `DamageError`."""

    def damaged(why: str) -> None:
        raise DamageError(f"MANIFEST: {why}")

    comparator = b""
    numbers = {_LOG: 0, _PREVIOUS_LOG: 0, _NEXT_FILE: 0}
    levels: dict[int, dict[int, Table]] = {}
    for record in read_log(data, damaged):
        edit = _Fields(record)
        while not edit.ended:
            tag = edit.number()
            if tag == _COMPARATOR:
                comparator = edit.string()
            elif tag in (_LOG, _NEXT_FILE, _SEQUENCE, _PREVIOUS_LOG):
                numbers[tag] = edit.number()
            elif tag == _POINTER:
                edit.number()
                edit.string()
            elif tag == _DELETED:
                level, number = edit.number(), edit.number()
                levels.get(level, {}).pop(number, None)
            elif tag == _ADDED:
                level, number, _ = edit.number(), edit.number(), edit.number()
                levels.setdefault(level, {})[number] = Table(number, edit.string(), edit.string())
            else:
                damaged(f"an edit of kind {tag}")
    if not comparator:
        damaged("it does not say how keys are ordered")
    return Manifest(comparator, numbers[_LOG], numbers[_PREVIOUS_LOG], numbers[_NEXT_FILE], levels)


# -- tables ----------------------------------------------------------------------------------------


class Handle(NamedTuple):
    """Where a block is in a table; size: without its trailer."""

    offset: int
    size: int


def index_handle(footer: bytes) -> Handle:
    """Where the index is, from the last bytes of a table."""
    if len(footer) < FOOTER_BYTES or _U64.unpack_from(footer, FOOTER_BYTES - 8)[0] != _MAGIC:
        raise DamageError("it does not end as a table does")
    fields = _Fields(footer)
    fields.number(), fields.number()  # where the filters are
    return Handle(fields.number(), fields.number())


def read_handle(value: bytes) -> Handle:
    fields = _Fields(value)
    return Handle(fields.number(), fields.number())


def has_right_checksum(stored: bytes) -> bool:
    """Whether a block, given with its trailer, is as it was written."""
    return len(stored) > TRAILER_BYTES and is_right(_U32.unpack(stored[-4:])[0], stored[:-4])


def unpack_block(stored: bytes) -> bytes:
    """The contents of a block, given with its trailer. Raises `DamageError`."""
    data, kind = stored[:-TRAILER_BYTES], stored[-TRAILER_BYTES]
    if not has_right_checksum(stored):
        raise DamageError("its checksum is wrong")
    if kind == _PLAIN:
        return data
    if kind == _SNAPPY:
        return _from_snappy(data)
    raise DamageError(f"it is compressed in a way that is not known ({kind})")


def decode_block(block: bytes) -> list[tuple[bytes, bytes]]:
    """The keys and values of a block, in order. Raises `DamageError`."""
    entries: list[tuple[bytes, bytes]] = []
    restarts = _unpack(_U32, block, len(block) - 4)[0]
    stop = len(block) - 4 - 4 * restarts
    if stop < 0:
        raise DamageError(f"it is only {len(block)} bytes")
    if _take_entries(block[:stop], entries) < stop:
        raise DamageError("an entry has no key")
    return entries


def read_entries(block: bytes, alone: bool = True) -> tuple[list[tuple[bytes, bytes]], int]:
    """The keys and values of a block up to the first that is wrong, and where they end; -1 if one is.

    alone: nothing follows the block; else its entries end where a key would be empty.
    """
    entries: list[tuple[bytes, bytes]] = []
    restarts = int.from_bytes(block[-4:], "little")
    stop = len(block) - 4 - 4 * restarts if alone else len(block)
    if stop < 0:  # that number is wrong; the entries may not be
        return read_entries(block, alone=False)[0], -1
    try:
        end = _take_entries(block[:stop], entries)
    except DamageError:
        return entries, -1
    return entries, end if alone == (end == stop) else -1


def _take_entries(data: bytes, entries: list[tuple[bytes, bytes]]) -> int:
    """Take entries up to the end, or an empty key, which is that of none; returns where that is."""
    fields = _Fields(data)
    key = b""
    while not fields.ended:
        at = fields.at
        shared, fresh, size = fields.number(), fields.number(), fields.number()
        if not (shared or fresh or size):
            return at
        if shared > len(key):
            raise DamageError(f"a key shares {shared} bytes with one of {len(key)}")
        key = key[:shared] + fields.take(fresh)
        entries.append((key, fields.take(size)))
    return len(data)


def read_snappy(data: bytes, forgiving: bool = False) -> tuple[bytes | None, int]:
    """What some compressed data makes, and how much of it that took; None if it is wrong.

    forgiving: then what there is up to where it is wrong.
    """
    fields = _Fields(data)
    out = bytearray()
    try:
        size = fields.number()
        while len(out) < size:
            _one_more(fields, out)
        if len(out) != size:
            raise DamageError("its compressed data is wrong")
    except DamageError:
        return (bytes(out) if forgiving else None), 0
    return bytes(out), fields.at


def _from_snappy(data: bytes) -> bytes:
    out, used = read_snappy(data)
    if out is None or used != len(data):
        raise DamageError("its compressed data is wrong")
    return out


def _one_more(fields: "_Fields", out: bytearray) -> None:
    """Take one element of compressed data."""
    tag = fields.byte()
    kind = tag & 3
    if kind == 0:
        length = tag >> 2
        if length >= 60:
            length = int.from_bytes(fields.take(length - 59), "little")
        out += fields.take(length + 1)
        return
    if kind == 1:
        length = (tag >> 2 & 7) + 4
        offset = tag >> 5 << 8 | fields.byte()
    else:
        length = (tag >> 2) + 1
        offset = int.from_bytes(fields.take(2 if kind == 2 else 4), "little")
    if not 0 < offset <= len(out):
        raise DamageError("its compressed data is wrong")
    begin = len(out) - offset
    if offset >= length:
        out += out[begin : begin + length]
    else:  # the copy overlaps what it makes: a pattern repeated
        out += (bytes(out[begin:]) * (length // offset + 1))[:length]


class _Fields:
    """Numbers and strings of bytes, one after another. Raises `DamageError` where they are cut off."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    @property
    def ended(self) -> bool:
        return self.at >= len(self._data)

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = shift = 0
        data = self._data
        for at in range(self.at, min(self.at + _MOST_DIGITS, len(data))):
            byte = data[at]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at + 1
                return value
            shift += 7
        raise DamageError("a number in it does not end")

    def string(self) -> bytes:
        return self.take(self.number())

    def take(self, size: int) -> bytes:
        end = self.at + size
        data = self._data[self.at : end]
        if len(data) < size:
            raise DamageError(f"{size} bytes in it are cut off")
        self.at = end
        return data


def _unpack(fields: Struct, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return fields.unpack_from(data, at)
    except StructError:
        raise DamageError(f"it is only {len(data)} bytes") from None
