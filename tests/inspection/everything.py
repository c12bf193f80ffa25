"""All that a queue on disk tells, to be compared with what it tells later, whatever keeps it."""

import os
from pathlib import Path
from typing import Any

from darnerpy.inspection.offline import open_queue
from darnerpy.queues.positions import Positions, shared, without

__all__ = ["everything"]


def everything(directory: Path) -> dict[str, Any]:
    """But for the engine, and how far it has trimmed. Items are those that somebody needs, in order."""
    with open_queue(directory) as queue:
        found = queue.found
        gone = without(shared(list(found.positions.values()) or [Positions()]), found.kept)
        items = []
        at = 1
        while at < found.next_id:
            piece = queue.journal.read(at, found.next_id, 1 << 20)
            items += [item for item in piece.items if not gone.is_confirmed(item.id)]
            at = piece.stop
        told = [_item(queue, item) for item in items]
        lost = [(*span[:2], damage.missing) for span, damage in found.lost]
        return {
            "name": queue.name,
            "next": (found.next_id, found.next_offset),
            "positions": {
                name: (at.position, at.offset, at.spans) for name, at in found.positions.items()
            },
            "returns": {name: sorted(back) for name, back in found.returns.items() if back},
            "leases": {name: sorted(held) for name, held in found.leases.items() if held},
            "paused": found.paused,
            "kept": found.kept,
            "lost": lost,
            "damage": [damage.what for damage in queue.damage],
            "items": told,
        }


def _item(queue: Any, item: Any) -> tuple[object, ...]:
    """But for the number of its file."""
    data = item.data
    if item.large:
        handle = queue.large.open(item)
        data = os.pread(handle, item.size + 1, 0)
        os.close(handle)
    return (
        item.id,
        item.size,
        data,
        item.flags,
        item.created,
        item.expiry,
        item.due,
        item.offset,
        item.origin,
        item.crc if item.large else None,
    )
