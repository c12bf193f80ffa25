"""The items that a check has seen, as they are handed to whoever writes them elsewhere."""

from collections.abc import Iterable, Iterator
from functools import partial

from ..errors import JournalError
from ..journals.large import LargeFiles
from ..migration.source import PIECE, Incoming
from ..queues.items import Item
from .offline import OfflineQueue
from .walk import Seen

__all__ = ["incoming"]


def incoming(queue: OfflineQueue, seen: Iterable[Seen]) -> Iterator[Incoming]:
    """The same items in the same order. A large one is read when it is asked for."""
    found = queue.found
    everyone = frozenset(found.positions or {b""})
    returns = {
        name: {back.id: back for back in found.returns.get(name, [])}
        for name in everyone
        if found.returns.get(name)
    }
    leases = {
        name: {lease.id: lease for lease in found.leases.get(name, [])}
        for name in everyone
        if found.leases.get(name)
    }
    for item, readers, _ in seen:
        large = bool(item.large)
        yield Incoming(
            item.size,
            item.data,
            item.created,
            item.expiry,
            None if readers == everyone else readers,
            partial(_pieces, queue.large, item) if large else None,
            queue.large.path_of(item) if large else None,
            item.flags,
            item.origin,
            {n: back[item.id] for n, back in returns.items() if n in readers and item.id in back},
            item.id,
            item.due,
            {n: held[item.id] for n, held in leases.items() if n in readers and item.id in held},
        )


def _pieces(large: LargeFiles, item: Item) -> Iterator[bytes]:
    with open(large.open(item), "rb", buffering=0) as file:
        left = item.size
        while left:
            piece = file.read(min(left, PIECE))
            if not piece:
                raise JournalError(f"{large.path_of(item)} is shorter than it was")
            left -= len(piece)
            yield piece
