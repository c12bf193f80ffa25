"""The same queues for asyncio: `darnerpy.aio.Queue`.

Owns the public names. What may touch the disk is a coroutine; nothing of it blocks the loop.
"""

from .library.aio.consumer import Consumer
from .library.aio.queue import Queue
from .library.aio.reserved import Reservation, ReservedItem
from .library.items import Item

__all__ = ["Queue", "Consumer", "Item", "Reservation", "ReservedItem"]
