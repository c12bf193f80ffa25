"""What goes over the wire: the one place where a command line is built.

A line that leaves here is one line, whatever it was made of: no word of it holds a blank, a control
character or nothing at all. What the words may be is for those who know (`arguments`, `names`); what
an argument got wrong is told there, by its name. Here nothing gets past.
"""

from ..errors import ClientError
from ..names import split

__all__ = ["MAX_LINE", "exptime", "key", "request"]

MAX_LINE = 2048
"""Bytes of a line that a server takes, its end not counted."""

_RELATIVE_S = 2_592_000
"""From here on (30 days) an exptime is no number of seconds from now, but Unix time."""


def request(*words: bytes | int) -> bytes:
    """One command line with its end. Raises `ClientError` for words that cannot be in one."""
    parts = [b"%d" % word if isinstance(word, int) else word for word in words]
    for part in parts:
        if not part or any(byte <= 0x20 or byte == 0x7F for byte in part):
            raise ClientError(f"{part!r} cannot be a word of a command")
    line = b" ".join(parts)
    if len(line) > MAX_LINE:
        raise ClientError(
            f"the command would be {len(line)} bytes long, at most {MAX_LINE} are allowed: "
            "name fewer queues at a time"
        )
    return line + b"\r\n"


def key(queue: bytes, *options: bytes) -> bytes:
    """The key of a get. Raises `ClientError` for a name that no queue can have."""
    split(queue)
    return b"/".join((queue, *options))


def exptime(lasts_ms: int | None, now_ms: int) -> int:
    """The expiry time of a `set`, for an item that is to last so long; None is for ever.

    The protocol knows whole seconds: what is begun counts, since 0 would mean never. Many seconds
    would be taken for a date: then it is one.
    """
    if lasts_ms is None:
        return 0
    seconds = -(-lasts_ms // 1000)
    return seconds if seconds < _RELATIVE_S else -(-(now_ms + lasts_ms) // 1000)
