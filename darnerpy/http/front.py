"""HTTP on the server's own loop: its listeners, and its life from start to stop.

Owns the connections and the watch over those that take too long. Knows queues only through the sessions'
host; sockets, threads and limits that all ports share are given to it. Promises that a stop takes no
longer than `_LAST_WORDS_S`, whatever clients do.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.server import ServerState

from ..config import Address, Settings, UnixAddress
from ..journals.workers import Workers
from ..sessions.contract import Host
from .answers import Sender
from .app import App
from .call import Means
from .ending import Ending
from .gate import Gate
from .monitoring.monitor import Monitor
from .patience import Patience
from .problems import Problem
from .protocol import Common, Connection, Memory
from .routes.every import every_route
from .routing import Router
from .safety import Safety, read_tokens

__all__ = ["Door", "Front", "Listener"]

log = logging.getLogger("darnerpy.http")

_LAST_WORDS_S = 2.0


class Listener(Protocol):
    @property
    def sockets(self) -> Any: ...

    def close(self) -> None: ...


class Door(Protocol):
    """Counts the clients of all ports. closing, most_closing: those on their way out, and how many may be."""

    closing: int
    most_closing: int

    def refusal(self, address: str | None) -> str | None: ...

    def joined(self, address: str | None) -> None: ...

    def left(self, address: str | None) -> None: ...


class Front:
    """listen: begins to listen on an address; raises `ListenError`. linger: see `Closing`.

    unanswered: whether what a socket has sent was not acknowledged yet.
    """

    def __init__(
        self,
        host: Host,
        loop: asyncio.AbstractEventLoop,
        files: Workers,
        memory: Memory,
        door: Door,
        listen: Callable[..., Awaitable[Listener]],
        linger: Callable[..., object],
        unanswered: Callable[[Any], bool],
        patience: Patience | None = None,
    ) -> None:
        self._host = host
        self._loop = loop
        self._door = door
        self._listen = listen
        self._closing = linger
        self._ending = Ending()
        self._listeners: list[Listener] = []
        self._sockets: list[str] = []
        self._open: set[Connection] = set()
        self._inside: set[Connection] = set()
        self._alone = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._safety = Safety(lambda: host.settings, read_tokens(host.settings.http_token_file))
        self._monitor = Monitor(host, host.settings.history_memory)
        means = Means(host, files, self._ending, self._monitor, Gate(loop, 1))
        sender = Sender(host, files, self._ending)
        app = App(means, Router(every_route()), self._safety, sender)
        config = Config(
            _unused,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            http="httptools",
        )
        config.load()
        self._common = Common(
            config,
            ServerState(),
            loop,
            Gate(loop),
            memory,
            patience or Patience(),
            app.answer,
            self._linger,
            unanswered,
            self._join,
            self._part,
        )

    # -- life --------------------------------------------------------------------------------------

    async def start(self, addresses: Iterable[Address | UnixAddress]) -> None:
        """Raises `ListenError` if one of them cannot be had; then none is listened on."""
        try:
            for address in addresses:
                listener = await self._listen(address, self._connect)
                self._listeners.append(listener)
                if isinstance(address, UnixAddress):
                    self._sockets.append(address.path)
                for taken in _taken(address, listener):
                    log.info("listening for HTTP", extra={"address": taken})
        except BaseException:
            self._close()
            raise
        self._monitor.start()

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """What to call for new settings to hold. Raises `ConfigError` if they cannot; nothing changes."""
        tokens = read_tokens(settings.http_token_file)

        def do() -> None:
            self._safety.tokens = tokens

        return do

    async def stop(self) -> None:
        self._close()
        self._monitor.drain()
        self._ending.begin()
        for connection in list(self._open):
            connection.drain()
        if self._open:
            self._alone.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._alone.wait(), _LAST_WORDS_S)
        for connection in list(self._open):
            connection.transport.abort()
        await asyncio.sleep(0)
        await self._monitor.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for path in self._sockets:
            with suppress(OSError):
                os.unlink(path)
        self._sockets.clear()

    # -- connections -------------------------------------------------------------------------------

    def _connect(self) -> asyncio.BaseProtocol:
        return Connection(self._common)

    def _join(self, connection: Connection) -> None:
        self._open.add(connection)
        counters = self._host.counters
        counters.total_connections += 1
        refusal = self._door.refusal(connection.address)
        if refusal is not None:
            counters.refused_connections += 1
            log.warning("a connection is refused: %s", refusal, extra={"peer": connection.who})
            connection.refuse_all(Problem(503, refusal))
            return
        self._inside.add(connection)
        self._door.joined(connection.address)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._common.patience.between, self._sweep)

    def _part(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._alone.set()
        if connection in self._inside:
            self._inside.discard(connection)
            self._door.left(connection.address)

    def _linger(
        self, transport: asyncio.Transport, lost: Callable[[Exception | None], None]
    ) -> None:
        if self._door.closing >= self._door.most_closing:
            transport.close()
            return

        def gone(error: Exception | None) -> None:
            self._door.closing -= 1
            lost(error)

        self._door.closing += 1
        self._closing(transport, self._loop, lambda: None, gone)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._open):
            why = connection.slow(now)
            if why:
                log.info("closing a connection: %s", why, extra={"peer": connection.who})
        self._sweeper = (
            self._loop.call_later(self._common.patience.between, self._sweep)
            if self._open
            else None
        )


async def _unused(scope: object, receive: object, send: object) -> None:
    """uvicorn wants an application; each connection has its own."""


def _taken(address: Address | UnixAddress, listener: Listener) -> list[str]:
    """Where it listens, as people type it."""
    if isinstance(address, UnixAddress):
        return [str(address)]
    names = [listening.getsockname() for listening in listener.sockets]
    return [f"http://{Address(name[0], name[1])}/" for name in names]
