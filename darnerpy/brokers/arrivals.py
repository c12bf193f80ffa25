"""What has been moved to a queue lately, or is being moved, and from where: so that most repeated
moves are recognised.
"""

from collections import OrderedDict

from ..queues.batches import Completion
from ..queues.items import Origin

__all__ = ["Arrivals"]

_REMEMBERED = 10_000


class Arrivals:
    """The last moves to one queue, and those that are not on disk there yet."""

    __slots__ = ("_known", "_under_way")

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bytes, int, int], None] = OrderedDict()
        self._under_way: dict[tuple[bytes, bytes, int, int], Completion] = {}

    def begin(self, origin: Origin, commit: Completion) -> None:
        """It is put, and there once the commit has ended: then `end` is to be called."""
        self._under_way[_identity(origin)] = commit

    def under_way(self, origin: Origin) -> Completion | None:
        """What is to end before it is there, None if it is not being moved."""
        return self._under_way.get(_identity(origin))

    def end(self, origin: Origin, arrived: bool) -> None:
        self._under_way.pop(_identity(origin), None)
        if arrived:
            self.add(origin)

    def add(self, origin: Origin) -> None:
        self._known[_identity(origin)] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def __contains__(self, origin: Origin) -> bool:
        return _identity(origin) in self._known


def _identity(origin: Origin) -> tuple[bytes, bytes, int, int]:
    # Ids begin anew when a queue is deleted: only with the time it was put is an item this one.
    return origin.queue, origin.consumer, origin.id, origin.created
