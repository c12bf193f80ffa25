"""The pump: an event loop in which the sockets of clients are served together, turn by turn.

Owns what asyncio does not do for them: waiting, in the compiled part, and accepting. In a turn what threads
have asked for is done, then all that is ready is received and decided, then the callbacks of `at_turn_end`
run, then all is sent. Turn follows turn until there is something for the loop itself: a timer, a file, a
signal. So nothing of asyncio is lost, and nothing of it is paid for where it is not used. Knows nothing of
what is said. Not everywhere is there a compiled part: see `AVAILABLE`.
"""

import asyncio
import errno
import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Self, TypeVarTuple, cast

try:
    from ._pump import Pump, Socket
except ImportError:  # there was no compiler when this was installed
    AVAILABLE = False
else:
    AVAILABLE = True

__all__ = ["AVAILABLE", "Listener", "Pump", "PumpLoop", "Socket"]

_Ts = TypeVarTuple("_Ts")

log = logging.getLogger("darnerpy.server")

_AT_ONCE = 100
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 1.0


class PumpLoop(asyncio.SelectorEventLoop):
    """pump: serves the sockets that are added to it whenever the loop waits."""

    def __init__(self) -> None:
        self._from_threads: deque[asyncio.Handle] = deque()
        selector = _Selector(self._callback_failed, self._listen_to_threads)
        self.pump = selector.pump
        self._leave = selector.pump.leave
        super().__init__(selector)

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        """Call it once, when all is decided that was ready, and before any reply is sent."""
        self.pump.at_turn_end(callback)

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """When the next turn begins, before what was to be called soon: a thread that has committed is
        heard without leaving the pump.
        """
        if self.is_closed():
            raise RuntimeError("Event loop is closed")  # as asyncio says it
        handle = asyncio.Handle(callback, args, self, context)
        self._from_threads.append(handle)
        self.pump.wake()
        return handle

    def _listen_to_threads(self) -> None:
        waiting = self._from_threads
        try:
            for _ in range(len(waiting)):
                handle = waiting.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            if waiting:  # one has asked again, or has interrupted the loop
                self.pump.wake()

    def stop(self) -> None:
        self._leave()
        super().stop()

    # Who is called soon or later must not wait until a client says something.

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._leave()
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._leave()
        return super().call_at(when, callback, *args, context=context)

    def _callback_failed(self, error: BaseException, transport: "Socket | None") -> None:
        if not isinstance(error, Exception):
            raise error
        self.call_exception_handler(
            {
                "message": "a callback of the pump failed",
                "exception": error,
                "transport": transport,
            }
        )


class _Selector(selectors.EpollSelector):
    """For all descriptors but clients': these the pump keeps, which looks after both."""

    def __init__(
        self,
        failed: Callable[[BaseException, "Socket | None"], None],
        threads: Callable[[], None],
    ) -> None:
        super().__init__()
        self.pump = Pump(self.fileno(), failed, threads)
        self._turns = self.pump.turns

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0) if self._turns(timeout) else []

    def close(self) -> None:
        self.pump.close()
        super().close()


class Listener:
    """Accepts connections into a pump. sockets: what it listens on."""

    def __init__(
        self,
        loop: PumpLoop,
        sockets: Iterable[socket.socket],
        connect: Callable[[], asyncio.BaseProtocol],
        backlog: int,
    ) -> None:
        self.sockets = list(sockets)
        self._loop = loop
        self._connect = connect
        try:
            for listening in self.sockets:
                listening.setblocking(False)
                if listening.family != socket.AF_UNIX:
                    # Connections that a listener accepts take it over.
                    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                listening.listen(backlog)
                self._listen(listening)
        except OSError:
            self.close()
            raise

    @classmethod
    def of(
        cls,
        server: asyncio.Server,
        loop: PumpLoop,
        connect: Callable[[], asyncio.BaseProtocol],
        backlog: int,
    ) -> Self:
        """Takes over what a server has bound that does not serve yet."""
        sockets = [bound.dup() for bound in server.sockets]
        server.close()
        return cls(loop, sockets, connect, backlog)

    def close(self) -> None:
        for listening in self.sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self.sockets.clear()

    def _listen(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, peername = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("cannot accept a connection: %s", error.strerror)
                self._loop.remove_reader(listening)
                self._loop.call_later(_PAUSE_S, self._listen, listening)
                return
            protocol = self._connect()
            transport = self._loop.pump.add(accepted, peername, protocol)
            protocol.connection_made(cast(asyncio.Transport, transport))
            transport.resume_reading()
