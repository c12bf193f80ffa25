"""One connection: uvicorn's protocol, with limits of ours, and errors that are problem documents.

Owns how large a head may be, how long anything may take (`Connection.slow`, which the front asks now and
then), how much is parsed before others have their turn, and how a connection ends so that its last word is
read. Knows nothing of routes: for every request it calls one function.
"""

import asyncio
import select
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ..config import Address
from .answers import ALWAYS
from .exchange import Exchange
from .gate import Gate
from .patience import Patience
from .problems import MEDIA_TYPE, Problem, document, title
from .transport import Transport

__all__ = ["Common", "Connection", "Memory"]

_MOST_HEAD = 32 * 1024
_MOST_TARGET = 8 * 1024
_PIECE = 16 * 1024
_METHODS = ((b"allow", b"DELETE, GET, HEAD, PATCH, POST, PUT"),)
_UPGRADES = (b"upgrade", b"http2-settings")


class Memory(Protocol):
    """What the buffers of all connections take together. inline: bytes of a body that may be kept."""

    @property
    def inline(self) -> int: ...

    def reserve(self, change: int) -> None: ...

    def hold(self, change: int) -> None: ...


class _Refused(Exception):
    """Out of the parser: `_refusal` says why."""


@dataclass(frozen=True)
class Common:
    """What all connections share. answer: is called for each request, one at a time on a connection. join,
    part: are told when there is one, and when it is gone.

    patience: with the client. linger: takes over a transport on which the last word was said, while the
    client may still send. unanswered: whether the client's machine owes an answer to what a socket sent.
    """

    config: Config
    state: ServerState
    loop: asyncio.AbstractEventLoop
    gate: Gate
    memory: Memory
    patience: Patience
    answer: Callable[[Exchange], Awaitable[None]]
    linger: Callable[[asyncio.Transport, Callable[[Exception | None], None]], None]
    unanswered: Callable[[Any], bool]
    join: Callable[["Connection"], None]
    part: Callable[["Connection"], None]


