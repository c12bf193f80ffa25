"""The transport as uvicorn's protocol sees it: closing it is ours to do.

Owns whether the last word was said: nothing is written after it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["Transport"]


class Transport:
    """leave: closes the real one when all is said, in its own way."""

    __slots__ = ("_closing", "_inner", "_leave")

    def __init__(
        self, inner: asyncio.Transport, leave: Callable[[asyncio.Transport], None]
    ) -> None:
        self._inner = inner
        self._leave = leave
        self._closing = False

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._inner.write(data)

    def close(self) -> None:
        if not self.is_closing():
            self._closing = True
            self._leave(self._inner)

    def abort(self) -> None:
        self._closing = True
        self._inner.abort()

    def is_closing(self) -> bool:
        return self._closing or self._inner.is_closing()

    def pause_reading(self) -> None:
        if not self.is_closing():
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_closing():
            self._inner.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._inner.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)
