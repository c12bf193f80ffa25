"""Other protocols that come to the wrong port, known by the first byte of a connection.

Owns which bytes those are and what is said to whom. No line of a text protocol begins with one of
them, so nothing is taken from anybody; and what follows must never be read as lines, because a value
inside of it may look like commands. Pure; knows no codec.
"""

__all__ = ["BINARY", "ENOUGH", "REDIS", "TLS", "answer", "is_foreign"]

BINARY, TLS, REDIS = 0x80, 0x16, ord("*")

_FIRST = frozenset((BINARY, TLS, REDIS))
_OPAQUE = 12
ENOUGH = 16
"""So many bytes are enough to answer anybody: the opaque of a binary request ends here."""

_UNKNOWN_COMMAND = 0x0081
_ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"
"""A record of TLS that holds one alert: fatal, unexpected message."""


def is_foreign(begun: bytes) -> bool:
    """Whether these, the first bytes of a connection, are another protocol's."""
    return begun[0] in _FIRST


def answer(begun: bytes) -> bytes | None:
    """What to say, in its own words, to one that came to a memcache port; None: tell more first."""
    first = begun[0]
    if first == TLS:
        return _ALERT
    if first == REDIS:
        return b"-ERR this port speaks the memcache text protocol, not Redis\r\n"
    if len(begun) < ENOUGH:
        return None
    # Magic, the request's opcode, no key, no extras, the status, no body; its opaque, no cas.
    return b"\x81%c\x00\x00\x00\x00%b%b%b%b" % (
        begun[1],
        _UNKNOWN_COMMAND.to_bytes(2, "big"),
        bytes(4),
        begun[_OPAQUE:ENOUGH],
        bytes(8),
    )
