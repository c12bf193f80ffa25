"""An item, as queues and journals pass it to each other."""

from typing import Final, NamedTuple

__all__ = ["DEAD", "EXPIRED", "ITEM_OVERHEAD", "MOVED", "Item", "Origin", "bare", "weight_of"]

ITEM_OVERHEAD: Final = 200
"""Bytes of memory an item costs beside its data; what windows are charged for it."""

EXPIRED: Final = 1
DEAD: Final = 2
MOVED: Final = 3
"""Why an item was moved to another queue: its time was over, its attempts were, or somebody wanted it."""


class Origin(NamedTuple):
    """Where an item was moved from: its queue and consumer, its id there, why, and when it was put
    there (milliseconds since the epoch).
    """

    queue: bytes
    consumer: bytes
    id: int
    why: int
    created: int


class Item:
    """One element of a queue's log.

    id: 1, 2, 3 … without gaps. size: bytes of the data. data: None while it is only on disk.
    flags: the client's 32 bits. created, expiry, due: milliseconds since the epoch; when it was put, when
    it expires (0 is never), from when on it may be handed out (0 is at once).
    offset: bytes of all items before it, ever. large: number of its own file, 0 if it has none, and
    crc the checksum of that, known when it is in the journal. origin: where it was moved from, None
    if a client put it.
    """

    __slots__ = (
        "crc",
        "created",
        "data",
        "due",
        "expiry",
        "flags",
        "id",
        "large",
        "offset",
        "origin",
        "size",
    )

    def __init__(
        self,
        id: int,
        size: int,
        data: bytes | None,
        flags: int,
        created: int,
        expiry: int,
        offset: int,
        large: int = 0,
        origin: Origin | None = None,
        crc: int = 0,
        due: int = 0,
    ) -> None:
        self.id = id
        self.size = size
        self.data = data
        self.flags = flags
        self.created = created
        self.expiry = expiry
        self.offset = offset
        self.large = large
        self.origin = origin
        self.crc = crc
        self.due = due

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and self._values() == other._values()

    def __repr__(self) -> str:
        return f"Item{self._values()}"

    def _values(self) -> tuple[object, ...]:
        return (
            self.id,
            self.size,
            self.data,
            self.flags,
            self.created,
            self.expiry,
            self.offset,
            self.large,
            self.origin,
            self.crc,
            self.due,
        )


def weight_of(item: Item) -> int:
    """Bytes of memory that windows are charged for it: nothing for what is bare, which cannot be let go."""
    if item.data is None:
        return ITEM_OVERHEAD if item.large else 0
    return item.size + ITEM_OVERHEAD


def bare(item: Item) -> Item:
    """The same without its data, which is on disk."""
    return Item(
        item.id,
        item.size,
        None,
        item.flags,
        item.created,
        item.expiry,
        item.offset,
        item.large,
        item.origin,
        item.crc,
        item.due,
    )
