"""One request and its answer, on a connection that may carry others before and behind it.

Owns what has come of the body and nobody has taken, and whether the client may go on sending after the
answer. Is what sessions call a caller, and a source of bytes. Knows no route.
"""

from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ..sessions.steps import Steps, Until
from .driving import drive
from .problems import Problem

__all__ = ["Exchange", "Line"]

Headers = list[tuple[bytes, bytes]]

_SMALL_REST = 256 * 1024
"""So much of a body that nobody wants is read and thrown away, so that the connection can be kept."""

_RETRY = ((b"retry-after", b"1"),)


class Line(Protocol):
    """The connection. who: for the log. inline: bytes of a body that may be kept."""

    @property
    def who(self) -> str: ...

    @property
    def inline(self) -> int: ...

    def is_gone(self) -> bool: ...

    def is_reachable(self) -> bool: ...

    def keep(self, change: int) -> None:
        """So many bytes more (or less) are in memory of what the client sent, or of an answer."""
        ...


class Exchange:
    """method, path, query: as they were sent, percent-encoded. headers: names in small letters.

    size: of the body, as told before it comes, None if it was not.
    """

    def __init__(self, line: Line, cycle: RequestResponseCycle) -> None:
        scope: Any = cycle.scope
        self.method: str = scope["method"]
        self.path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]
        self.headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            known = self.headers.get(name)
            self.headers[name] = value if known is None else known + b", " + value
        told = self.headers.get(b"content-length", b"")
        self.size = int(told) if told.isdigit() else None
        if self.size is None and b"transfer-encoding" not in self.headers:
            self.size = 0
        self._line = line
        self._cycle = cycle
        self._received = 0
        self._kept = 0  # of this, in memory as far as is known
        self._keeps = True
        self._then: Callable[[], None] | None = None
        self._problem: Problem | None = None
        self._until_close = False  # nothing but this tells the client where the answer ends

    # -- who asks ----------------------------------------------------------------------------------

    @property
    def who(self) -> str:
        return self._line.who

    def is_gone(self) -> bool:
        return self._cycle.disconnected or self._line.is_gone()

    def is_reachable(self) -> bool:
        return self._line.is_reachable()

    # -- the body ----------------------------------------------------------------------------------

    @property
    def inline(self) -> int:
        return self._line.inline

    @property
    def ended(self) -> bool:
        """All of the body was taken."""
        return not (self._cycle.more_body or self._cycle.body)

    @property
    def wants(self) -> bool:
        """Somebody waits for more of the body."""
        return self._then is not None

    def take(self) -> bytes:
        """What has come since; b"" if nothing has. Raises what prevents the rest from coming.

        It counts as memory until there is more than may be kept: whoever takes it does not keep it then.
        """
        data = self._take()
        if self._received > self.inline:
            self._keeps = False
        if not self._keeps:
            self.let_go()
        return data

    def hold(self, size: int) -> None:
        """So many bytes of an answer are in memory until it is sent."""
        self._kept += size
        self._line.keep(size)

    def let_go(self) -> None:
        """What was taken is not in memory any more, or soon will not be."""
        kept, self._kept = self._kept, 0
        self._line.keep(-kept)

    def _take(self) -> bytes:
        if self._problem is not None:
            raise self._problem
        cycle = self._cycle
        data = bytes(cycle.body)
        if data:
            self._received += len(data)
            self._kept += len(data)
            cycle.body = bytearray()
        return data

    def more(self, then: Callable[[], None]) -> None:
        """Call once when there is more to take, or the body has ended."""
        cycle = self._cycle
        if cycle.body or not cycle.more_body or self._problem is not None:
            then()
            return
        self._then = then
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            old = cycle.scope["http_version"] < "1.1"  # it would take this for the answer
            if not (old or cycle.transport.is_closing()):
                cycle.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        cycle.flow.resume_reading()

    def arrived(self) -> None:
        """There is more to take."""
        then, self._then = self._then, None
        if then is not None:
            then()

    def fail(self, problem: Problem) -> None:
        """The rest of the body will not come."""
        self._problem = problem
        self.arrived()

    async def has_body(self) -> bool:
        """Whether there is a byte of it: in chunks that is known when one has come, or the end of them.

        Raises what prevents it from coming.
        """
        cycle = self._cycle
        while self.size is None and cycle.more_body and not cycle.body:
            if self._problem is not None:
                raise self._problem
            await drive(_until(self.more))
        return bool(self.size or cycle.body)

    async def body(self, most: int) -> bytes:
        """All of it, which stays in memory. Raises `Problem` if it is more than so many bytes, or than may
        be kept while memory is short.
        """
        pieces: list[bytes] = []
        size = 0
        if self.size is not None and self.size > most:
            raise _too_large(most)
        while not self.ended:
            piece = self._take()
            if not piece:
                await drive(_until(self.more))
                continue
            size += len(piece)
            if size > most:
                raise _too_large(most)
            if size > self.inline and self.inline < _SMALL_REST:
                raise Problem(503, "buffer_memory is taken by other clients", _RETRY)
            pieces.append(piece)
        return b"".join(pieces)

    # -- the answer --------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        return self._cycle.response_started

    async def start(self, status: int, headers: Headers) -> None:
        # Chunks are for HTTP/1.1 and later; who speaks 1.0 would take their sizes for part of the body.
        self._until_close = self._cycle.scope["http_version"] < "1.1" and not any(
            name == b"content-length" for name, _ in headers
        )
        if self._until_close:
            self._cycle.chunked_encoding = False
        if self._until_close or not self._may_stay():
            headers.append((b"connection", b"close"))
        await self._cycle.send(
            {"type": "http.response.start", "status": status, "headers": headers, "trailers": False}
        )

    async def send(self, data: bytes, more: bool) -> None:
        if self._until_close:
            self._cycle.expected_content_length = len(data)
        await self._cycle.send({"type": "http.response.body", "body": data, "more_body": more})

    def hang_up(self) -> None:
        """What was begun cannot be ended: only this tells the client."""
        self._cycle.disconnected = True
        self._cycle.transport.close()

    def _may_stay(self) -> bool:
        """Whether the next request can be told from what is left of this one."""
        cycle = self._cycle
        if not cycle.more_body:
            return True
        if cycle.waiting_for_100_continue or self._problem is not None or self.size is None:
            return False
        return self.size - self._received - len(cycle.body) <= _SMALL_REST


def _until(until: Until) -> Steps[None]:
    yield until


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most} bytes")
