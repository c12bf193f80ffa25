"""Whether the other side of a TCP connection is still there, as far as the kernel knows.

Owns keepalive, by which a machine that died without a word is found out, and what TCP_INFO says of
what the client's machine has not acknowledged. A client that only reads slowly is never taken for
dead: its machine acknowledges, whatever the program does.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Collection
from typing import Protocol

from ..config import Settings

__all__ = ["Link", "SilenceWatch", "Watched", "keep_alive", "silent_ms", "unanswered"]

log = logging.getLogger("darnerpy.server")

_HEAD = struct.Struct("=8B 13I")
"""The beginning of struct tcp_info, the same since Linux 2.6."""

_STEPS = 200
"""Connections that are looked at in one go."""


class Link(Protocol):
    """A socket, of Python's or of a loop's."""

    def fileno(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def keep_alive(link: Link, settings: Settings) -> None:
    """As the settings say. Connections that a listener accepts take it over."""
    idle = settings.keepalive_idle
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, idle is not None)
    if idle is not None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle // 1000)
        link.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, settings.keepalive_interval // 1000
        )
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, settings.keepalive_probes)


def unanswered(link: Link) -> bool:
    """Whether something was sent again, or a probe was sent, and no answer has come yet."""
    try:
        info = link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 4)
    except OSError:  # closed meanwhile
        return True
    return bool(info[2] or info[3])


def silent_ms(link: Link) -> int:
    """How long the other side has answered nothing of what was sent to it; 0 if it has answered."""
    try:
        info = _HEAD.unpack(link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _HEAD.size))
    except OSError:  # closed meanwhile
        return 0
    resent, probes, last_sent, last_answer = info[2], info[3], info[17], info[20]
    # To what was sent again while its window is closed, a living machine answers every time.
    return last_answer if probes or (resent and last_answer > last_sent) else 0


class Watched(Protocol):
    """A connection. silent_ms: as the function, 0 if it is no TCP connection."""

    @property
    def silent_ms(self) -> int: ...

    @property
    def peer(self) -> str: ...

    def abort(self) -> None: ...


class SilenceWatch:
    """Hangs up on those whose machines have long answered nothing.

    The kernel does so for connections on which nothing is under way. Where an answer of ours is, it
    sends that again for a quarter of an hour, and holds back the probes: that is looked for here,
    now and then, some connections at a time.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Collection[Watched],
        settings: Callable[[], Settings],
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._settings = settings
        self._suspects: set[Watched] = set()
        self._timer: asyncio.Handle | None = None

    def begin(self) -> None:
        """Nothing happens if it has begun, or is switched off."""
        if self._timer is None and self._settings().keepalive_idle is not None:
            every = self._settings().keepalive_interval / 1000
            self._timer = self._loop.call_later(every, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._go_on(list(self._connections), set())

    def _go_on(self, left: list[Watched], suspects: set[Watched]) -> None:
        settings = self._settings()
        idle = settings.keepalive_idle
        for _ in range(min(len(left), _STEPS if idle is not None else 0)):
            connection = left.pop()
            if connection not in self._connections:
                continue  # closed meanwhile
            limit = (idle or 0) + settings.keepalive_interval * settings.keepalive_probes
            silent = connection.silent_ms
            if silent < limit:
                continue
            # Twice in a row: the answer to what was sent just now may be under way.
            if connection not in self._suspects:
                suspects.add(connection)
                continue
            log.info(
                "closing a connection: no answer from its machine for %d ms",
                silent,
                extra={"peer": connection.peer},
            )
            connection.abort()
        if left and idle is not None:
            self._timer = self._loop.call_soon(self._go_on, left, suspects)
        else:
            self._suspects = suspects
            self._timer = None
            self.begin()
