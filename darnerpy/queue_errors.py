"""`Empty` and `Full`, which are the standard library's as well.

Code written for `queue.Queue` or `asyncio.Queue` catches them by the names it knows. They stand apart
from all other errors, which take no asyncio. Know of queues and rings only where they are.
"""

import asyncio
import queue

from .errors import DarnerError

__all__ = ["Empty", "Full"]


class _Told(DarnerError):
    """Says where. The text is made when it is shown, since most are caught and never are.

    path: the data directory of the queue, or the file of the ring.
    queue: the queue's name; None for a ring.
    """

    path: str
    queue: str | None

    def __init__(self, path: str = "", queue: str | None = None) -> None:
        super().__init__(path, queue)
        self.path = path
        self.queue = queue

    def __str__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return where if self.queue is None else f" in the queue {self.queue!r}{where}"


class Empty(_Told, queue.Empty, asyncio.QueueEmpty):
    """There was nothing to read, for as long as the caller would wait.

    It is a `queue.Empty` and an `asyncio.QueueEmpty`, too.
    """

    def __str__(self) -> str:
        return f"nothing to read{super().__str__()}"


class Full(_Told, queue.Full, asyncio.QueueFull):
    """There was no room, for as long as the caller would wait; nothing was put.

    It is a `queue.Full` and an `asyncio.QueueFull`, too.
    """

    def __str__(self) -> str:
        return f"no room{super().__str__()}"
