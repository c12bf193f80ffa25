"""The bytes of marks: where consumers stood after a batch; and of the list of lost ids. Pure.

A mark holds what is paused and, for each consumer that moved, its position, the spans confirmed above it,
the items that came back, and the leases. A full one has also the items that are not due yet. It ends with
a CRC over key and value. What its key looks like, and which formats there are, is said in `records`.
"""

from collections.abc import Sequence
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

from ..checksums import crc32
from ..errors import DamageError, NewerFormatError
from ..queues.batches import PAUSED_GETS, PAUSED_PUTS, Batch, Lease, Mark, Returned
from ..queues.positions import Span
from .records import CRC, FORMAT, FORMATS, LOST_KEY, MARK, MARK_KEY

__all__ = [
    "MARK_BYTES",
    "MarkRecord",
    "decode_body",
    "decode_lost",
    "decode_mark",
    "encode_lost",
    "encode_mark",
    "is_full_mark",
    "mark_body",
]

MARK_BYTES = 100
"""What a mark that is not full costs on disk, about."""

_HEAD = Struct("<BBQQQHI")
_CONSUMER = Struct("<BQQBII")
_SPAN = Struct("<QQQQ")
_RETURNED = Struct("<QIQ")
_COUNT = Struct("<I")
_DELAY = Struct("<QQ")
_LEASE = Struct("<QQQQ")
_LOST = Struct("<QQqqB")
_PLAIN = Struct(_HEAD.format + _CONSUMER.format.removeprefix("<"))

# Format 1 had one bit of the flags of a mark, and one of those of a consumer: the lowest.
_FULL, _DELAYS, _PAUSED_AT = 1, 8, 1
_PAUSED: Final = PAUSED_PUTS | PAUSED_GETS
_WHOLE, _LEASES = 1, 2

# Nearly every turn passes by these.
_pack_key: Final = MARK_KEY.pack
_pack_plain: Final = _PLAIN.pack
_pack_crc: Final = CRC.pack


class MarkRecord(NamedTuple):
    """A decoded mark. full: it holds every consumer, whole, and the kept spans. delays, paused: as `Batch`
    has them.
    """

    full: bool
    next_id: int
    next_offset: int
    trimmed: int
    marks: list[Mark]
    kept: list[Span]
    paused: int = 0
    delays: Sequence[tuple[int, int]] = ()


def encode_mark(batch: Batch, trimmed: int) -> tuple[bytes, bytes]:
    key = _pack_key(batch.next_id, MARK, batch.number)
    body = mark_body(batch, trimmed)
    return key, body + _pack_crc(crc32(body, crc32(key)))


def mark_body(batch: Batch, trimmed: int) -> bytes:
    """The value of a mark without its CRC."""
    marks, kept, next_id = batch.marks, batch.kept, batch.next_id
    mark = marks[0] if len(marks) == 1 else None
    flags = batch.full | batch.paused << _PAUSED_AT
    delays = batch.delays
    if mark is None or mark.consumer or mark.spans or mark.returns or mark.leases or kept or delays:
        flags |= _DELAYS if delays else 0
        head = FORMAT, flags, next_id, batch.next_offset, trimmed, len(marks), len(kept)
        body = _HEAD.pack(*head) + b"".join(map(_encode_consumer, marks)) + _encode_spans(kept)
        if delays:
            body += _COUNT.pack(len(delays)) + b"".join([_DELAY.pack(*each) for each in delays])
        return body
    # Of the queue's own consumer, which has moved on: so are nearly all, and each turn makes one.
    return _pack_plain(
        FORMAT, flags, next_id, batch.next_offset, trimmed, 1, 0,
        0, mark.position, mark.offset, mark.whole, 0, 0,
    )  # fmt: skip


def _encode_consumer(mark: Mark) -> bytes:
    name, spans, returns, leases = mark.consumer, mark.spans, mark.returns, mark.leases
    flags = mark.whole | (_LEASES if leases else 0)
    head = _CONSUMER.pack(len(name), mark.position, mark.offset, flags, len(spans), len(returns))
    parts = [head, name, _encode_spans(spans)]
    parts += [_RETURNED.pack(each.id, each.attempts, each.due) for each in returns]
    if leases:
        parts += [_COUNT.pack(len(leases)), *(_LEASE.pack(*each) for each in leases)]
    return b"".join(parts)


def _encode_spans(spans: Sequence[Span]) -> bytes:
    return b"".join([_SPAN.pack(*span) for span in spans])


