"""How many things there are that somebody still has: views, and maps, of which a process gets only so many.

Owns the count, which several threads may look at. Knows nothing of what is counted.
"""

from itertools import count
from typing import Any, Final
from weakref import ref

__all__ = ["MAPS", "Living"]


class Living:
    """most: when there are so many, it is full. Who asks at the same moment as others may come on top."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._living: dict[int, ref[Any]] = {}
        self._numbers = count(1)

    @property
    def full(self) -> bool:
        return len(self._living) >= self.most

    def add(self, thing: Any) -> None:
        """It counts until nobody has it any more."""
        number = next(self._numbers)

        def gone(_: object) -> None:
            self._living.pop(number, None)

        self._living[number] = ref(thing, gone)


MAPS: Final = Living(10_000)
"""Files that are mapped for views, of all queues. Linux gives a process 65 530 maps, for all it does."""
