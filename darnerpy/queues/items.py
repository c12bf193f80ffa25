"""An item, as queues and journals pass it to each other."""

import msgspec

__all__ = ["ITEM_OVERHEAD", "Item"]

ITEM_OVERHEAD = 200
"""Bytes of memory an item costs beside its data; what windows are charged for it."""


class Item(msgspec.Struct, gc=False):
    """One element of a queue's log.

    id: 1, 2, 3 … without gaps. size: bytes of the data. data: None while it is only on disk.
    flags: the client's 32 bits. created, expiry: milliseconds since the epoch, expiry 0 is never.
    offset: bytes of all items before it, ever. large: number of its own file, 0 if it has none.
    """

    id: int
    size: int
    data: bytes | None
    flags: int
    created: int
    expiry: int
    offset: int
    large: int = 0
