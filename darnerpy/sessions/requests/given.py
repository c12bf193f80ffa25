"""An item as a request is given it, and who it is given to. What is said of it is the front's affair."""

from typing import Final, NamedTuple, Protocol

from ...queues.items import Item
from ..contract import Host

__all__ = ["Caller", "Given", "enough_bytes"]

_MOST_BYTES: Final = 4 * 1024 * 1024
_LEAST_BYTES: Final = 64 * 1024


class Caller(Protocol):
    """Who asks. who: for the log."""

    @property
    def who(self) -> str: ...

    def is_gone(self) -> bool:
        """Whether the client has hung up, also if nobody has read so far as to notice."""
        ...

    def is_reachable(self) -> bool:
        """Whether the client's machine answers, as far as is known."""
        ...


class Given(NamedTuple):
    """attempts: deliveries before this one that came back. age: milliseconds since it was put. handle: the
    open file of a large item, which whoever is given it closes; None if the item has its data. lease: what
    the lease it is under is called, "" if there is none; until: when that is over, milliseconds since the
    epoch.
    """

    item: Item
    attempts: int
    age: int
    handle: int | None = None
    lease: str = ""
    until: int = 0


def enough_bytes(host: Host) -> int:
    """Once a request was given so many, it is given no more items: fewer while memory is short."""
    return _MOST_BYTES if host.output_limit else _LEAST_BYTES
