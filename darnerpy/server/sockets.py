"""Addresses to listen on: how a socket is taken, and why it cannot be.

Promises that nobody reaches a Unix socket before it has its mode and group, that one which somebody
listens on is left alone, and that one left from a crash is replaced.
"""

import asyncio
import errno
import grp
import os
import socket
import stat
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..config import Address, Settings, UnixAddress
from ..errors import ConfigError, ListenError
from .liveness import Link
from .pump import Listener, PumpLoop

__all__ = ["Listening", "listen"]

_BACKLOG = 4096


class Listened(Link, Protocol):
    """A socket that is listened on."""

    def getsockname(self) -> Any: ...


class Listening(Protocol):
    """What accepts connections. sockets: what it listens on."""

    @property
    def sockets(self) -> Sequence[Listened]: ...

    def close(self) -> None: ...


async def listen(
    loop: asyncio.AbstractEventLoop,
    address: Address | UnixAddress,
    connect: Callable[[], asyncio.BaseProtocol],
    settings: Settings,
    pumped: bool = True,
) -> Listening:
    """Begin to listen on one address. pumped: the pump serves who connects, if there is one.

    Raises `ListenError` if it cannot be had now, `ConfigError` if it never can.
    """
    try:
        if isinstance(address, UnixAddress):
            bound = _bind(address.path, settings)
            try:
                if pumped and isinstance(loop, PumpLoop):
                    return Listener(loop, [bound], connect, _BACKLOG)
                return await loop.create_unix_server(connect, sock=bound, backlog=_BACKLOG)
            except BaseException:
                bound.close()
                raise
        host, port = address.host or None, address.port
        if pumped and isinstance(loop, PumpLoop):
            server = await loop.create_server(connect, host, port, start_serving=False)
            return Listener.of(server, loop, connect, _BACKLOG)
        return await loop.create_server(connect, host, port, backlog=_BACKLOG)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {_reason(error)}") from error


def _bind(path: str, settings: Settings) -> socket.socket:
    """The socket of a path; until it listens, who connects is refused."""
    group = _group_id(settings.listen_group)
    _make_room(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(path)
        if group is not None:
            try:
                os.chown(path, -1, group)
            except PermissionError:
                why = f"this user may not give it to the group {settings.listen_group}"
                raise OSError(None, why) from None
        if settings.listen_mode is not None:
            os.chmod(path, settings.listen_mode)
    except BaseException:
        bound.close()
        raise
    return bound


def _group_id(group: str) -> int | None:
    if not group:
        return None
    if group.isascii() and group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"listen_group: there is no group {group!r}") from None


def _make_room(path: str) -> None:
    """Remove a socket that nobody listens on; raises `OSError` if somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) in (0, errno.EAGAIN):
            raise OSError(errno.EADDRINUSE, "")
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass


def _reason(error: OSError) -> str:
    # The loops put words of their own around the reason; a name that is not found has no errno.
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
