"""The server: what it consists of, and its life from start to a clean stop.

Owns the listeners and the order of stopping: accept no more, read no more, answer what was
decided, end waits, return open reads, commit, send, close the journals. Promises that a stop loses
nothing that was acknowledged, and takes no longer than clients need to read, `_LAST_WORDS_S` at most.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import cast

from .. import build
from ..brokers.datadir import DataDir
from ..brokers.local import LocalBroker
from ..clock import SystemClock
from ..config import Address, Settings, UnixAddress, options
from ..errors import ListenError
from ..journals.workers import Workers
from ..protocol.contract import Codec, Replies
from ..protocol.kestrel import KestrelCodec
from ..protocol.kestrel_replies import REPLIES as KESTREL_TEXT
from ..protocol.replies import KESTREL, MEMCACHED
from ..protocol.text import TextCodec
from ..sessions.contract import Host
from ..sessions.guard import Guard
from ..version import __version__
from .admission import Admission
from .connection import Connection
from .connections import Connections
from .events import FILE
from .flow import Flow
from .liveness import keep_alive
from .loops import loop_name
from .notify import notify
from .pump import PumpLoop
from .sockets import Listening, listen
from .tap import Tap

__all__ = ["Server"]

log = logging.getLogger("darnerpy.server")

_FILE_THREADS = 4
_LAST_WORDS_S = 5.0
_STEP_S = 0.005


class Server:
    """Serve a data directory until `stop`. Raises `DataDirError` if it cannot be had."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._data = DataDir(settings.data)
        clock = SystemClock()
        at_turn_end = loop.at_turn_end if isinstance(loop, PumpLoop) else loop.call_soon
        self.broker = LocalBroker(settings, self._data, clock, loop, at_turn_end=at_turn_end)
        guard = Guard(
            settings.data / "STATUS", self.broker.space, loop, settings.status_grace_period
        )
        self.host = Host(self.broker, settings, clock, loop, guard)
        path, size, room = settings.data / FILE, settings.tap_size, self.broker.space.room
        self.tap = Tap(path, size, self.broker, clock, room)
        self.host.tap = lambda: (self.tap.state, self.tap.told)
        self.flow = Flow(self.host, settings.buffer_memory)
        self.files = Workers(_FILE_THREADS, loop.call_soon_threadsafe, "send")
        self.admission = Admission(
            lambda: self.settings, self.host.counters, self.broker.max_open_journals
        )
        self._connections = Connections(self.host, loop, self.admission)
        self._listeners: list[Listening] = []
        self._tcp: list[Listening] = []
        self._sockets: list[str] = []

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
        self.broker.warn_of_mismatches()
        self.tap.switch(on=settings.taps)
        self._keep_alive(self._tcp)
        self._connections.watch_over()

    # -- life --------------------------------------------------------------------------------------

    async def start(self) -> list[Address | UnixAddress]:
        """Listen; returns the addresses with the ports that were really taken."""
        log.info(
            "starting",
            extra={
                "version": __version__,
                "build": build.kind(),
                "pid": os.getpid(),
                "data": self.settings.data.absolute(),
                "queues": len(self.broker.queues),
                "loop": loop_name(self._loop),
            },
        )
        self.admission.warn()
        self.tap.switch(on=self.settings.taps)
        taken = await self._listen_on("listen", self.settings.listen, self._memcache)
        texts = await self._listen_on("text_listen", self.settings.text_listen, self._kestrel_text)
        self.broker.load()
        self._connections.watch_over()
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
        self._connections.drain()
        await self._until(lambda: self.broker.idle)
        await self._until(lambda: not self._connections)
        self._connections.abort()
        await asyncio.sleep(0)
        await self._until(lambda: self.broker.idle)
        self.broker.close()
        self.tap.close()
        self.files.close()
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

    def _memcache(self) -> asyncio.BaseProtocol:
        replies = KESTREL if self.settings.dialect == "kestrel" else MEMCACHED
        return self._connection(TextCodec(self.flow.codec_limits), replies)

    def _kestrel_text(self) -> asyncio.BaseProtocol:
        return self._connection(KestrelCodec(self.flow.codec_limits), KESTREL_TEXT)

    def _connection(self, codec: Codec, replies: Replies) -> asyncio.BaseProtocol:
        made = Connection(self.host, self._connections, self.flow, self.files, codec, replies)
        return cast(asyncio.BaseProtocol, made)  # it is one in all but its base class

    async def _listen_on(
        self,
        option: str,
        addresses: Iterable[Address | UnixAddress],
        connect: Callable[[], asyncio.BaseProtocol],
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

    def _keep_alive(self, listeners: Iterable[Listening]) -> None:
        for listener in listeners:
            for listening in listener.sockets:
                keep_alive(listening, self.settings)
