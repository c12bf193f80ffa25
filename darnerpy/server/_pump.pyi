"""The compiled part of `pump`; its source says what it promises."""

import socket
from asyncio import BaseProtocol
from collections.abc import Callable
from typing import Any, final

@final
class Socket:
    """A `Transport`."""

    def write(self, data: bytes, /) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def set_protocol(self, protocol: BaseProtocol, /) -> None: ...
    def get_extra_info(self, name: str, default: Any = None, /) -> Any: ...

@final
class Pump:
    """loop: a descriptor that is readable when the event loop has something to do. failed: is told of
    what a callback has raised, and on which socket; what it raises itself, `turns` raises. threads: is
    called when a turn begins if `wake` was, once, however often that was."""

    def __new__(
        cls,
        loop: int,
        failed: Callable[[BaseException, Socket | None], None],
        threads: Callable[[], None],
        /,
    ) -> Pump: ...
    def add(self, socket: socket.socket, peername: Any, protocol: BaseProtocol, /) -> Socket:
        """Serve a socket, which is the pump's from now on; it is read from after resume_reading."""

    def turns(self, timeout: float | None, /) -> bool:
        """Serve who is ready, and again, until the loop has something to do or so many seconds are
        over. Returns whether any of the loop's descriptors may be ready."""

    def at_turn_end(self, callback: Callable[[], None], /) -> None:
        """Call it when all who were ready have been received from, before anything is sent."""

    def wake(self) -> None:
        """Another thread has something to say: `turns` listens, and waits no longer. Thread-safe."""

    def leave(self) -> None:
        """The loop has something to do: no turn after this one."""

    def close(self) -> None:
        """Hang up on all who are left."""
