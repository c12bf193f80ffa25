"""How much of a turn of the loop HTTP may take.

Owns the order of the requests that have come and have not begun. In each turn some begin; between one turn
and the next the clients of all other ports are served.
"""

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Gate"]

_MOST = 16
"""Requests that begin in one turn: they are a few milliseconds of work."""


class Gate:
    """most: may begin in one turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int = _MOST) -> None:
        self._loop = loop
        self._most = most
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = most
        self._told = False

    def enter(self, begin: Callable[[], None]) -> None:
        """Call at once, or in one of the turns to come."""
        if self._left and not self._waiting:
            self._left -= 1
            begin()
        else:
            self._waiting.append(begin)
        if not self._told:
            self._told = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._told = False
        self._left = self._most
        while self._left and self._waiting:
            self._left -= 1
            self._waiting.popleft()()
        if self._left < self._most:
            self._told = True
            self._loop.call_soon(self._next_turn)
