"""What a client can ask for, as values.

A codec produces these and the session consumes them. They are immutable once made, because the codec
hands out the same object again for the same line. Names arrive checked: `queue` and `consumer` are
legal, options make sense together.
"""

from typing import ClassVar

import msgspec

__all__ = [
    "Backup",
    "Chunk",
    "Command",
    "Confirm",
    "Delete",
    "DeleteBackup",
    "DumpConfig",
    "DumpStats",
    "Flush",
    "FlushAll",
    "FlushAllExpired",
    "FlushExpired",
    "Get",
    "GetMany",
    "Group",
    "GroupEnd",
    "GroupedPut",
    "ListBackups",
    "Monitor",
    "Put",
    "Quit",
    "Read",
    "Refused",
    "Reload",
    "SetStatus",
    "Shutdown",
    "Stats",
    "Status",
    "Store",
    "Upload",
    "UploadEnd",
    "Verbosity",
    "Version",
]


class Command(msgspec.Struct, gc=False):
    """The base of everything a codec can say.

    administrative: concerns the server or all its queues at once, and can be switched off.
    """

    administrative: ClassVar[bool] = False


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


class Group(Command):
    """What the items of one put in Kestrel's text protocol have in common; no command by itself.

    expiry_ms: milliseconds from now, 0 is never, negative has passed already.
    """

    queue: bytes
    consumer: bytes
    expiry_ms: int


class GroupedPut(Command):
    """One of a group's items, to be stored as it comes; not answered by itself.

    The first that is refused ends the storing: later ones of the group are passed over.
    """

    group: Group
    body: bytes


class GroupEnd(Command):
    """The group is complete; perhaps it was empty.

    The answer waits until all that was stored is safe: how many, always the first so many of the
    group; or, if that is none but there were some, why.
    """

    group: Group


class Read(Command):
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


class Get(Command):
    """get or gets; cas: each VALUE line also carries the item's id."""

    reads: tuple[Read, ...]
    cas: bool


class GetMany(Command):
    """A get of very many keys, which are left as they came, with blanks between them.

    Each of them is good; see `reads_of`.
    """

    keys: bytes
    cas: bool


class Monitor(Command):
    """Open items as they come, for so long or until so many are open, each answered at once.

    key: as requested. max: items at most, None for as many as may be open. close_all: as of a read.
    """

    queue: bytes
    consumer: bytes
    key: bytes
    wait_ms: int
    max: int | None
    close_all: bool = False


class Confirm(Command):
    """Close the oldest open reads, so many (at least 1) or, if fewer are open, none."""

    queue: bytes
    consumer: bytes
    count: int


class Delete(Command):
    queue: bytes
    consumer: bytes
    noreply: bool


class Flush(Command):
    queue: bytes
    consumer: bytes


class FlushAll(Command):
    administrative: ClassVar[bool] = True
    noreply: bool


class FlushExpired(Command):
    """Drop what has expired of what waits; answered with how many items that were."""

    queue: bytes
    consumer: bytes


class FlushAllExpired(Command):
    administrative: ClassVar[bool] = True


class Stats(Command):
    """queue: the one asked about, None for the whole server."""

    queue: bytes | None


class DumpStats(Command):
    """queues: names as given, known or not; empty for all there are."""

    queues: tuple[bytes, ...]


class DumpConfig(Command):
    """queues: names as given, known or not; empty for all there are."""

    administrative: ClassVar[bool] = True
    queues: tuple[bytes, ...]


class Reload(Command):
    """Read the configuration again."""

    administrative: ClassVar[bool] = True


class Shutdown(Command):
    """Stop the server, as a signal would."""

    administrative: ClassVar[bool] = True


class Status(Command):
    """Ask for the server's status."""


class SetStatus(Command):
    """status: up, readonly, quiescent or writeavoid."""

    administrative: ClassVar[bool] = True
    status: str


class Backup(Command):
    """queues: those to copy, None is all. name: of the backup."""

    administrative: ClassVar[bool] = True
    queues: tuple[bytes, ...] | None
    name: str


class ListBackups(Command):
    """Ask which backups there are, the oldest first."""

    administrative: ClassVar[bool] = True


class DeleteBackup(Command):
    """name: of the backup to remove."""

    administrative: ClassVar[bool] = True
    name: str


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
