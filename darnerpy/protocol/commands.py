"""What a client can ask for, as values.

A codec produces these and the session consumes them. They are immutable once made, because the codec
hands out the same object again for the same line. Names arrive checked: `queue` and `consumer` are
legal, options make sense together.
"""

import msgspec

__all__ = [
    "Chunk",
    "Command",
    "Delete",
    "Flush",
    "FlushAll",
    "Get",
    "Put",
    "Quit",
    "Read",
    "Refused",
    "Stats",
    "Store",
    "Upload",
    "UploadEnd",
    "Verbosity",
    "Version",
]


class Command(msgspec.Struct, gc=False):
    """The base of everything a codec can say."""


class Store(Command):
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


class Put(Command):
    """A whole item of moderate size."""

    store: Store
    body: bytes


class Upload(Command):
    """A large item begins; its bytes follow as `Chunk`s, its end as `UploadEnd`."""

    store: Store


class Chunk(Command):
    """The next bytes of the upload under way."""

    data: bytes


class UploadEnd(Command):
    """The upload under way is complete and rightly ended."""


class Read(Command):
    """One key of a get, taken apart.

    key: as requested, options included; name: without them. wait_ms: how long to wait for an item.
    plain: nothing but perhaps a wait is asked for, of the queue's own consumer.
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


class Get(Command):
    """get or gets; cas: each VALUE line also carries the item's id."""

    reads: tuple[Read, ...]
    cas: bool


class Delete(Command):
    queue: bytes
    consumer: bytes
    noreply: bool


class Flush(Command):
    queue: bytes
    consumer: bytes


class FlushAll(Command):
    noreply: bool


class Stats(Command):
    """queue: the one asked about, None for the whole server."""

    queue: bytes | None


class Verbosity(Command):
    noreply: bool


class Version(Command):
    pass


class Quit(Command):
    pass


class Refused(Command):
    """Nothing to do but answer `reply`; fatal: the framing is lost, close after it."""

    reply: bytes
    fatal: bool = False
