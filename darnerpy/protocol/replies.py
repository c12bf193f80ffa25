"""Replies to bytes. The only place that spells the words of the memcache protocol's answers."""

__all__ = [
    "DELETED",
    "END",
    "ERROR",
    "FLUSHED_ALL_KESTREL",
    "NOT_FOUND",
    "NOT_STORED",
    "OK",
    "STORED",
    "VALUE",
    "client_error",
    "server_error",
    "stat",
    "value",
    "value_header",
    "version",
]

STORED = b"STORED\r\n"
NOT_STORED = b"NOT_STORED\r\n"
NOT_FOUND = b"NOT_FOUND\r\n"
DELETED = b"DELETED\r\n"
END = b"END\r\n"
OK = b"OK\r\n"
ERROR = b"ERROR\r\n"
FLUSHED_ALL_KESTREL = b"Flushed all queues.\r\n"
VALUE = b"VALUE %b %d %d\r\n%b\r\nEND\r\n"
"""The whole reply to a get that found one item: key, flags, size, data."""


def _line(word: bytes, why: str) -> bytes:
    text = " ".join(why.split()).encode("utf-8", "backslashreplace")
    return b"%b %b\r\n" % (word, text)


def client_error(why: str) -> bytes:
    return _line(b"CLIENT_ERROR", why)


def server_error(why: str) -> bytes:
    return _line(b"SERVER_ERROR", why)


def version(number: str) -> bytes:
    return b"VERSION %b\r\n" % number.encode()


def value_header(key: bytes, flags: int, size: int, cas: int | None) -> bytes:
    """The line before the data block; cas: the item's id for `gets`, None for `get`."""
    if cas is None:
        return b"VALUE %b %d %d\r\n" % (key, flags, size)
    return b"VALUE %b %d %d %d\r\n" % (key, flags, size, cas)


def value(key: bytes, flags: int, data: bytes, cas: int | None) -> bytes:
    """One item, without the END that closes the reply."""
    return b"%b%b\r\n" % (value_header(key, flags, len(data), cas), data)


def stat(name: bytes, number: object) -> bytes:
    return b"STAT %b %b\r\n" % (name, str(number).encode("latin-1"))
