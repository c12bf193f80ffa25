"""The server: listeners, all connections, and its life from start to a clean stop.

Owns who is connected and the order of stopping: accept no more, read no more, answer what was
decided, end waits, return open reads, commit, send, close the journals. Promises that a stop loses
nothing that was acknowledged, and takes no longer than clients need to read, `_LAST_WORDS_S` at most.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .. import __version__
from ..brokers.datadir import DataDir
from ..brokers.local import LocalBroker
from ..clock import SystemClock
from ..config import Address, Settings, UnixAddress, options
from ..errors import ListenError
from ..journals.workers import Workers
from ..protocol.kestrel import KestrelCodec
from ..protocol.kestrel_replies import WORDS as KESTREL_TEXT
from ..protocol.replies import KESTREL, MEMCACHED
from ..protocol.text import TextCodec
from ..sessions.contract import Host
from ..sessions.guard import Guard
from .admission import Admission
from .closing import Closing, has_unread
from .connection import Connection
from .flow import Flow
from .liveness import SilenceWatch, keep_alive
from .notify import notify
from .sockets import listen

__all__ = ["Server"]

log = logging.getLogger("darnerpy.server")

_FILE_THREADS = 4
_LAST_WORDS_S = 5.0
_STEP_S = 0.005
_SWEEP_S = 0.5


class Server:
    """Serve a data directory until `stop`. Raises `DataDirError` if it cannot be had."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._data = DataDir(settings.data)
        clock = SystemClock()
        self.broker = LocalBroker(settings, self._data, clock, loop)
        guard = Guard(
            settings.data / "STATUS", self.broker.space, loop, settings.status_grace_period
        )
        self.host = Host(self.broker, settings, clock, loop, guard)
        self.flow = Flow(self.host, settings.buffer_memory)
        self._files = Workers(_FILE_THREADS, loop.call_soon_threadsafe, "send")
        self._connections: set[Connection] = set()
        self._paused: set[Connection] = set()
        self._closing: set[Closing] = set()
        self._stopping = False
        self._silence = SilenceWatch(loop, self._connections, lambda: self.settings)
        self._admission = Admission(
            lambda: self.settings, self.host.counters, self.broker.max_open_journals
        )
        self._listeners: list[asyncio.AbstractServer] = []
        self._tcp: list[asyncio.Server] = []
        self._sockets: list[str] = []
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return self.host.settings

    def apply(self, settings: Settings) -> None:
        """New settings hold from now on, as far as a running server can change them."""
        live = {
            name: getattr(settings, name) for name, each in options(Settings).items() if each.live
        }
        self.host.settings = replace(
            self.settings, queue_rules=settings.queue_rules, aliases=settings.aliases, **live
        )
        self.host.guard.grace_ms = settings.status_grace_period
        self.broker.configure(settings)
        self._watch_over()
        self._keep_alive(self._tcp)
        self._silence.begin()

    # -- life --------------------------------------------------------------------------------------

    async def start(self) -> list[Address | UnixAddress]:
        """Listen; returns the addresses with the ports that were really taken."""
        log.info(
            "starting",
            extra={
                "version": __version__,
                "pid": os.getpid(),
                "data": self.settings.data.absolute(),
                "queues": len(self.broker.queues),
            },
        )
        self._admission.warn()
        taken = await self._listen_on("listen", self.settings.listen, self._memcache)
        texts = await self._listen_on("text_listen", self.settings.text_listen, self._kestrel_text)
        self.broker.load()
        self._watch_over()
        self._silence.begin()
        for address in taken:
            log.info("listening", extra={"address": address, "protocol": "memcache"})
        for address in texts:
            log.info("listening for Kestrel's text protocol", extra={"address": address})
        notify("READY=1")
        return taken + texts

    async def stop(self) -> None:
        notify("STOPPING=1")
        log.info("stopping", extra={"connections": len(self._connections)})
        for listener in self._listeners:
            listener.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._silence.stop()
        self._stopping = True
        for closing in list(self._closing):
            closing.hurry()
        for connection in list(self._connections):
            connection.drain()
        await self._until(lambda: self.broker.idle)
        await self._until(lambda: not (self._connections or self._closing))
        for connection in list(self._connections):
            connection.abort()
        for closing in list(self._closing):
            closing.abort()
        await asyncio.sleep(0)
        await self._until(lambda: self.broker.idle)
        self.broker.close()
        self._files.close()
        self._data.close()
        for path in self._sockets:
            with suppress(OSError):
                os.unlink(path)
        log.info("stopped")

    async def _until(self, reached: Callable[[], bool]) -> None:
        deadline = self._loop.time() + _LAST_WORDS_S
        while not reached() and self._loop.time() < deadline:
            await asyncio.sleep(_STEP_S)

    # -- listening ---------------------------------------------------------------------------------

    def _memcache(self) -> Connection:
        words = KESTREL if self.settings.dialect == "kestrel" else MEMCACHED
        return Connection(self, TextCodec(self.flow.codec_limits), words)

    def _kestrel_text(self) -> Connection:
        return Connection(self, KestrelCodec(self.flow.codec_limits), KESTREL_TEXT)

    async def _listen_on(
        self,
        option: str,
        addresses: Iterable[Address | UnixAddress],
        connect: Callable[[], Connection],
    ) -> list[Address | UnixAddress]:
        taken: list[Address | UnixAddress] = []
        for address in addresses:
            try:
                listener = await listen(self._loop, address, connect, self.settings)
            except ListenError as error:
                await self.stop()
                raise ListenError(f"{option}: {error}") from error
            except BaseException:
                await self.stop()
                raise
            self._listeners.append(listener)
            if isinstance(address, UnixAddress):
                self._sockets.append(address.path)
                taken.append(address)
            else:
                self._tcp.append(listener)
                self._keep_alive([listener])
                names = [listening.getsockname() for listening in listener.sockets]
                taken += [Address(name[0], name[1]) for name in names]
        return taken

    def _keep_alive(self, listeners: Iterable[asyncio.Server]) -> None:
        for listener in listeners:
            for listening in listener.sockets:
                keep_alive(listening, self.settings)

    # -- connections -------------------------------------------------------------------------------

    def joined(self, connection: Connection) -> None:
        counters = self.host.counters
        counters.total_connections += 1
        refusal = self._admission.refusal(connection.address)
        if refusal is not None:
            counters.refused_connections += 1
            log.warning("a connection is refused: %s", refusal, extra={"peer": connection.peer})
            connection.write(connection.words.server_error(refusal))
            connection.close()
            return
        if log.isEnabledFor(logging.DEBUG):
            log.debug("a connection was opened", extra={"peer": connection.peer})
        self._connections.add(connection)
        self._admission.joined(connection.address)

    def left(self, connection: Connection) -> None:
        if connection in self._connections:
            if log.isEnabledFor(logging.DEBUG):
                log.debug("a connection was closed", extra={"peer": connection.peer})
            self._connections.discard(connection)
            self._paused.discard(connection)
            self._admission.left(connection.address)

    def close(self, connection: Connection, transport: asyncio.Transport, ends: bool) -> None:
        """Its last word is said. ends: the client has stopped sending, so nothing more will come."""
        idle = ends or (self._stopping and not has_unread(transport))
        if idle or len(self._closing) >= self._admission.most_closing:
            transport.close()
            return

        def lost(error: Exception | None) -> None:
            self._closing.discard(closing)
            connection.connection_lost(error)

        closing = Closing(transport, self._loop, connection.has_moved, lost)
        self._closing.add(closing)

    def after_this(self, call: Callable[[], None]) -> None:
        self._loop.call_soon(call)

    def reading_paused(self, connection: Connection, paused: bool) -> None:
        """Whether a connection's input is not being read: then its end has to be looked for."""
        if paused:
            self._paused.add(connection)
            self._watch_over()
        else:
            self._paused.discard(connection)

    def in_thread(self, work: Callable[[], Any], done: Callable[..., None]) -> None:
        self._files.submit(work, done)

    # -- those who take too long -------------------------------------------------------------------

    def _watch_over(self) -> None:
        """Have a look now and then, if there is anything to look at."""
        if self._sweeper is None and (self._paused or any(self._limits)):
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    @property
    def _limits(self) -> tuple[int | None, ...]:
        """In milliseconds, for an idle client, a slow sender and a slow reader."""
        settings = self.settings
        return settings.client_timeout, settings.receive_timeout, settings.send_timeout

    def _sweep(self) -> None:
        for connection in list(self._paused):
            connection.look()
        if any(self._limits):
            self._close_the_slow()
        self._sweeper = None
        self._watch_over()

    def _close_the_slow(self) -> None:
        """Now and then look who has been in one state for too long: the hot path keeps no times."""
        now = self.host.clock.monotonic_ms()
        limits = self._limits
        words = ("idle", "slow sender", "slow reader")
        for connection in list(self._connections):
            moved, connection.moved = connection.moved, False
            states = (
                connection.idle and not moved,
                connection.still_receiving(),
                connection.unread and not moved,
            )
            for number, (limit, state) in enumerate(zip(limits, states, strict=True)):
                if not state or limit is None:
                    connection.since[number] = 0
                elif not connection.since[number]:
                    connection.since[number] = now
                elif now - connection.since[number] >= limit:
                    log.info(
                        "closing a connection: %s for %d ms",
                        words[number],
                        limit,
                        extra={"peer": connection.peer},
                    )
                    connection.abort()
                    break
