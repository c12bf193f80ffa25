"""Names: what is allowed, how a consumer is named, and the form that is safe on disk.

A name is bytes, as it came from the wire. `work+audit` is the consumer `audit` of the queue `work`:
the first `+` splits. Names never reach the file system raw; `file_name` gives a form that is safe
there whatever the name (`.`, `..`, `~`, capitals on case-blind disks, 250 bytes of anything). A backup's
name is that of its directory, so less is allowed.
"""

import hashlib
import re

from .errors import ClientError

__all__ = [
    "BACKUP_NAME",
    "MAX_NAME",
    "check_consumer",
    "file_name",
    "from_file_name",
    "is_backup_name",
    "is_queue",
    "split",
]

MAX_NAME = 250
"""Bytes a name may have at most, options not counted (memcached's limit for keys)."""

BACKUP_NAME = "a backup's name, 1 to 100 of A-Z a-z 0-9 . _ - with no dot first,"
"""What is allowed for one, for people."""

_BACKUP = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_LEGAL = re.compile(rb"[\x21-\x2e\x30-\x7e\x80-\xff]+")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_MAX_FILE_NAME = 200
_HASHED_PREFIX = 120


def split(name: bytes) -> tuple[bytes, bytes]:
    """Take a name apart into queue and consumer; the queue's own consumer is named b"".

    Raises `ClientError` for a name that no queue or consumer can have.
    """
    _check(name, "queue name", MAX_NAME)
    queue, plus, consumer = name.partition(b"+")
    if plus and not (queue and consumer):
        raise ClientError("queue+consumer needs a name on both sides of the +")
    return queue, consumer


def check_consumer(name: bytes) -> None:
    """Raises `ClientError` for a name that no consumer of any queue can have."""
    _check(name, "consumer name", MAX_NAME - 2)


def _check(name: bytes, what: str, most: int) -> None:
    if not name:
        raise ClientError(f"{what} is empty")
    if len(name) > most:
        raise ClientError(f"{what} is {len(name)} bytes, at most {most} are allowed")
    legal = _LEGAL.match(name)
    if legal is None or legal.end() != len(name):
        at = 0 if legal is None else legal.end()
        raise ClientError(f"{what} may not contain byte 0x{name[at]:02x} (at {at})")


def is_backup_name(text: str) -> bool:
    return _BACKUP.fullmatch(text) is not None


def is_queue(name: bytes) -> bool:
    """Whether a queue can have that name."""
    try:
        return not split(name)[1]
    except ClientError:
        return False


def file_name(queue: bytes) -> str:
    """The directory name for a queue: readable where possible, unique, never special on disk."""
    text = "".join(chr(b) if b in _PLAIN else f"%{b:02X}" for b in queue)
    if len(text) <= _MAX_FILE_NAME:
        return text
    return f"{text[:_HASHED_PREFIX]}~{hashlib.sha256(queue).hexdigest()[:32]}"


def from_file_name(text: str) -> bytes | None:
    """The queue a directory belongs to; None when only the journal inside knows (a hashed name).

    Raises `ValueError` for a name that `file_name` cannot have made.
    """
    if "~" in text:
        return None
    queue = re.sub(
        rb"%([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode("latin-1")
    )
    if not queue or file_name(queue) != text:
        raise ValueError(f"{text!r} is not the directory name of any queue")
    return queue
