"""How a connection ends once its last word is said, so that the client can read it.

Closing a socket while the client still sends makes the kernel answer with a reset, and a client that
meets a reset often never reads what had arrived before it. So our side stops sending, what still comes
is thrown away, and the socket is closed when the client closes its own, or has sent too much, or has
taken too long. Knows nothing of sessions and commands.
"""

import asyncio
import fcntl
import termios
from collections.abc import Callable

from .transport import Transport

__all__ = ["Closing", "has_unread"]

_MOST_S = 5.0
_MOST_BYTES = 64 * 1024 * 1024


class Closing(asyncio.Protocol):
    """Takes the place of a connection as its transport's protocol.

    moved: the client has read something. lost: is told when the transport is gone.
    """

    __slots__ = ("_left", "_lost", "_moved", "_timer", "_transport")

    def __init__(
        self,
        transport: Transport,
        loop: asyncio.AbstractEventLoop,
        moved: Callable[[], None],
        lost: Callable[[Exception | None], None],
    ) -> None:
        self._transport = transport
        self._moved = moved
        self._lost = lost
        self._left = _MOST_BYTES
        self._timer = loop.call_later(_MOST_S, self._enough, loop)
        transport.set_protocol(self)
        try:
            transport.write_eof()
        except OSError:  # it has hung up meanwhile
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._transport.close()

    def eof_received(self) -> bool:
        return False  # both sides have ended: the transport closes itself

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        self._moved()

    def connection_lost(self, error: Exception | None) -> None:
        self._timer.cancel()
        self._lost(error)

    def abort(self) -> None:
        self._transport.abort()

    def hurry(self) -> None:
        """Close now, unless the client is in the middle of sending."""
        if not has_unread(self._transport):
            self._transport.close()

    def _enough(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._transport.get_write_buffer_size():
            # How long a client may take to read is not decided here.
            self._timer = loop.call_later(_MOST_S, self._enough, loop)
        else:
            self._transport.close()


def has_unread(transport: Transport) -> bool:
    """Whether something has come that nobody has read."""
    if transport.is_closing():
        return False
    answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, bytes(4))
    return answer != bytes(4)
