"""That the server stops, for those who would otherwise wait for hours.

Owns who they are. Each is told once, and what it had begun is undone.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Ending"]

T = TypeVar("T")


class Ending:
    """begun: the server stops."""

    def __init__(self) -> None:
        self.begun = False
        self._waiting: set[asyncio.Task[Any]] = set()

    async def unless_stopping(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Its result; None if the server stops before it has one."""
        task = asyncio.current_task()
        assert task is not None
        if self.begun:
            work.close()
            return None
        self._waiting.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if not self.begun or task not in self._waiting:
                raise
            task.uncancel()
            return None
        finally:
            self._waiting.discard(task)

    def begin(self) -> None:
        self.begun = True
        for task in list(self._waiting):
            task.cancel()
