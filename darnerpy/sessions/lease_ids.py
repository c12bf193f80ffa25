"""What a lease is called outside: all that finds it again, signed, so that nobody can guess or make one.

Owns the text and the key it is signed with, which is kept in the data directory, made when it is first
needed. Who can read the key can make up ids, so nobody else may. That an id is signed says that its lease was
given once, not that it still is in force: the queue knows that.
"""

import hmac
import os
import secrets
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from ..checksums import crc32
from ..errors import ServerError, UnknownLeaseError
from ..journals.durable import sync_directory
from ..locks import Lock
from ..queues.batches import Lease

__all__ = ["LeaseId", "LeaseIds"]

_KEY_BYTES, _SIGNATURE_BYTES = 32, 16
_HEAD = Struct("<BQQQB")
_VERSION = 1
_MOST_TEXT = 1024


class LeaseId(NamedTuple):
    """lease: its number, nonce and item; when it ends is not in its id."""

    queue: bytes
    consumer: bytes
    lease: Lease


class LeaseIds:
    """path: of the file that has the key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None
        self._lock = Lock()

    @property
    def ready(self) -> bool:
        """Whether the key is at hand."""
        return self._key is not None

    def prepare(self, make: bool) -> None:
        """Have the key at hand, if there is one; make: there will be. It may block; thread-safe.

        Raises `ServerError` if the key is damaged, or cannot be read or written.
        """
        try:
            with self._lock:
                if make and not self._path.exists():
                    _make(self._path)
                self._key = _decode(self._path, self._path.read_bytes())
        except FileNotFoundError:
            return  # no lease was ever given
        except OSError as error:
            raise ServerError(f"the key of leases in {self._path}: {error.strerror}") from error

    def text_of(self, lease_id: LeaseId) -> str:
        """Once it is `ready`."""
        queue, consumer, lease = lease_id
        head = _HEAD.pack(_VERSION, lease.id, lease.number, lease.nonce, len(queue))
        body = head + queue + consumer
        return urlsafe_b64encode(body + self._signature(body)).rstrip(b"=").decode("ascii")

    def read(self, text: str) -> LeaseId:
        """Once it was prepared. Raises `UnknownLeaseError` unless it is the text of an id, signed."""
        if self._key is None:
            raise _unknown()
        raw = _bytes_of(text)
        body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise _unknown()
        version, item_id, number, nonce, length = _HEAD.unpack_from(body)
        if version != _VERSION:
            raise _unknown()
        names = body[_HEAD.size :]
        return LeaseId(names[:length], names[length:], Lease(item_id, number, nonce, 0))

    def _signature(self, body: bytes) -> bytes:
        assert self._key is not None
        return hmac.digest(self._key, body, "sha256")[:_SIGNATURE_BYTES]


def _unknown() -> UnknownLeaseError:
    return UnknownLeaseError("no lease was ever given that is called so")


def _bytes_of(text: str) -> bytes:
    """Raises `UnknownLeaseError` for what no `text_of` has written."""
    if len(text) > _MOST_TEXT or not text.isascii():
        raise _unknown()
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except Base64Error:
        raise _unknown() from None
    if len(raw) < _HEAD.size + _SIGNATURE_BYTES:
        raise _unknown()
    if urlsafe_b64encode(raw).rstrip(b"=") != text.encode("ascii"):
        raise _unknown()  # the same bits in another way
    return raw


def _make(path: Path) -> None:
    """A key in that place, durably."""
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(_encode(secrets.token_bytes(_KEY_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_directory(path.parent)


def _encode(key: bytes) -> bytes:
    return f"{key.hex()} {crc32(key):08x}\n".encode("ascii")


def _decode(path: Path, text: bytes) -> bytes:
    with suppress(ValueError):
        key = bytes.fromhex(text.split(b" ")[0].decode("ascii"))
        if len(key) == _KEY_BYTES and text == _encode(key):
            return key
    raise ServerError(
        f"the key of leases in {path} is damaged: {_KEY_BYTES} bytes in hexadecimal and their checksum were "
        "expected; restore it, or remove it, and no lease that was given before is known any more"
    )
