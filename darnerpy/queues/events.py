"""What can happen to the items of a queue, as whoever observes it is told.

Owns the kinds of events, and the form in which many are told at once: in columns, since a busy turn
has hundreds. Knows neither how it is found out (`observer`) nor how it is written down.
"""

from typing import Final

__all__ = [
    "ABORT",
    "CLOSE",
    "DELETE",
    "DISCARD",
    "DISCONNECT",
    "DROP",
    "EXPIRY",
    "FLUSH",
    "KINDS",
    "MOVE",
    "OPEN",
    "PUT",
    "RETURN",
    "TAKE",
    "TIMEOUT",
    "UNTOLD",
    "Events",
]

PUT: Final = 0
"""An item was put, for all consumers or one."""

TAKE: Final = 1
"""A plain get took it: it is confirmed."""

OPEN: Final = 2
"""A client holds it."""

CLOSE: Final = 3
"""Who held it has confirmed it."""

ABORT: Final = 4
DISCONNECT: Final = 5
TIMEOUT: Final = 6
RETURN: Final = 7
"""It came back to its place: its client gave it back, went away, held it for too long; or it was no
client's doing (the server stops, its file or journal fails).
"""

EXPIRY: Final = 8
DROP: Final = 9
DISCARD: Final = 10
"""It is gone: its time was over, it was out of attempts, it had to make room."""

MOVE: Final = 11
"""It has gone to another queue, because of its time or its attempts, or because somebody moved it."""

FLUSH: Final = 12
DELETE: Final = 13
"""Not of one item: all that waited was thrown away, or the queue or consumer itself is gone. Ids and sizes
are how many items, and bytes.
"""

UNTOLD: Final = -1
"""Nothing that anybody is told: an item passes by a consumer that it is not for."""

KINDS: Final = (
    "put",
    "take",
    "open",
    "close",
    "abort",
    "disconnect",
    "timeout",
    "return",
    "expiry",
    "drop",
    "discard",
    "move",
    "flush",
    "delete",
)
"""Their names."""


class Events:
    """What happened to one queue, in order.

    sorts: kind, consumer (b"" is the queue's own, and all of them for `PUT`) and target (only of `MOVE`)
    of the events, each once. of: for each event, which of the sorts it is. ids, sizes: of its item.
    """

    __slots__ = ("ids", "of", "queue", "sizes", "sorts")

    def __init__(
        self,
        queue: bytes,
        sorts: list[tuple[int, bytes, bytes]],
        of: list[int],
        ids: list[int],
        sizes: list[int],
    ) -> None:
        self.queue = queue
        self.sorts = sorts
        self.of = of
        self.ids = ids
        self.sizes = sizes
