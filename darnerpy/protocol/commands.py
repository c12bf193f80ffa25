"""What a client can ask for, as values.

A codec produces these and the session consumes them. They are immutable once made, because the codec
hands out the same object again for the same line. Names arrive checked: `queue` and `consumer` are
legal, options make sense together.
"""

from typing import ClassVar, Protocol

import msgspec

from .item_commands import Store

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
    "GetMany",
    "Group",
    "GroupEnd",
    "GroupedPut",
    "ListBackups",
    "Monitor",
    "Quit",
    "Refused",
    "Reload",
    "SetStatus",
    "Shutdown",
    "Stats",
    "Status",
    "Upload",
    "UploadEnd",
    "Verbosity",
    "Version",
]


class Command(Protocol):
    """Anything a codec can say.

    administrative: concerns the server or all its queues at once, and can be switched off.
    """

    administrative: ClassVar[bool]


class _Value(msgspec.Struct, gc=False):
    administrative: ClassVar[bool] = False


class Upload(_Value):
    """A large item begins; its bytes follow as `Chunk`s, its end as `UploadEnd`."""

    store: Store


class Chunk(_Value):
    """The next bytes of the upload under way."""

    data: bytes


class UploadEnd(_Value):
    """The upload under way is complete and rightly ended."""


class Group(_Value):
    """What the items of one put in Kestrel's text protocol have in common; no command by itself.

    expiry_ms: milliseconds from now, 0 is never, negative has passed already.
    """

    queue: bytes
    consumer: bytes
    expiry_ms: int


class GroupedPut(_Value):
    """One of a group's items, to be stored as it comes; not answered by itself.

    The first that is refused ends the storing: later ones of the group are passed over.
    """

    group: Group
    body: bytes


class GroupEnd(_Value):
    """The group is complete; perhaps it was empty.

    The answer waits until all that was stored is safe: how many, always the first so many of the
    group; or, if that is none but there were some, why.
    """

    group: Group


class GetMany(_Value):
    """A get of very many keys, which are left as they came, with blanks between them.

    Each of them is good; see `reads_of`.
    """

    keys: bytes
    cas: bool


class Monitor(_Value):
    """Open items as they come, for so long or until so many are open, each answered at once.

    key: as requested. max: items at most, None for as many as may be open. close_all: as of a read.
    """

    queue: bytes
    consumer: bytes
    key: bytes
    wait_ms: int
    max: int | None
    close_all: bool = False


class Confirm(_Value):
    """Close the oldest open reads, so many (at least 1) or, if fewer are open, none."""

    queue: bytes
    consumer: bytes
    count: int


class Delete(_Value):
    queue: bytes
    consumer: bytes
    noreply: bool


class Flush(_Value):
    queue: bytes
    consumer: bytes


class FlushAll(_Value):
    administrative: ClassVar[bool] = True
    noreply: bool


class FlushExpired(_Value):
    """Drop what has expired of what waits; answered with how many items that were."""

    queue: bytes
    consumer: bytes


class FlushAllExpired(_Value):
    administrative: ClassVar[bool] = True


class Stats(_Value):
    """queue: the one asked about, None for the whole server."""

    queue: bytes | None


class DumpStats(_Value):
    """queues: names as given, known or not; empty for all there are."""

    queues: tuple[bytes, ...]


class DumpConfig(_Value):
    """queues: names as given, known or not; empty for all there are."""

    administrative: ClassVar[bool] = True
    queues: tuple[bytes, ...]


class Reload(_Value):
    """Read the configuration again."""

    administrative: ClassVar[bool] = True


class Shutdown(_Value):
    """Stop the server, as a signal would."""

    administrative: ClassVar[bool] = True


class Status(_Value):
    """Ask for the server's status."""


class SetStatus(_Value):
    """status: up, readonly, quiescent or writeavoid."""

    administrative: ClassVar[bool] = True
    status: str


class Backup(_Value):
    """queues: those to copy, None is all. name: of the backup."""

    administrative: ClassVar[bool] = True
    queues: tuple[bytes, ...] | None
    name: str


class ListBackups(_Value):
    """Ask which backups there are, the oldest first."""

    administrative: ClassVar[bool] = True


class DeleteBackup(_Value):
    """name: of the backup to remove."""

    administrative: ClassVar[bool] = True
    name: str


class Verbosity(_Value):
    noreply: bool


class Version(_Value):
    pass


class Quit(_Value):
    pass


class Refused(_Value):
    """Nothing to do but answer `reply`; fatal: the framing is lost, close after it."""

    reply: bytes
    fatal: bool = False
