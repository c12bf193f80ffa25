"""Of all places that could be damaged, those that there is time for.

`make test` takes a part, spread evenly; `make thorough` takes all of them.
"""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import settings

__all__ = ["is_thorough", "sampled"]

T = TypeVar("T")


def is_thorough() -> bool:
    """Whether --hypothesis-profile=thorough was given."""
    return settings().max_examples >= settings.get_profile("thorough").max_examples


def sampled(places: Sequence[T], one_in: int) -> Sequence[T]:
    """One in so many, the first and the last among them; all of them when it is to be thorough."""
    if is_thorough():
        return places
    return [*places[:-1:one_in], *places[-1:]]
