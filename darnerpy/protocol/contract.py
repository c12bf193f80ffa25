"""What a session and a connection need of a dialect: `Replies` to answer in, a `Codec` to listen with.

Whoever holds these two need not know which dialect is spoken. A dialect is one codec and one set of
replies; what the codec itself refuses is answered from the same set.
"""

from collections.abc import Sequence
from typing import Protocol

from .commands import Command
from .item_commands import Read

__all__ = ["Codec", "Replies"]


class Codec(Protocol):
    """One connection's bytes to commands; never raises.

    closed: it takes no more, after a fatal `Refused`. reserved: bytes of memory that what is not
    complete takes or will take. completed: counts what came in parts and is whole now.
    """

    closed: bool
    completed: int
    reserved: int

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two commands."""
        ...

    def feed(self, data: bytes) -> Sequence[Command]:
        """Take the next bytes; return the commands they complete, in order."""
        ...


class Replies(Protocol):
    """Every answer but the reports, as the bytes of one dialect.

    What never varies is an attribute, so that saying it costs nothing:

    plain_values: a get that found one item is answered by `values.answer`, which costs less than
        `value`.
    says_all: any item can be said, there is no need to ask `unsayable`.
    miss: nothing is there, or nothing more; also ends a monitor, several keys, and answers close
        and abort.
    ok: done, nothing to tell.
    shutting_down: the last word before the connection is closed; it may be empty.
    too_few_open: nothing was confirmed.
    """

    plain_values: bool
    says_all: bool
    stored: bytes
    miss: bytes
    deleted: bytes
    flushed: bytes
    flushed_all: bytes
    ok: bytes
    reloaded: bytes
    status_changed: bytes
    shutting_down: bytes
    too_few_open: bytes

    def client_error(self, why: str) -> bytes: ...

    def server_error(self, why: str) -> bytes: ...

    def not_stored(self, why: str) -> bytes:
        """The queue takes no more."""
        ...

    def value(self, read: Read, flags: int, data: bytes, cas: int | None, last: bool) -> bytes:
        """One item. cas: its id, None if not asked for; last: nothing more is to be answered."""
        ...

    def large_value(
        self, read: Read, flags: int, size: int, cas: int | None, last: bool
    ) -> tuple[bytes, bytes]:
        """What goes before and behind the item's data, for one that is sent from a file."""
        ...

    def unsayable(self, data: bytes | None) -> bytes | None:
        """The answer for an item that cannot be said, None if it can; data: None if it is in a file.

        Such an item stays where it is, or goes back to its place.
        """
        ...

    def count(self, number: int) -> bytes:
        """So many items were stored (a group) or dropped (as expired)."""
        ...

    def confirmed(self, number: int) -> bytes:
        """So many open reads were closed."""
        ...

    def version(self, number: str) -> bytes: ...

    def status(self, status: str) -> bytes:
        """status: up, readonly, quiescent or writeavoid."""
        ...
