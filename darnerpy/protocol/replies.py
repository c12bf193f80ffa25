"""Replies to bytes. The only place that spells the words of the memcache protocol's answers.

`MEMCACHED` and `KESTREL` are the two sets of `Replies` it can be spoken with. Reports (stats and dumps),
which no other dialect has, are functions.
"""

from collections.abc import Iterable

from .contract import Replies
from .item_commands import Read
from .values import END, value, value_header

__all__ = [
    "KESTREL",
    "MEMCACHED",
    "MN",
    "DELETED",
    "END",
    "ERROR",
    "FLUSHED_ALL_KESTREL",
    "NOT_FOUND",
    "NOT_STORED",
    "OK",
    "STORED",
    "backup",
    "block",
    "client_error",
    "one_line",
    "queue_block",
    "server_error",
    "stat",
    "version",
]

STORED = b"STORED\r\n"
NOT_STORED = b"NOT_STORED\r\n"
NOT_FOUND = b"NOT_FOUND\r\n"
DELETED = b"DELETED\r\n"
OK = b"OK\r\n"
ERROR = b"ERROR\r\n"
MN = b"MN\r\n"
FLUSHED_ALL_KESTREL = b"Flushed all queues.\r\n"


def one_line(why: str) -> bytes:
    """The text with all line breaks taken out, as bytes."""
    return " ".join(why.split()).encode("utf-8", "backslashreplace")


def client_error(why: str) -> bytes:
    return b"CLIENT_ERROR %b\r\n" % one_line(why)


def server_error(why: str) -> bytes:
    return b"SERVER_ERROR %b\r\n" % one_line(why)


def version(number: str) -> bytes:
    return b"VERSION %b\r\n" % number.encode()


def stat(name: bytes, number: object) -> bytes:
    return b"STAT %b %b\r\n" % (name, _bytes(number))


def backup(name: str, created: int, queues: int, items: int, size: int, path: str) -> bytes:
    """One line of a list of backups, which the path ends; created: milliseconds since the epoch."""
    line = f"BACKUP {name} {created} {queues} {items} {size} {path}\r\n"
    return line.encode("utf-8", "surrogateescape")


def _bytes(value: object) -> bytes:
    """Text as people read it; what came as bytes that are none goes out as those bytes."""
    return str(value).encode("utf-8", "surrogateescape")


def block(title: bytes, settings: Iterable[tuple[str, object]]) -> bytes:
    """A block of a dump, Kestrel's way: `title {`, a line for each `name=value`, `}`."""
    lines = (_bytes(f"{name}={value}") for name, value in settings)
    return b"%b {\r\n  %b\r\n}\r\n" % (title, b"\r\n  ".join(lines))


def queue_block(name: bytes, settings: Iterable[tuple[str, object]]) -> bytes:
    """The block of a dump that is about a queue."""
    return block(b"queue '%b'" % name, settings)


class _Memcached:
    """What clients of memcached expect: VALUE repeats the key as it was asked for."""

    __slots__ = ()

    plain_values = True
    says_all = True
    stored = STORED
    miss = END
    deleted = DELETED
    flushed = END
    flushed_all = OK
    ok = OK
    reloaded = b"Reloaded config.\r\n"
    status_changed = END
    shutting_down = b""
    too_few_open = ERROR

    def client_error(self, why: str) -> bytes:
        return client_error(why)

    def server_error(self, why: str) -> bytes:
        return server_error(why)

    def not_stored(self, why: str) -> bytes:
        return NOT_STORED

    def value(self, read: Read, flags: int, data: bytes, cas: int | None, last: bool) -> bytes:
        return value(self._key(read), flags, data, cas) + (END if last else b"")

    def large_value(
        self, read: Read, flags: int, size: int, cas: int | None, last: bool
    ) -> tuple[bytes, bytes]:
        header = value_header(self._key(read), flags, size, cas)
        return header, b"\r\n" + (END if last else b"")

    def unsayable(self, data: bytes | None) -> bytes | None:
        return None

    def count(self, number: int) -> bytes:
        return b"%d\r\n" % number

    def confirmed(self, number: int) -> bytes:
        return END

    def version(self, number: str) -> bytes:
        return version(number)

    def status(self, status: str) -> bytes:
        return b"%b\r\n" % status.upper().encode()

    def _key(self, read: Read) -> bytes:
        return read.key


class _Kestrel(_Memcached):
    """What clients of Kestrel and Darner expect: VALUE names the queue only."""

    __slots__ = ()

    plain_values = False
    flushed_all = FLUSHED_ALL_KESTREL

    def _key(self, read: Read) -> bytes:
        return read.name


MEMCACHED: Replies = _Memcached()
KESTREL: Replies = _Kestrel()
