"""What has been moved to a queue lately, and from where: so that most repeated moves are recognised."""

from collections import OrderedDict

from ..queues.items import Origin

__all__ = ["Arrivals"]

_REMEMBERED = 10_000


class Arrivals:
    """The last moves to one queue."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bytes, int, int], None] = OrderedDict()

    def add(self, origin: Origin) -> None:
        self._known[_identity(origin)] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def __contains__(self, origin: Origin) -> bool:
        return _identity(origin) in self._known


def _identity(origin: Origin) -> tuple[bytes, bytes, int, int]:
    # Ids begin anew when a queue is deleted: only with the time it was put is an item this one.
    return origin.queue, origin.consumer, origin.id, origin.created
