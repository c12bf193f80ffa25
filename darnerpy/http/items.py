"""Items in the bodies of answers: one as it is, several as lines of JSON.

Owns the form of a line, and that lines are made as the client takes them, in slices, and the file of a large
item is read in pieces.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence

import msgspec

from ..sessions.pace import Pace
from ..sessions.requests.given import Given
from .answers import Answer
from .call import Call, accepts
from .files import read_piece
from .problems import Problem
from .wording import item_headers, item_object

__all__ = ["LINES", "RAW", "answer_of", "wants_lines"]

LINES = "application/jsonl"
RAW = "application/octet-stream"

_PIECE = 192 * 1024
"""A multiple of three, so that the pieces of base64 fit together."""

_ENCODER = msgspec.json.Encoder()


def wants_lines(call: Call, number: int) -> bool:
    """Raises `Problem` if there may be several, and the client has not said that it takes lines."""
    if accepts(call.exchange, LINES):
        return True
    if number > 1:
        raise Problem(406, f"several items are answered in lines: n={number} needs Accept: {LINES}")
    return False


def answer_of(
    call: Call, given: Sequence[Given], lines: bool, most: int | None = None, status: int = 200
) -> Answer:
    """most: bytes of each item that are said, None is all."""
    handles = [each.handle for each in given if each.handle is not None]
    call.exchange.hold(sum(len(each.item.data or b"") for each in given))
    if lines:
        media_type = [(b"content-type", LINES.encode())]
        return Answer(status, media_type, _lines(call, given, most), handles=handles)
    one = given[0]
    size = one.item.size if most is None else min(most, one.item.size)
    headers = [(b"content-type", RAW.encode()), *item_headers(one)]
    data = one.item.data
    if data is None:
        return Answer(status, headers, handle=one.handle, size=size)
    return Answer(status, headers, data if len(data) == size else data[:size])


async def _lines(call: Call, given: Sequence[Given], most: int | None) -> AsyncIterator[bytes]:
    pace = Pace()
    ready: list[bytes] = []
    for each in given:
        if pace.is_over() and ready:
            yield b"".join(ready)
            ready.clear()
            await asyncio.sleep(0)
        data = each.item.data
        head = _ENCODER.encode(item_object(each))[:-1] + b',"data":"'
        if data is not None:
            ready += (head, b64encode(data[:most]), b'"}\n')
            continue
        yield b"".join(ready) + head
        async for piece in _pieces(call, each, most):
            yield b64encode(piece)
        ready = [b'"}\n']
    yield b"".join(ready)


async def _pieces(call: Call, given: Given, most: int | None) -> AsyncIterator[bytes]:
    assert given.handle is not None
    offset, size = 0, given.item.size if most is None else min(most, given.item.size)
    while offset < size:
        wanted = min(_PIECE, size - offset)
        piece = await read_piece(call.means.files, given.handle, offset, wanted)
        if len(piece) < wanted:
            raise OSError(f"the file of item {given.item.id} ends early")
        offset += wanted
        yield piece