class Connection(HttpToolsProtocol):
    """who: for the log. address: the client's, None if it has none."""

    def __init__(self, common: Common) -> None:
        loop = common.loop
        super().__init__(common.config, common.state, {}, loop)
        self.exchange: Exchange | None = None
        self.who = ""
        self.address: str | None = None
        self._common = common
        self._memory = common.memory
        self._running: RequestResponseCycle | None = None
        self._task: asyncio.Task[None] | None = None
        self._unparsed = memoryview(b"")
        self._begun = False  # a head was, and is not complete
        self._head = 0  # bytes of it, or of what is none of the body, or a piece more
        self._since = loop.time()  # when what it is waiting for began, or last moved
        self._unread = 0
        self._kept = self._held = 0
        self._refusal: Problem | None = None
        self._gone = self._stopping = False

    # -- what the transport tells ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        own = Transport(cast(asyncio.Transport, transport), self._leave)
        super().connection_made(cast(asyncio.Transport, own))
        if self.client is None:
            self.who = f"unix:{transport.get_extra_info('sockname')}"
        else:
            self.address = self.client[0]
            self.who = str(Address(*self.client))
        self._common.join(self)

    def data_received(self, data: bytes) -> None:
        if not (self._unparsed or self.transport.is_closing()):
            self._unparsed = memoryview(data)
            self._parse()
        elif self._unparsed:
            self._unparsed = memoryview(bytes(self._unparsed) + data)

    def eof_received(self) -> None:
        """Whoever stops sending is taken to be gone, as by most servers of HTTP."""

    def pause_writing(self) -> None:
        super().pause_writing()
        self._hold()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._hold()

    def connection_lost(self, error: Exception | None) -> None:
        self._gone = True
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
        super().connection_lost(error)
        self._memory.reserve(-self._kept)
        self._memory.hold(-self._held)
        self._kept = self._held = 0
        if self._task is not None:
            self._task.cancel()
        self._common.part(self)

    # -- parsing -----------------------------------------------------------------------------------

    def _parse(self) -> None:
        while self._unparsed and not (self.pipeline or self._refusal or self._gone):
            piece, self._unparsed = self._unparsed[:_PIECE], self._unparsed[_PIECE:]
            try:
                self._feed(piece)
            except httptools.HttpParserError as error:
                why = str(error).strip() or "it cannot be understood"
                self._refuse(Problem(400, f"not a request of HTTP: {why}"))
        if self._refusal is not None:
            self._unparsed = memoryview(b"")

    def _go_on(self) -> None:
        if not self._gone:
            self.flow.resume_reading()
            self._parse()

    def _feed(self, piece: memoryview) -> None:
        while piece:
            if not self._begun:
                self._since = self.loop.time()
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser takes what follows for another protocol, though nobody has agreed to one.
                head, piece = self._head_without_upgrade(), piece[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.feed_data(head)
                continue
            self._head += len(piece)
            if self._head > _MOST_HEAD + _PIECE:
                self._refuse(_head_too_large() if self._begun else _rest_too_large())
            return

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = True
        self._head = 0
        self._since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > _MOST_TARGET:
            self._refuse(Problem(414, f"the address is longer than {_MOST_TARGET} bytes"))
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._begun:  # else it is behind the body, where nobody looks for any
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > _MOST_HEAD:
            self._refuse(_head_too_large())
            raise _Refused
        if self.parser.get_method() == b"CONNECT":
            self._refuse(Problem(405, "CONNECT is not possible here: this is no proxy", _METHODS))
            raise _Refused
        if self.parser.should_upgrade():
            return  # it is fed once more, without the wish
        self._begun = False
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, AttributeError):  # it does not ask for a path
            self._refuse(Problem(400, "not a request of HTTP: its address is none, or has no path"))
            raise _Refused from None

    def _head_without_upgrade(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                words = [word.strip() for word in value.split(b",")]
                value = b", ".join(word for word in words if word.lower() not in _UPGRADES)
            if name not in _UPGRADES:
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        before = len(cycle.body)
        self._head = 0
        super().on_body(body)
        self.keep(len(cycle.body) - before)
        if cycle is self._running and self.exchange is not None:
            self.exchange.arrived()

    def on_message_complete(self) -> None:
        if self._begun:
            return  # an upgrade: its body comes now
        super().on_message_complete()
        self.cycle.more_body = False  # also of what nobody has read to its end
        if self.cycle is self._running and self.exchange is not None:
            self.exchange.arrived()

    # -- requests ----------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        self._common.gate.enter(partial(self._begin, cycle))

    def _begin(self, cycle: RequestResponseCycle) -> None:
        if self._gone:
            return
        self.exchange = exchange = Exchange(self, cycle)

        async def app(*asgi: object) -> None:
            await self._common.answer(exchange)

        if self._refusal is not None and cycle.more_body:
            exchange.fail(self._refusal)
        self._task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(self._task)
        self._task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        running, exchange = self._running, self.exchange
        self._running = self.exchange = self._task = None
        if exchange is not None:
            exchange.let_go()
        if running is not None:
            self.keep(-len(running.body))
            running.body = bytearray()
        self._since = self.loop.time()
        if self._gone or self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._say(self._refusal)
        elif self._stopping:
            self.transport.close()
        if self.pipeline or self.transport.is_closing():
            return  # what came now would only be kept, as much as the client likes to send
        if self._unparsed:
            self.loop.call_soon(self._go_on)
        else:
            self.flow.resume_reading()

    def keep(self, change: int) -> None:
        if change and not self._gone:
            self._kept += change
            self._memory.reserve(change)

    @property
    def inline(self) -> int:
        return self._memory.inline

    def is_gone(self) -> bool:
        """Also if nobody has read so far as to notice."""
        if self._gone or self.transport.is_closing():
            return True
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    def is_reachable(self) -> bool:
        """Who is gone is: that is noticed by who hands over."""
        if self.address is None or self._gone or self.transport.is_closing():
            return True
        return not self._common.unanswered(self.transport.get_extra_info("socket"))

    # -- ends --------------------------------------------------------------------------------------

    def _refuse(self, problem: Problem) -> None:
        """What comes cannot be told apart any more: say so after all that was asked before, and close."""
        if self._refusal is None:
            self._refusal = problem
            if self._running is None:
                self._say(problem)
            elif self.exchange is not None and self._running.more_body:
                self.exchange.fail(problem)

    def _say(self, problem: Problem) -> None:
        body = document(problem.status, str(problem))
        headers = (
            (b"content-type", MEDIA_TYPE),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *ALWAYS,
            *problem.headers,
        )
        lines = [b"%b: %b" % header for header in headers]
        first = f"HTTP/1.1 {problem.status} {title(problem.status)}".encode()
        self.transport.write(b"\r\n".join([first, *lines, b"", body]))
        self.transport.close()

    def _leave(self, transport: asyncio.Transport) -> None:
        """The last word is said."""
        cycle: RequestResponseCycle | None = self.cycle
        unfinished = cycle is not None and cycle.more_body
        if (unfinished or self._refusal is not None) and not self._stopping:
            transport.resume_reading()
            self._common.linger(transport, self.connection_lost)
        else:
            transport.close()

    def refuse_all(self, problem: Problem) -> None:
        """Whatever it may want to ask."""
        self._refuse(problem)

    def drain(self) -> None:
        """The server stops: what is answered already, or not yet asked, need not wait."""
        self._stopping = True
        if self._running is None:
            self.transport.close()
        elif self._running.more_body and self._task is not None:
            self._task.cancel()

    def slow(self, now: float) -> str:
        """What the client has taken too long for, "" if for nothing: then it was hung up on, or told so."""
        patience = self._common.patience
        unread, self._unread = self._unread, self.transport.get_write_buffer_size()
        if self._unread:
            if self._unread != unread:
                self._since = now
            elif now - self._since >= patience.reading:
                self.transport.abort()
                return "slow reader"
            return ""
        if self.transport.is_closing():
            return ""  # whether it still sends is not waited for here
        waited = now - self._since
        if self._running is None:
            if self._begun and waited >= patience.head:
                self._refuse(Problem(408, f"no whole head of a request within {patience.head:g} s"))
                return "slow sender"
            if waited >= patience.idle:
                self.transport.close()
                return "idle"
        elif self.exchange is not None and self.exchange.wants:
            if waited >= patience.body:
                self.exchange.fail(
                    Problem(408, f"nothing more of the body for {patience.body:g} s")
                )
                return "slow sender"
        else:
            self._since = now  # it is not the client who is waited for
            if self.flow.read_paused and self.is_gone():
                self.transport.abort()
        return ""

    def _hold(self) -> None:
        held = self.transport.get_write_buffer_size() if self.flow.write_paused else 0
        if not self._gone:
            self._memory.hold(held - self._held)
            self._held = held


def _head_too_large() -> Problem:
    return Problem(431, f"the head of the request is larger than {_MOST_HEAD} bytes")


def _rest_too_large() -> Problem:
    return Problem(431, f"more than {_MOST_HEAD} bytes of chunks or trailers are none of the body")
