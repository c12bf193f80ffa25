"""What a client can ask for about the items of a queue: to store one, to read some.

These pass on the hot path, and so are plain classes that are fast where they are compiled. They are
immutable once made, as all commands.
"""

from dataclasses import dataclass
from typing import ClassVar, final

__all__ = ["Get", "Put", "Read", "Store"]


class _ItemCommand:
    __slots__ = ()

    administrative: ClassVar[bool] = False


@final
@dataclass
class Store(_ItemCommand):
    """The header line of a storage command; the block it announces follows.

    exptime: as sent, its meaning is the session's affair. size: bytes of the block.
    sync: the client asked that this item be on disk before it is acknowledged.
    refusal: the reply to give once the block has been swallowed, None when it is to be stored.
    """

    queue: bytes
    consumer: bytes
    flags: int
    exptime: int
    size: int
    sync: bool
    noreply: bool
    refusal: bytes | None = None


@final
class Put(_ItemCommand):
    """A whole item of moderate size."""

    __slots__ = ("body", "store")
    __match_args__ = ("store", "body")

    def __init__(self, store: Store, body: bytes) -> None:
        self.store = store
        self.body = body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Put) and (self.store, self.body) == (other.store, other.body)

    def __repr__(self) -> str:
        return f"Put({self.store}, {self.body!r})"


@final
@dataclass
class Read:
    """One key of a get, taken apart.

    key: as requested, options included; name: without them. wait_ms: how long to wait for an item.
    plain: nothing but perhaps a wait is asked for.
    close_id, abort_id: the open read of the item with this id is meant, not the oldest; 0 is none,
    and `close` and `abort` do not say it again. close_all: before anything else, all of this
    client's open reads of the consumer are closed; it goes with open and peek.
    offset: so many of the waiting items are passed over; it goes with peek.
    """

    key: bytes
    name: bytes
    queue: bytes
    consumer: bytes
    open: bool = False
    close: bool = False
    abort: bool = False
    peek: bool = False
    wait_ms: int = 0
    plain: bool = False
    close_id: int = 0
    abort_id: int = 0
    close_all: bool = False
    offset: int = 0


@final
@dataclass
class Get(_ItemCommand):
    """get or gets; cas: each VALUE line also carries the item's id."""

    reads: tuple[Read, ...]
    cas: bool
