"""Where in a LevelDB a block of items is, whatever was deleted around it.

A seek that meets nothing but deleted entries crosses all of them, so each one here begins next to
something that is there.
"""

from collections.abc import Iterator
from typing import Any

from ..records import BLOCK_ITEMS, block_count, block_key, is_block_key, split_key

__all__ = ["block_before", "block_holding", "key_before"]


def key_before(item_id: int) -> bytes:
    """A key below all that begins at an id, equal to none: a reverse iterator of plyvel may leave out
    the key it ends at.
    """
    return block_key(item_id)[:-1]


def block_before(db: Any, item_id: int, lowest: int) -> bytes | None:
    """The key of the last block that begins at an id or before it, but not below the lowest."""
    return next((key for key, _ in _backwards(db, item_id, lowest, values=False)), None)


def block_holding(db: Any, item_id: int, lowest: int) -> bytes:
    """The key of the block that holds an id, or where it should be."""
    nearest: bytes | None = None
    for key, value in _backwards(db, item_id, lowest, values=True):
        first = split_key(key)[0]
        if first + block_count(value) > item_id:
            return key
        # Where a deletion was undone by damage, an old block may reach over those made of it.
        nearest = nearest or key
        if first + BLOCK_ITEMS <= item_id:
            break
    return nearest or block_key(item_id)


def _backwards(db: Any, item_id: int, lowest: int, values: bool) -> Iterator[tuple[bytes, bytes]]:
    with db.iterator(
        start=key_before(lowest),
        stop=block_key(item_id),
        include_stop=True,
        reverse=True,
        include_value=values,
        verify_checksums=True,
        fill_cache=False,
    ) as entries:
        for entry in entries:
            key, value = entry if values else (entry, b"")
            if is_block_key(key):
                yield bytes(key), value
