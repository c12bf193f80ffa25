"""What a request brings along, as it comes."""

from collections.abc import Callable
from typing import Protocol

__all__ = ["Source"]


class Source(Protocol):
    """size: bytes, as far as that is known before they come. inline: so many may be kept in memory.
    ended: all of them were taken.
    """

    @property
    def size(self) -> int | None: ...

    @property
    def inline(self) -> int: ...

    @property
    def ended(self) -> bool: ...

    def take(self) -> bytes:
        """What has come since; b"" if nothing has. Raises why the rest will not come."""
        ...

    def more(self, then: Callable[[], None]) -> None:
        """Call once when there is more to take, or will be no more."""
        ...
