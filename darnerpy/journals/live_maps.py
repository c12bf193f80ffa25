"""How many files are mapped for views: a system gives a process only so many maps.

Owns the count, which several threads may look at. Knows nothing of what is viewed.
"""

from itertools import count
from mmap import mmap
from typing import Any, Final
from weakref import ref

__all__ = ["count_map", "too_many_maps"]

MOST: Final = 10_000
"""Linux gives a process 65 530, for all it does."""

_live: Final[dict[int, ref[mmap]]] = {}
_numbers: Final = count(1)


def too_many_maps() -> bool:
    """Whether copies are to be made instead. Who asks at the same moment as others may come on top."""
    return len(_live) >= MOST


def count_map(mapped: Any) -> None:
    """It counts until nobody has it, or a view of it, any more."""
    number = next(_numbers)

    def gone(_: object) -> None:
        _live.pop(number, None)

    _live[number] = ref(mapped, gone)