def is_full_mark(key: bytes, value: bytes) -> bool:
    """Whether an entry is a mark, undamaged, and a full one: nothing before it need be read."""
    try:
        return len(key) == MARK_KEY.size and decode_mark(key, value).full
    except (DamageError, NewerFormatError):
        return False


def decode_mark(key: bytes, value: bytes) -> MarkRecord:
    """Raises `DamageError`, or `NewerFormatError` for a later version's mark."""
    next_id, _, batch = MARK_KEY.unpack(key)
    where = f"mark {batch} before item {next_id}"
    body = value[: -CRC.size]
    if len(value) < CRC.size or CRC.unpack(value[len(body) :])[0] != crc32(body, crc32(key)):
        raise DamageError(f"{where} has a wrong checksum")
    return decode_body(body, where)


def decode_body(body: bytes, where: str) -> MarkRecord:
    """A mark from what `mark_body` made of it; where: which one it is, for errors.

    Raises `DamageError`, or `NewerFormatError` for a later version's mark.
    """
    if body and body[0] not in FORMATS:
        raise NewerFormatError(f"{where} has format {body[0]}, {FORMAT} is known")
    try:
        return _decode_mark(body)
    except StructError:
        raise DamageError(f"{where} has counts that do not fit its {len(body)} bytes") from None


def _decode_mark(body: bytes) -> MarkRecord:
    """Raises `StructError` for a body that is shorter or longer than its counts say."""
    _, about, next_id, next_offset, trimmed, mark_count, kept_count = _HEAD.unpack_from(body)
    at = _HEAD.size
    marks: list[Mark] = []
    for _ in range(mark_count):
        length, position, offset, flags, span_count, count = _CONSUMER.unpack_from(body, at)
        at += _CONSUMER.size
        name = body[at : at + length]
        at += length
        spans = _decode_spans(body, at, span_count)
        at += span_count * _SPAN.size
        stop = at + count * _RETURNED.size
        returns = [Returned(*fields) for fields in _RETURNED.iter_unpack(body[at:stop])]
        at = stop
        leases: list[Lease] = []
        if flags & _LEASES:
            (count,) = _COUNT.unpack_from(body, at)
            at += _COUNT.size
            stop = at + count * _LEASE.size
            leases = [Lease(*fields) for fields in _LEASE.iter_unpack(body[at:stop])]
            at = stop
        whole = bool(flags & _WHOLE)
        marks.append(Mark(name, position, offset, spans, whole, returns, leases))
    kept = _decode_spans(body, at, kept_count)
    at += kept_count * _SPAN.size
    delays: list[tuple[int, int]] = []
    if about & _DELAYS:
        (count,) = _COUNT.unpack_from(body, at)
        at += _COUNT.size
        stop = at + count * _DELAY.size
        delays = [(item_id, due) for item_id, due in _DELAY.iter_unpack(body[at:stop])]
        at = stop
    if at != len(body):  # whatever a checksum over more of it says
        raise StructError
    full, paused = bool(about & _FULL), about >> _PAUSED_AT & _PAUSED
    return MarkRecord(full, next_id, next_offset, trimmed, marks, kept, paused, delays)


def _decode_spans(body: bytes, at: int, count: int) -> list[Span]:
    stop = at + count * _SPAN.size
    return [Span(*fields) for fields in _SPAN.iter_unpack(body[at:stop])]


def encode_lost(lost: list[tuple[Span, bool]]) -> bytes:
    """lost: ids that are not there any more; true where damage is the cause, and no power cut can be."""
    body = bytes([FORMAT]) + b"".join(_LOST.pack(*span, damaged) for span, damaged in lost)
    return body + CRC.pack(crc32(body, crc32(LOST_KEY)))


def decode_lost(value: bytes) -> list[tuple[Span, bool]]:
    """Raises `DamageError`, or `NewerFormatError` for what a later version wrote."""
    body = value[: -CRC.size]
    if len(value) < CRC.size or CRC.unpack(value[len(body) :])[0] != crc32(body, crc32(LOST_KEY)):
        raise DamageError("the list of lost items has a wrong checksum")
    version = body[0] if body else 0
    if version not in FORMATS:
        raise NewerFormatError(f"the list of lost items has format {version}, {FORMAT} is known")
    return [(Span(*fields), bool(damaged)) for *fields, damaged in _LOST.iter_unpack(body[1:])]
