"""What went wrong, in HTTP's words: a status, and an application/problem+json document that says more.

Owns which status an error of ours has. Knows no connection.
"""

import errno
import os
from http import HTTPStatus

import msgspec

from ..errors import (
    ClientError,
    ConflictError,
    DarnerError,
    ItemTooLargeError,
    JournalError,
    LeaseEndedError,
    OutOfDiskError,
    QueueFullError,
    ServerError,
    UnknownConsumerError,
    UnknownLeaseError,
    UnknownQueueError,
)

__all__ = ["MEDIA_TYPE", "Problem", "document", "problem_of", "title"]

MEDIA_TYPE = b"application/problem+json"

Headers = tuple[tuple[bytes, bytes], ...]

_STATUS: tuple[tuple[type[DarnerError], int], ...] = (
    (UnknownQueueError, 404),
    (UnknownConsumerError, 404),
    (UnknownLeaseError, 404),
    (ConflictError, 409),
    (LeaseEndedError, 410),
    (ItemTooLargeError, 413),
    (QueueFullError, 429),
    (OutOfDiskError, 507),
    (ServerError, 503),
    (ClientError, 400),
)
"""The first that fits."""

_NO_ROOM = os.strerror(errno.ENOSPC)
"""What journals say of a disk that is full before `min_free_disk` was noticed."""

_RETRY = ((b"retry-after", b"1"),)
"""What is full, paused or being opened anew may not be in a second."""


class Problem(DarnerError):
    """An answer that is no success. Its text is for people, and names what was wrong."""

    def __init__(self, status: int, detail: str, headers: Headers = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


def problem_of(error: DarnerError) -> Problem:
    if isinstance(error, Problem):
        return error
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, JournalError) and _NO_ROOM in str(error):
        status = 507
    return Problem(status, str(error), _RETRY if status in (429, 503) else ())


def title(status: int) -> str:
    return HTTPStatus(status).phrase


def document(status: int, detail: str) -> bytes:
    said = {"type": "about:blank", "title": title(status), "status": status, "detail": detail}
    return msgspec.json.encode({key: _sayable(value) for key, value in said.items()})


def _sayable(value: object) -> object:
    """JSON is UTF-8: of a name that is not, the bytes are shown."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
