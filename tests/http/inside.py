"""A server with HTTP inside the test's own process: for what needs less patience than users have."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from darnerpy.config import Address, Settings, UnixAddress, load
from darnerpy.http.front import Front
from darnerpy.http.patience import Patience
from darnerpy.server.closing import Closing
from darnerpy.server.liveness import unanswered
from darnerpy.server.loops import loop_factory
from darnerpy.server.server import Server
from darnerpy.server.sockets import Listening, listen
from tests.servers import TIMEOUT, Wire

__all__ = ["Inside"]

_LOOPS = {
    "uvloop": {"loop": "uvloop"},
    "asyncio": {"loop": "asyncio", "pump": "off"},
    "pump": {},
}


class Inside:
    """address: where HTTP is. server, front: to look into."""

    def __init__(self, directory: Path, loop: str, patience: Patience, **settings: str) -> None:
        flags = {"data": str(directory), "listen": f"unix:{directory}.sock", "sync": "never"}
        flags |= {"http": "127.0.0.1:0", "log_level": "error"} | _LOOPS[loop] | settings
        self._settings: Settings = load(None, {}, flags)
        self._patience = patience
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.address = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(TIMEOUT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def connect(self) -> Wire:
        return Wire(self.address)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=loop_factory(self._settings)) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = self.server = Server(self._settings, loop)
        given = server.host, loop, server.files, server.flow, server.admission
        front = self.front = Front(*given, self._listen, Closing, unanswered, self._patience)
        await server.start()
        await front.start(self._settings.http_addresses)
        self._ready.set()
        await self._stop.wait()
        await front.stop()
        await server.stop()

    async def _listen(
        self, address: Address | UnixAddress, connect: Callable[[], asyncio.BaseProtocol]
    ) -> Listening:
        listener = await listen(self._loop, address, connect, self._settings, pumped=False)
        host, port = listener.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        return listener
