"""Events against what they may mean: an account of one queue that knows nothing but what it is told.

Whatever is told that cannot be (an item taken twice, closed by nobody, gone before it came) fails at once;
what is not told shows when the account is compared with the queue.
"""

from collections.abc import Iterator

from darnerpy.queues.events import KINDS, Events

__all__ = ["Audit", "Place", "Told", "told"]

Told = tuple[str, bytes, int, int, bytes]
"""Kind, consumer, id and size of the item, target."""

RETURNS = ("abort", "disconnect", "timeout", "return")
LEAVES = ("expiry", "drop", "discard", "move")


def told(events: Events) -> Iterator[Told]:
    """Events one by one."""
    for sort, number, size in zip(events.of, events.ids, events.sizes, strict=True):
        kind, consumer, target = events.sorts[sort]
        yield KINDS[kind], consumer, number, size, target


class Place:
    """waiting, held, taken: ids. since: puts below this id are not for it, unless they wait already."""

    def __init__(self, since: int, waiting: set[int]) -> None:
        self.since = since
        self.waiting = waiting
        self.held: set[int] = set()
        self.taken: set[int] = set()


class Audit:
    """sizes: of all that were put, as far as that was told. places: by consumer; coming: those whose names
    are still others'. lost: ids of which it is not told how they went. kinds: all that were seen.
    """

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.places: dict[bytes, Place] = {}
        self.coming: dict[bytes, list[Place]] = {}
        self.lost: set[int] = set()
        self.kinds: set[str] = set()

    def add(self, consumer: bytes, place: Place) -> None:
        if consumer in self.places:
            self.coming.setdefault(consumer, []).append(place)
        else:
            self.places[consumer] = place

    def hear(self, event: Told) -> None:
        kind, consumer, number, size, target = event
        self.kinds.add(kind)
        assert bool(target) == (kind == "move"), event
        if kind == "put":
            assert number not in self.sizes, event
            self.sizes[number] = size
            for place in [self.places[consumer]] if consumer else self.places.values():
                if number >= place.since:
                    place.waiting.add(number)
            return
        place = self.places[consumer]
        if kind in ("flush", "delete"):
            assert len(place.waiting - self.lost) <= number <= len(place.waiting), event
            place.waiting.clear()
        if kind == "delete":
            del self.places[consumer]
            if coming := self.coming.get(consumer):
                self.places[consumer] = coming.pop(0)
        if kind in ("flush", "delete"):
            return
        assert self.sizes.get(number, size) == size, event
        assert kind in ("take", "open", "close", *RETURNS, *LEAVES), event
        before = place.held if kind == "close" or kind in RETURNS else place.waiting
        if kind == "return" and number in place.taken:  # nobody could be given it after all
            before = place.taken
        assert number in before or number in self.lost, event
        before.discard(number)
        if kind in RETURNS:
            place.waiting.add(number)
        elif kind == "open":
            place.held.add(number)
        elif kind == "take":
            place.taken.add(number)
