"""What is answered, until it is sent: status, headers, and a body that is there or comes in pieces.

Owns how each kind of body leaves. A large item is read from its file in a thread, a piece whenever the
client has taken the one before it.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from email.utils import formatdate
from typing import Any

import msgspec

from ..journals.workers import Workers
from ..sessions.contract import Host
from .ending import Ending
from .exchange import Exchange
from .files import read_piece
from .problems import MEDIA_TYPE, Problem, document

__all__ = ["ALWAYS", "Answer", "Sender", "empty", "json", "of_problem", "raw", "stream"]

Headers = list[tuple[bytes, bytes]]

ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""Headers of each answer, unless it has its own."""

_PIECE = 256 * 1024
_SMALL_PIECE = 16 * 1024
_ENCODER = msgspec.json.Encoder()


class Answer:
    """body: bytes, or the pieces of it as they come. handle, size: of an open file that is the body, if
    not None. handles: are open, and closed when the answer is sent, or is not going to be.

    endless: its pieces come until the client goes, or the server stops.
    """

    __slots__ = ("body", "endless", "handle", "handles", "headers", "size", "status")

    def __init__(
        self,
        status: int,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] = b"",
        handle: int | None = None,
        size: int = 0,
        handles: Sequence[int] = (),
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.handle = handle
        self.size = size
        self.endless = False
        self.handles = handles if handle is None else (handle, *handles)

    def close(self) -> None:
        """It is sent, or will not be."""
        for handle in self.handles:
            os.close(handle)
        self.handles = ()


def empty(status: int = 204, headers: Headers | None = None) -> Answer:
    return Answer(status, [] if headers is None else headers)


def raw(
    data: bytes,
    headers: Headers,
    media_type: bytes = b"application/octet-stream",
    status: int = 200,
) -> Answer:
    return Answer(status, [(b"content-type", media_type), *headers], data)


def json(value: Any, status: int = 200, headers: Headers | None = None) -> Answer:
    return raw(_ENCODER.encode(value), headers or [], b"application/json", status)


def stream(
    pieces: AsyncIterator[bytes], media_type: bytes, headers: Headers | None = None
) -> Answer:
    """Pieces that come until the client goes, or the server stops: then they are closed."""
    answer = Answer(200, [(b"content-type", media_type), *(headers or [])], pieces)
    answer.endless = True
    return answer


def of_problem(problem: Problem) -> Answer:
    body = document(problem.status, str(problem))
    return raw(body, list(problem.headers), MEDIA_TYPE, problem.status)


class Sender:
    """files: threads that read large items. ending: streams end with it."""

    def __init__(self, host: Host, files: Workers, ending: Ending) -> None:
        self._host = host
        self._files = files
        self._ending = ending
        self._date = (0, b"")

    async def send(self, exchange: Exchange, answer: Answer) -> None:
        headers = [*answer.headers, (b"date", self._now())]
        body = answer.body
        if isinstance(body, bytes) and answer.handle is None:
            if answer.status not in (204, 304):
                headers.append((b"content-length", b"%d" % len(body)))
            await exchange.start(answer.status, headers)
            await exchange.send(body, False)
        elif answer.handle is not None:
            headers.append((b"content-length", b"%d" % answer.size))
            await self._send_file(exchange, answer, headers)
        else:
            assert not isinstance(body, bytes)
            await exchange.start(answer.status, headers)
            await self._send_pieces(exchange, body, answer.endless)

    async def _send_pieces(
        self, exchange: Exchange, pieces: AsyncIterator[bytes], endless: bool
    ) -> None:
        try:
            while exchange.method != "HEAD":
                coming = _next(pieces)
                piece = await (self._ending.unless_stopping(coming) if endless else coming)
                if piece is None:
                    break
                await exchange.send(piece, True)
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        await exchange.send(b"", False)

    async def _send_file(self, exchange: Exchange, answer: Answer, headers: Headers) -> None:
        handle = answer.handle
        assert handle is not None
        await exchange.start(answer.status, headers)
        offset = 0
        if exchange.method == "HEAD" or not answer.size:
            await exchange.send(b"", False)
            return
        while offset < answer.size:
            # When memory is short, those who do not read must not have much of it.
            most = _PIECE if self._host.output_limit else _SMALL_PIECE
            piece = await read_piece(self._files, handle, offset, min(most, answer.size - offset))
            if not piece:
                exchange.hang_up()
                return
            offset += len(piece)
            await exchange.send(piece, offset < answer.size)

    def _now(self) -> bytes:
        now = self._host.clock.now_ms() // 1000
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
