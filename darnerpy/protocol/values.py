"""How the memcache protocol says an item: the VALUE line, the data, and what ends the answer.

By itself because nearly every get comes by here: it is compiled, as `replies` is not.
"""

from typing import Final

__all__ = ["END", "answer", "value", "value_header"]

END: Final = b"END\r\n"
_SMALL: Final = [b"%d" % number for number in range(1024)]  # what flags and sizes mostly are


def answer(key: bytes, flags: int, data: bytes) -> bytes:
    """The whole answer to a get that found one item."""
    size = len(data)
    if size < 1024 and flags < 1024:  # and joining costs a third of writing numbers out
        return b"VALUE %b %b %b\r\n%b\r\nEND\r\n" % (key, _SMALL[flags], _SMALL[size], data)
    return b"VALUE %b %d %d\r\n%b\r\nEND\r\n" % (key, flags, size, data)


def value_header(key: bytes, flags: int, size: int, cas: int | None) -> bytes:
    """The line before the data; cas: the item's id for `gets`, None for `get`."""
    if cas is None:
        return b"VALUE %b %d %d\r\n" % (key, flags, size)
    return b"VALUE %b %d %d %d\r\n" % (key, flags, size, cas)


def value(key: bytes, flags: int, data: bytes, cas: int | None) -> bytes:
    """One item, without the END that closes the answer."""
    return b"%b%b\r\n" % (value_header(key, flags, len(data), cas), data)
