"""A queue as JSON lines: one for the queue, one an item, one for the end.

Made to be read and changed by people and programs: defaults may be left out, data that is text is text,
and a last line without `crc` is not compared. The data of a large item is the last thing in its line,
in base64, and goes through in pieces.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ..migration.source import Incoming
from .lines import End, Head, Line, Place, compare, parse, spell
from .streams import Reader, Writer

__all__ = ["JsonLines"]

_MAX_LINE = 2 * 1024 * 1024
_STEP = 256 * 1024
"""Bytes of base64 read at a time; four of them are three of data."""

_END = re.compile(rb'\s*\{\s*"items"')
_DATA = re.compile(rb',\s*"base64"\s*:\s*"')


class JsonLines:
    def write(self, target: BinaryIO, head: Head, items: Iterable[Incoming]) -> End:
        out = Writer(target)
        out.write(spell(head), b"\n")
        count = size = 0
        for item in items:
            count += 1
            size += item.size
            out.write(spell(Line.of(item))[:-1])
            if item.pieces is None:
                out.write(_small(item.data or b""))
            else:
                out.write(b',"base64":"')
                for piece in _by_three(item.pieces()):
                    out.write(b64encode(piece))
                out.write(b'"')
            out.write(b"}\n")
        end = End(count, size, f"{out.sum:08x}")
        out.write(spell(end), b"\n")
        return end

    def read_head(self, reader: Reader, file: str) -> tuple[Head, Place]:
        place = Place(file, "line 1")
        return parse(Head, reader.read_line(_MAX_LINE), place), place

    def read_items(
        self, reader: Reader, file: str, consumers: frozenset[str]
    ) -> Iterator[Incoming]:
        count = size = 0
        while True:
            known = reader.sum
            begun = reader.read_line(_MAX_LINE)
            place = Place(file, f"line {reader.line}")
            if not begun:
                raise place.error(
                    "the last line, with the counts, was expected: the file is cut off"
                )
            if not begun.endswith(b"\n"):
                if len(begun) < _MAX_LINE:
                    raise place.error("the end of the line was expected: the file is cut off")
                data = _Data(reader, begun, place)
                item = data.item(consumers)
                yield item
                data.finish()
            elif _END.match(begun):
                compare(parse(End, begun, place), count, size, known, place)
                if reader.read(1):
                    raise place.error("it was expected to be the last one")
                return
            else:
                item = _whole(begun, place, consumers)
                yield item
            count += 1
            size += item.size


def _small(data: bytes) -> bytes:
    try:
        return b',"text":' + json.dumps(data.decode(), ensure_ascii=False).encode()
    except UnicodeDecodeError:
        return b',"base64":"' + b64encode(data) + b'"'


def _by_three(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces whose base64 needs no filling, but for the last."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = len(rest) - len(rest) % 3
        yield rest[:whole]
        rest = rest[whole:]
    yield rest


def _whole(text: bytes, place: Place, consumers: frozenset[str]) -> Incoming:
    line = parse(Line, text, place)
    if (line.text is None) == (line.base64 is None):
        raise place.error("either text or base64 was expected")
    data = _decode(line.base64.encode(), place) if line.base64 is not None else _bytes(line, place)
    if line.size not in (None, len(data)):
        raise place.error(f"{line.size} bytes of data were expected, there are {len(data)}")
    return line.item(place, consumers, len(data), data)


def _bytes(line: Line, place: Place) -> bytes:
    try:
        return (line.text or "").encode()
    except UnicodeEncodeError:
        raise place.error("text was expected; other bytes go into base64") from None


def _decode(text: bytes, place: Place) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise place.error(f"base64 was expected: {error}") from None


class _Data:
    """The data of a line that is not held in memory. begun: what of the line was read."""

    def __init__(self, reader: Reader, begun: bytes, place: Place) -> None:
        self._reader = reader
        self._place = place
        found = _DATA.search(begun)
        if found is None:
            raise place.error(
                f"a line over {_MAX_LINE} bytes was expected to end with its data, in base64"
            )
        self._line = parse(Line, begun[: found.start()] + b"}", place)
        if self._line.size is None:
            raise place.error("a line this long was expected to tell the size of its data")
        self._size = self._line.size
        self._rest = begun[found.end() :]
        self._pieces = self._read()

    def item(self, consumers: frozenset[str]) -> Incoming:
        return self._line.item(self._place, consumers, self._size, None, lambda: self._pieces)

    def finish(self) -> None:
        """Read what nobody has."""
        for _ in self._pieces:
            pass

    def _read(self) -> Iterator[bytes]:
        left = self._size
        text = self._rest
        ended = False
        while not ended:
            more = self._reader.read_more(_STEP)
            text += more
            ended = not more or more.endswith(b"\n")
            stop = text.find(b'"') if ended else len(text) - len(text) % 4
            if ended and (stop < 0 or text[stop + 1 :].strip() != b"}"):
                raise self._place.error('its data was expected to end with "}: the line is cut off')
            data = _decode(text[:stop], self._place)
            left -= len(data)
            text = text[stop:]
            yield data
        if left:
            there = self._size - left
            raise self._place.error(f"{self._size} bytes of data were expected, there are {there}")
