"""The bytes of an arena: heads of segments, their notes, and records. Pure.

A segment is a file of a fixed size, made of zeros. It begins with a head, in which a note is rewritten from
time to time, and then holds records, each at a multiple of eight bytes:

    head     kind, flags, index in its batch, length, identity of the segment, sequence, batch, id,
             link, offset, created, expiry, value, CRC over all that and its place in the file
    payload  of that length, filled up to eight bytes
    foot     CRC over head and payload, and the sequence once more

The foot is written after the payload. What has no good head and foot does not exist. A record can be told
from any other bytes: its CRC begins with its place, so that a copy of it elsewhere is none, and it
names the segment's identity, a random number, so that what an old file held is none either.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import Any, Final, NamedTuple

from ...checksums import crc32
from ...errors import DamageError, NewerFormatError

__all__ = [
    "ALIGNMENT",
    "BLOCK",
    "FOOT_BYTES",
    "FULL",
    "HEAD_BYTES",
    "IDENTITY_AT",
    "ITEM",
    "LAST",
    "MARK",
    "MOVED",
    "NOTE_AT",
    "OVERHEAD",
    "RECORD_BYTES",
    "Head",
    "Note",
    "Record",
    "decode_head",
    "decode_note",
    "decode_record",
    "encode_head",
    "encode_note",
    "encode_record",
    "extent",
    "is_sound",
    "is_whole",
    "link_to",
    "mend_record",
    "pack_crc",
    "pack_foot",
    "pack_record",
    "split_link",
]

FORMAT: Final = 1
ALIGNMENT: Final = 8

HEAD_BYTES: Final = 512
NOTE_AT: Final = 456
"""Where in the head the note is."""

ITEM: Final = 1
BLOCK: Final = 2
MARK: Final = 3
"""Kinds of records: one item, its data; a block, of several items or of one that needs more said; a mark."""

LAST: Final = 1
FULL: Final = 2
MOVED: Final = 4
"""Flags: the last record of its batch; a full mark; what was moved out of another segment, and stands for
itself.
"""

_MAGIC = b"DarnerAr"
_HEAD = Struct("<8sIHHQ8sQQQQQQQ")
_NOTE = Struct("<QQQQII")
_CRC = Struct("<I")
_RECORD = Struct("<BBHI8sQQQQQQQI")
_FOOT = Struct("<II")
_LOW: Final = 0xFFFFFFFF
_NONE: Final = bytes(8)

RECORD_BYTES: Final = _RECORD.size + _CRC.size
FOOT_BYTES: Final = _FOOT.size
OVERHEAD: Final = RECORD_BYTES + FOOT_BYTES
"""What a record takes beside its payload."""

IDENTITY_AT: Final = 8
"""Where in the head of a record the identity is."""

_RECORD_SIZE: Final = _RECORD.size

_Fields = tuple[int, int, int, int, bytes, int, int, int, int, int, int, int, int]

pack_record: Final = _RECORD.pack
pack_crc: Final = _CRC.pack
pack_foot: Final = _FOOT.pack
"""What `encode_record` is made of, for who writes without copies."""

_unpack_record: Final[Callable[[bytes, int], _Fields]] = _RECORD.unpack_from
_unpack_crc: Final[Callable[[bytes, int], tuple[int]]] = _CRC.unpack_from
_unpack_foot: Final[Callable[[bytes, int], tuple[int, int]]] = _FOOT.unpack_from
_crc32: Final = crc32


class Head(NamedTuple):
    """What a segment begins with.

    first_sequence, first_id, first_offset: of what it holds, or before. before: the number of the one before
    it, 0 if there was none; before_end: where that ended: what lies behind, there, is of no batch that
    exists. replaces: if it holds what was moved out of others, the last number of those. spare: it was
    begun on a full disk, and is not for items.
    """

    number: int
    identity: bytes
    size: int
    first_sequence: int
    first_id: int
    first_offset: int
    before: int
    before_end: int
    replaces: int
    name: bytes
    spare: bool = False


class Note:
    """Where to begin to look for the end; only what is found there counts.

    last: the place of a record that began a batch, 0 if there was none. end: where that batch ended. From
    sure_from up to sure_to all was on disk as it was written. final: nothing is to be written behind the end
    any more; what lies there is of no batch that exists.
    """

    __slots__ = ("end", "final", "last", "sure_from", "sure_to")

    def __init__(
        self,
        last: int = 0,
        end: int = 0,
        sure_from: int = 0,
        sure_to: int = 0,
        final: bool = False,
    ) -> None:
        self.last = last
        self.end = end
        self.sure_from = sure_from
        self.sure_to = sure_to
        self.final = final


class Record:
    """A decoded head, and the payload if that was read.

    start: place in the file. crc: of the head. mended: a wrong bit of the head was put right. link: of the
    first record of a batch, to that of the last batch with a full mark, 0 if there was none; of the
    others, the place of the first. value: an item's flags, or how many items a block has. offset: of the
    item. wrong: what is wrong with the payload, "" if nothing is known to be.
    """

    __slots__ = (
        "batch",
        "crc",
        "created",
        "expiry",
        "flags",
        "id",
        "index",
        "kind",
        "length",
        "link",
        "mended",
        "offset",
        "payload",
        "sequence",
        "start",
        "value",
        "wrong",
    )

    def __init__(
        self,
        start: int,
        kind: int,
        flags: int,
        index: int,
        length: int,
        sequence: int,
        batch: int,
        id: int,
        link: int,
        offset: int,
        created: int,
        expiry: int,
        value: int,
        crc: int,
    ) -> None:
        self.start = start
        self.kind = kind
        self.flags = flags
        self.index = index
        self.length = length
        self.sequence = sequence
        self.batch = batch
        self.id = id
        self.link = link
        self.offset = offset
        self.created = created
        self.expiry = expiry
        self.value = value
        self.crc = crc
        self.mended = False
        self.payload = b""
        self.wrong = ""

    @property
    def stop(self) -> int:
        """Where the next one begins."""
        return self.start + extent(self.length)

    @property
    def count(self) -> int:
        """How many items it has."""
        return 1 if self.kind == ITEM else self.value if self.kind == BLOCK else 0


def extent(length: int) -> int:
    """Bytes of a record with a payload of some length."""
    return OVERHEAD + ((length + 7) & ~7)


def link_to(number: int, place: int) -> int:
    """A place in a segment, as one number."""
    return number << 32 | place >> 3


def split_link(link: int) -> tuple[int, int]:
    return link >> 32, (link & _LOW) << 3


def encode_record(
    start: int,
    kind: int,
    flags: int,
    index: int,
    identity: bytes,
    sequence: int,
    batch: int,
    id: int,
    link: int,
    offset: int,
    created: int,
    expiry: int,
    value: int,
    payload: bytes,
) -> tuple[bytes, bytes]:
    """Head and foot of a record that begins at some place."""
    head = pack_record(
        kind, flags, index, len(payload), identity, sequence, batch, id, link, offset, created,
        expiry, value,
    )  # fmt: skip
    crc = _crc32(head, start & _LOW)
    return head + pack_crc(crc), pack_foot(_crc32(payload, crc), sequence & _LOW)


def decode_record(data: bytes, at: int, start: int, identity: bytes) -> Record | None:
    """The head at some byte of what was read, which is a place in the file; None if there is no good one.

    identity: of the segment, b"" if that is not known.
    """
    if len(data) - at < RECORD_BYTES:
        return None
    (
        kind, flags, index, length, found, sequence, batch, item_id, link, offset, created, expiry,
        value,
    ) = _unpack_record(data, at)  # fmt: skip
    if found != identity and (identity or found == _NONE):
        return None
    (crc,) = _unpack_crc(data, at + _RECORD_SIZE)
    if crc != _crc32(data[at : at + _RECORD_SIZE], start & _LOW):
        return None
    return Record(
        start, kind, flags, index, length, sequence, batch, item_id, link, offset, created, expiry,
        value, crc,
    )  # fmt: skip


def mend_record(data: bytes, at: int, start: int, identity: bytes) -> Record | None:
    """As `decode_record`, for a head of which one bit is wrong, whichever that is.

    No other damage to so few bytes that could be met looks like it.
    """
    head = bytearray(data[at : at + RECORD_BYTES])
    if len(head) < RECORD_BYTES or not any(head):
        return None
    for place in range(RECORD_BYTES):
        for bit in range(8):
            head[place] ^= 1 << bit
            record = decode_record(bytes(head), 0, start, identity)
            if record is not None:
                record.mended = True
                return record
            head[place] ^= 1 << bit
    return None


def is_whole(record: Record, data: bytes, at: int) -> bool:
    """Take the payload of a record whose head is at some byte of what was read; whether it is as written."""
    begin = at + RECORD_BYTES
    stop = begin + record.length
    payload = record.payload = data[begin:stop]
    foot = at + extent(record.length) - FOOT_BYTES
    if len(data) < foot + FOOT_BYTES:
        return False
    crc, sequence = _unpack_foot(data, foot)
    return sequence == record.sequence & _LOW and crc == _crc32(payload, record.crc)


def is_sound(record: Record, payload: Any, foot: Any) -> bool:
    """Whether a payload, and the bytes of the foot, are as they were written; for who has them in a map."""
    crc, sequence = _FOOT.unpack(foot)
    return bool(sequence == record.sequence & _LOW and crc == _crc32(payload, record.crc))


# -- heads of segments -----------------------------------------------------------------------------


def encode_head(head: Head) -> bytes:
    fields = _HEAD.pack(
        _MAGIC, FORMAT, len(head.name), head.spare, head.number, head.identity, head.size,
        head.first_sequence, head.first_id, head.first_offset, head.before, head.before_end,
        head.replaces,
    )  # fmt: skip
    body = fields + head.name
    return body + pack_crc(_crc32(body))


def decode_head(data: bytes) -> Head:
    """Raises `DamageError`, or `NewerFormatError` for what a later version wrote."""
    try:
        magic, version, length, spare, *fields = _HEAD.unpack_from(data)
        body = data[: _HEAD.size + length]
        (crc,) = _CRC.unpack_from(data, len(body))
    except StructError:
        raise DamageError(f"its head has only {len(data)} bytes") from None
    if crc != _crc32(body) or magic != _MAGIC:
        raise DamageError("its head has a wrong checksum")
    if version != FORMAT:
        raise NewerFormatError(f"it has format {version}, {FORMAT} is known")
    return Head._make([*fields, body[_HEAD.size :], bool(spare)])


def encode_note(note: Note) -> bytes:
    fields = _NOTE.pack(note.last, note.end, note.sure_from, note.sure_to, note.final, 0)[
        : -_CRC.size
    ]
    return fields + pack_crc(_crc32(fields))


def decode_note(data: bytes) -> Note:
    """The note in a head; an empty one if it is not sound."""
    fields = data[NOTE_AT : NOTE_AT + _NOTE.size]
    if len(fields) < _NOTE.size:
        return Note()
    last, end, sure_from, sure_to, final, crc = _NOTE.unpack(fields)
    if crc != _crc32(fields[: -_CRC.size]):
        return Note()
    return Note(last, end, sure_from, sure_to, bool(final))
