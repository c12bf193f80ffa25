"""HTTP beside the server, if it is wanted and can be had.

Owns what happens if it cannot: where somebody asked for it, the start stops; where it is only the default, a
line of the log says so. Imports nothing of HTTP before it is needed.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..config import Address, Settings, UnixAddress
from ..errors import ListenError, UnavailableError
from ..server.closing import Closing
from ..server.liveness import keep_alive, unanswered
from ..server.server import Server
from ..server.sockets import Listening, listen

if TYPE_CHECKING:
    from ..http.front import Front

__all__ = ["check_tokens", "front_beside", "open_front"]

log = logging.getLogger("darnerpy.http")


def front_beside(server: Server, loop: asyncio.AbstractEventLoop) -> "Front | None":
    """None if HTTP is off. Raises `UnavailableError`, or `ConfigError` for a bad file of tokens."""
    settings = server.settings
    front = _front(settings)
    if front is None:
        return None

    async def listening(
        address: Address | UnixAddress, connect: Callable[[], asyncio.BaseProtocol]
    ) -> Listening:
        listener = await listen(loop, address, connect, settings, pumped=False)
        if isinstance(address, Address):  # who waits, and whose machine has gone, is noticed
            for listened in listener.sockets:
                keep_alive(listened, settings)
        return listener

    given = server.host, loop, server.files, server.flow, server.admission
    return front(*given, listening, Closing, unanswered)


def check_tokens(settings: Settings) -> None:
    """Raises what `front_beside` would for a file of tokens, if it were read."""
    if settings.http_token_file is not None and _front(settings) is not None:
        from ..http.safety import read_tokens

        read_tokens(settings.http_token_file)


def _front(settings: Settings) -> "type[Front] | None":
    """What serves HTTP, None if nothing does. Raises `UnavailableError`."""
    if not settings.http_addresses:
        return None
    try:
        from ..http.front import Front
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("uvicorn", "httptools"):
            raise
        why = f"HTTP needs the extra darnerpy[http]: there is no {missing}"
        if settings.http != "auto":
            raise UnavailableError(f"http: {why}") from None
        log.info("no HTTP: %s", why)
        return None
    return Front


async def open_front(front: "Front", settings: Settings) -> None:
    """Listen, unless the default address is taken. Raises `ListenError` if another is."""
    try:
        await front.start(settings.http_addresses)
    except ListenError as error:
        if settings.http != "auto":
            raise ListenError(f"http: {error}") from error
        log.warning("no HTTP: %s", error)
