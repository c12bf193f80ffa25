"""A view of an item for engines that cannot show it where it lies: over a copy, or a map of its file."""

from mmap import ACCESS_READ, mmap
from os import close, pread

from ..errors import DamagedJournalError, JournalError
from ..queues.items import Item
from .contract import Journal
from .large import LargeFiles
from .live_maps import count_map, too_many_maps

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
        if not too_many_maps():
            mapped = mmap(handle, item.size, access=ACCESS_READ)
            count_map(mapped)
            return memoryview(mapped)
        data = pread(handle, item.size, 0)
        if len(data) == item.size:
            return memoryview(data)
        raise DamagedJournalError(f"the file of item {item.id} is too short")
    except ValueError:
        raise DamagedJournalError(f"the file of item {item.id} is too short") from None
    except OSError as error:
        raise JournalError(f"cannot read the file of item {item.id}: {error.strerror}") from error
    finally:
        close(handle)
