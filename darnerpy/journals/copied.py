"""A view of an item for engines that cannot show it where it lies: over a copy, or a map of its file."""

from mmap import ACCESS_READ, mmap
from os import close, pread

from ..errors import DamagedJournalError, JournalError
from ..queues.items import Item
from .contract import Journal
from .large import LargeFiles
from .living import MAPS

__all__ = ["copied_view", "view_of_file"]


def copied_view(journal: Journal, large: LargeFiles, item: Item) -> memoryview:
    """Raises `JournalError`."""
    if item.large:
        return view_of_file(large, item)
    if item.data is not None:
        return memoryview(item.data)
    piece = journal.read(item.id, item.id + 1, 1)
    if not piece.items or piece.items[0].data is None:
        told = piece.lost[0][1].what if piece.lost else "it is not there"
        raise DamagedJournalError(f"item {item.id}: {told}")
    return memoryview(piece.items[0].data)


def view_of_file(large: LargeFiles, item: Item) -> memoryview:
    """A map of the file of a large item, or a copy if too much is mapped already.

    Its checksum is not looked at. Raises `JournalError`.
    """
    handle = large.open(item)
    try:
        if MAPS.full:
            data = pread(handle, item.size, 0)
            if len(data) < item.size:
                raise ValueError
            return memoryview(data)
        mapped = mmap(handle, item.size, access=ACCESS_READ)  # a ValueError as well
        MAPS.add(mapped)
        return memoryview(mapped)
    except ValueError:
        raise DamagedJournalError(f"the file of item {item.id} is too short") from None
    except OSError as error:
        raise JournalError(f"cannot read the file of item {item.id}: {error.strerror}") from error
    finally:
        close(handle)
