"""Whether the several keys of one get can be read one after another, which is told before the first is.

Owns the same rule as a get of one key has: who holds an item closes it before taking another. A key that
opens counts as if it found an item, so what is let through here can fail for want of items only, or
because of the disk.
"""

from ..brokers.stored import StoredQueue
from ..errors import ClientError
from ..protocol.item_commands import Read
from .held import Held

__all__ = ["Keys"]

_NEW = -1


class Keys:
    """The keys of one get, as far as they were looked at; remembers only what is, or would be, held."""

    __slots__ = ("_held", "_holds", "_max_open")

    def __init__(self, held: Held, max_open: int) -> None:
        self._held = held
        self._max_open = max_open
        self._holds: dict[tuple[bytes, bytes], list[int]] = {}

    def check(self, read: Read, stored: StoredQueue) -> None:
        """The next key, of a queue that is there. Raises `ClientError` as it alone would."""
        name = (read.queue, read.consumer)
        ids = self._holds.get(name)
        if ids is None:
            consumer = stored.queue.consumers.get(read.consumer)
            ids = [] if consumer is None else self._held.ids(consumer)
        if read.close or read.abort:
            del ids[:1]
        elif (read.close_id or read.abort_id) in ids:
            ids.remove(read.close_id or read.abort_id)
        if (read.plain and ids) or (read.open and len(ids) >= self._max_open):
            raise ClientError("close current item first")
        if read.open:
            ids.append(_NEW)
        if not read.plain:
            self._holds[name] = ids
