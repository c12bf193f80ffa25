"""One client's socket: bytes in to the codec, commands to the session, replies out.

Owns the transport and its flow control: reading is paused while input would only pile up, replies are
not made while the client does not read them, and all replies of a turn leave in one write. Knows
nothing of queues.
"""

import asyncio
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import cast

from ..config import Address
from ..journals.workers import Workers
from ..protocol.contract import Codec, Replies
from ..sessions.contract import Host
from ..sessions.session import Session
from .connections import Connections
from .flow import Flow
from .liveness import Link, silent_ms, unanswered
from .transport import Transport

__all__ = ["Connection"]

_INPUT_AHEAD = 64 * 1024
_FILE_STEP = 256 * 1024


class Connection:
    """A protocol as asyncio has them, without its base class, which has nothing to give: so it is a native
    class once compiled.

    replies: what it is answered in. paused: the input is not being read. See also `Client`."""

    __slots__ = (
        "_ahead",
        "_codec",
        "_completed",
        "_connections",
        "_counters",
        "_ended",
        "_feed",
        "_file",
        "_files",
        "_flow",
        "_held",
        "_host",
        "_other_end",
        "_port",
        "_reserved",
        "_send",
        "_session",
        "_stalled",
        "_transport",
        "address",
        "moved",
        "paused",
        "replies",
    )

    def __init__(
        self,
        host: Host,
        connections: Connections,
        flow: Flow,
        files: Workers,
        codec: Codec,
        replies: Replies,
    ) -> None:
        self.replies = replies
        self.address: str | None = None
        self.paused = False
        self.moved = True
        self._host = host
        self._connections = connections
        self._flow = flow
        self._files = files
        self._counters = host.counters
        self._codec = codec
        self._feed = codec.feed
        self._ahead = 0
        self._completed = 0
        self._reserved = 0
        self._held = 0
        self._stalled = False
        self._ended = False
        self._file: _FileSender | None = None

    # -- what the transport tells ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(Transport, transport)
        self._send = self._transport.write
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.address, self._port = peer[:2]
        else:
            self._other_end = _other_end(transport.get_extra_info("socket"))
        self._session = Session(self._host, self, self.replies)
        refusal = self._connections.joined(self)
        if refusal is not None:
            self.write(self.replies.server_error(refusal))
            self.close()

    def data_received(self, data: bytes) -> None:
        self.moved = True
        self._counters.bytes_read += len(data)
        codec = self._codec
        wants_input = self._session.receive(self._feed(data))
        if codec.reserved != self._reserved:
            self._flow.reserve(codec.reserved - self._reserved)
            self._reserved = codec.reserved
        if not wants_input:
            self._ahead += len(data)
            self.regulate()

    def eof_received(self) -> bool:
        self._session.end_input()
        return True

    def pause_writing(self) -> None:
        self._stalled = True
        self._hold()
        self._session.stall(True)
        self.regulate()

    def resume_writing(self) -> None:
        self.moved = True
        self._stalled = False
        self._hold()
        if self._file is not None:
            self._file.go_on()
        self._session.stall(False)

    def connection_lost(self, error: Exception | None) -> None:
        self._flow.reserve(-self._reserved)
        self._flow.hold(-self._held)
        self._held = self._reserved = 0
        if self._file is not None:
            self._file.stop()
        self._session.vanish()
        self._connections.left(self)

    # -- what the session asks (see `Outlet`) ------------------------------------------------------

    def write(self, data: bytes) -> None:
        self._counters.bytes_written += len(data)
        self._send(data)

    def send_file(self, handle: int, size: int, done: Callable[[bool], None]) -> None:
        self._file = _FileSender(self, self._files, handle, size, done)
        self._file.go_on()

    def keep(self, change: int) -> None:
        if change:
            self._flow.reserve(change)

    def is_gone(self) -> bool:
        # Whoever is served out of turn may have hung up already: the kernel knows before the loop
        # does, and for a connection whose reading is paused the loop would never know.
        if self._transport.is_closing():
            return True
        poll = select.poll()
        # Who has only stopped sending still reads: that it has, the session knows already.
        poll.register(self._link.fileno(), 0 if self._session.input_ended else select.POLLRDHUP)
        return bool(poll.poll(0))

    def is_reachable(self) -> bool:
        return self.address is None or not unanswered(self._link)

    @property
    def silent_ms(self) -> int:
        return 0 if self.address is None else silent_ms(self._link)

    @property
    def _link(self) -> Link:
        link: Link = self._transport.get_extra_info("socket")
        return link

    def look(self) -> None:
        poll = select.poll()
        poll.register(self._link.fileno(), select.POLLRDHUP)
        for _, event in poll.poll(0):
            if event & (select.POLLHUP | select.POLLERR):
                self._transport.abort()
            else:
                self._session.end_waits()  # so that the rest is read, and after it the end

    def regulate(self) -> None:
        wants_input = self._session.wants_input
        if wants_input:
            self._ahead = 0
        want_pause = not wants_input and (self._ahead >= _INPUT_AHEAD or self._stalled)
        if want_pause is not self.paused and not (self._ended or self._transport.is_closing()):
            self.paused = want_pause
            self._connections.reading_paused(self, want_pause)
            if want_pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        if not self._ended and not self._transport.is_closing():
            self._ended = True
            # Not at once: the session may be in the middle of something.
            self._host.scheduler.call_soon(self._leave)
            self._connections.close(self, self._transport, ends=self._session.input_ended)
            if self.paused:
                self.paused = False
                self._connections.reading_paused(self, False)
                self._transport.resume_reading()

    def _leave(self) -> None:
        """The last word is said: it holds nothing, and counts no more once the client has read it."""
        self._session.vanish()
        if not self._transport.get_write_buffer_size():
            self._connections.left(self)

    # -- what is asked of it (see `Client`) --------------------------------------------------------

    @property
    def peer(self) -> str:
        return self._other_end if self.address is None else str(Address(self.address, self._port))

    @property
    def idle(self) -> bool:
        return (
            self._session.idle and self._codec.idle and not self._transport.get_write_buffer_size()
        )

    def still_receiving(self) -> bool:
        before, self._completed = self._completed, self._codec.completed
        return before == self._completed and not self._codec.idle and not self.paused

    @property
    def unread(self) -> bool:
        return self._transport.get_write_buffer_size() > 0

    def drain(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self._session.drain()

    def abort(self) -> None:
        self._transport.abort()

    @property
    def stalled(self) -> bool:
        return self._stalled

    def _hold(self) -> None:
        held = self._transport.get_write_buffer_size() if self._stalled else 0
        self._flow.hold(held - self._held)
        self._held = held


def _other_end(own: socket.socket) -> str:
    """Of a Unix socket: its path, and the process and user that have connected."""
    pid, uid, _ = struct.unpack("3i", own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"unix:{own.getsockname()},pid:{pid},uid:{uid}"


class _FileSender:
    """Sends a piece of a file whenever the client has read the one before it."""

    __slots__ = (
        "_busy",
        "_connection",
        "_done",
        "_files",
        "_handle",
        "_left",
        "_offset",
        "_stopped",
    )

    def __init__(
        self,
        connection: Connection,
        files: Workers,
        handle: int,
        size: int,
        done: Callable[[bool], None],
    ) -> None:
        self._connection = connection
        self._files = files
        self._handle = handle
        self._left = size
        self._offset = 0
        self._done = done
        self._busy = False
        self._stopped = False

    def go_on(self) -> None:
        if self._busy or self._stopped or self._connection.stalled:
            return
        if not self._left:
            self._finish(True)
            return
        self._busy = True
        step = min(_FILE_STEP, self._left)
        handle, offset = self._handle, self._offset
        self._files.submit(lambda: os.pread(handle, step, offset), self._read)

    def stop(self) -> None:
        self._stopped = True
        if not self._busy:
            self._finish(False)

    def _read(self, data: bytes | None, error: BaseException | None) -> None:
        self._busy = False
        if self._stopped:
            self._finish(False)
        elif not data:
            # Its header is sent already: to hang up is all that is left to say so.
            self._finish(False)
            self._connection.abort()
        else:
            self._offset += len(data)
            self._left -= len(data)
            self._connection.write(data)
            self.go_on()

    def _finish(self, complete: bool) -> None:
        self._stopped = True
        self._connection._file = None
        os.close(self._handle)
        self._done(complete)
