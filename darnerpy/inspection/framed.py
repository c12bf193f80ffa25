"""A queue as length-prefixed records, made to be small and fast: no data is encoded.

Begins with `MAGIC`. Each record is a kind, the sizes of its two parts, a head in JSON (see `lines`), the
item's data as it is, and a CRC over all of that. The last one has the counts.
"""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import BinaryIO

from ..checksums import crc32
from ..migration.source import LARGE, PIECE, Incoming
from .lines import End, Head, Line, Place, compare, parse, spell
from .streams import Reader, Writer

__all__ = ["MAGIC", "Framed"]

MAGIC = b"darnerpy queue\n\x01"
_RECORD = Struct("<BIQ")
_CRC = Struct("<I")
_HEAD, _ITEM, _END = 1, 2, 3
_MAX_HEAD = 16 * 1024 * 1024


class Framed:
    def write(self, target: BinaryIO, head: Head, items: Iterable[Incoming]) -> End:
        out = Writer(target)
        out.write(MAGIC)
        _write(out, _HEAD, spell(head), 0, ())
        count = size = 0
        for item in items:
            count += 1
            size += item.size
            pieces = (item.data or b"",) if item.pieces is None else item.pieces()
            _write(out, _ITEM, spell(Line.of(item)), item.size, pieces)
        end = End(count, size, f"{out.sum:08x}")
        _write(out, _END, spell(end), 0, ())
        return end

    def read_head(self, reader: Reader, file: str) -> tuple[Head, Place]:
        if reader.read(len(MAGIC)) != MAGIC:
            raise Place(file, "byte 0").error(f"{MAGIC!r} was expected")
        record = _read(reader, file)
        if record.kind != _HEAD or record.size:
            raise record.place.error("the queue's own record was expected")
        record.finish()
        return parse(Head, record.head, record.place), record.place

    def read_items(
        self, reader: Reader, file: str, consumers: frozenset[str]
    ) -> Iterator[Incoming]:
        count = size = 0
        while True:
            known = reader.sum
            record = _read(reader, file)
            place = record.place
            if record.kind == _END:
                record.finish()
                compare(parse(End, record.head, place), count, size, known, place)
                if reader.read(1):
                    raise place.error("this was expected to be the last record")
                return
            if record.kind != _ITEM:
                raise place.error(f"an item was expected, not a record of kind {record.kind}")
            if record.size > LARGE:
                line = parse(Line, record.head, place)
                yield line.item(place, consumers, record.size, None, record.pieces)
                record.finish()
            else:
                data = b"".join(record.pieces())
                line = parse(Line, record.head, place)
                yield line.item(place, consumers, record.size, data)
            count += 1
            size += record.size


def _write(out: Writer, kind: int, head: bytes, size: int, data: Iterable[bytes]) -> None:
    begin = _RECORD.pack(kind, len(head), size)
    crc = crc32(head, crc32(begin))
    out.write(begin, head)
    for piece in data:
        crc = crc32(piece, crc)
        out.write(piece)
    out.write(_CRC.pack(crc))


class _Record:
    """size: bytes of its data, which `pieces` reads, once."""

    def __init__(self, reader: Reader, place: Place, kind: int, head: bytes, size: int) -> None:
        self.place = place
        self.kind = kind
        self.head = head
        self.size = size
        self._reader = reader
        self._pieces = self._read()

    def pieces(self) -> Iterator[bytes]:
        return self._pieces

    def finish(self) -> None:
        """Read what nobody has; raises `SourceError` if the record is damaged."""
        for _ in self._pieces:
            pass

    def _read(self) -> Iterator[bytes]:
        reader, left = self._reader, self.size
        while left:
            piece = reader.read(min(left, PIECE))
            if not piece:
                raise self.place.error(f"{left} more bytes of data were expected: it is cut off")
            left -= len(piece)
            yield piece
        crc = reader.piece_sum
        if reader.read(_CRC.size) != _CRC.pack(crc):
            raise self.place.error(f"the record's checksum was expected to be {crc:08x}")


def _read(reader: Reader, file: str) -> _Record:
    place = Place(file, f"byte {reader.at}")
    reader.piece_sum = 0
    begin = reader.read(_RECORD.size)
    if len(begin) < _RECORD.size:
        raise place.error("a record was expected: the file is cut off")
    kind, length, size = _RECORD.unpack(begin)
    if length > _MAX_HEAD:
        raise place.error(f"a record's head of at most {_MAX_HEAD} bytes was expected")
    return _Record(reader, place, kind, reader.read(length), size)
