"""An open read: an item that someone holds, not confirmed, and not to be had by others."""

import msgspec

from .batches import Batch
from .items import Item

__all__ = ["OpenRead"]


class OpenRead(msgspec.Struct, eq=False):
    """consumer: the name of the one it was taken from. since: monotonic milliseconds.

    commit: what the answer that carried it waits for. gone: the item is out of its holder's hands
    (the queue was deleted, that commit failed, its time was up); close and abort do nothing.
    """

    consumer: bytes
    item: Item
    since: int
    commit: Batch | None
    gone: bool = False
