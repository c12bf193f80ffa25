"""A line of get or gets that is longer than other lines may be: many keys, taken as they come.

Owns what is kept of such a line and how its keys are checked: each once, when it is complete, so that
time is linear however the bytes were cut up. Promises that a line with one bad key becomes a
`Refused`, and that what becomes a `GetMany` is good from end to end. Only the bytes are kept; as
objects half a million keys would take a hundred times as much.
"""

import re
from collections.abc import Iterator

from ..errors import ClientError
from . import replies
from .arguments import check_waits
from .commands import Command, GetMany, Refused
from .item_commands import Get, Read
from .options import parse_read_key
from .verbs import HTTP_HERE, MAX_LINE, is_http_version

__all__ = ["MAX_GET_LINE", "LongGet", "reads_of"]

MAX_GET_LINE = 1024 * 1024
"""Bytes of a line of get or gets without its line end."""

_TAIL = 16
_KEY_TOO_LONG = f"key too long, {MAX_LINE} bytes with its options are allowed"
_MEMORY_SHORT = f"memory is short, lines of at most {MAX_LINE} bytes are taken"
_VERB = re.compile(rb" *(get|gets) ", re.IGNORECASE)
_PLAIN = re.compile(
    rb"(?:[\x21-\x2a\x2c-\x2e\x30-\x7e\x80-\xff]{1,250}+"
    rb"(?:/(?:open|close/open|close|abort|peek))?+(?: |\Z)| )*+"
)
"""Names, also with one of the usual options, as many as there are: nothing can be wrong with them."""


class LongGet:
    """The line under way. too_long: even for a get; nothing else matters then."""

    __slots__ = ("_cas", "_checked", "_kept", "_refusal", "_size", "_some", "_waits", "too_long")

    def __init__(self, cas: bool, size: int) -> None:
        self.too_long = False
        self._cas = cas
        self._size = size
        self._kept = bytearray()
        self._checked = 0
        self._some = False
        self._waits: ClientError | None = None
        self._refusal: bytes | None = None

    @classmethod
    def begun(cls, line: bytes, limit: int = MAX_GET_LINE) -> "LongGet | None":
        """Take the beginning of a line that is over `MAX_LINE`; None if it is no get."""
        verb = _VERB.match(line, 0, MAX_LINE)
        if verb is None:
            return None
        self = cls(len(verb[1]) == len(b"gets"), verb.end())
        self.take(line[verb.end() :], limit)
        return self

    @property
    def kept(self) -> int:
        """Bytes of memory that it takes."""
        return len(self._kept)

    def take(self, part: bytes, limit: int = MAX_GET_LINE) -> None:
        """The next bytes of the line. limit: more than this is not kept, because memory is short."""
        self._size += len(part)
        over = self._size - MAX_GET_LINE
        # A carriage return may still turn out to be half of the line end.
        if over > 1 or (over == 1 and part[-1] != 13):
            self.too_long = True
            return
        self._kept += part
        if self._refusal is None:
            self._check_new(len(part), limit)
        if self._refusal is not None:
            self._forget()

    def command(self) -> Command:
        """The line has ended."""
        if self._kept.endswith(b"\r"):
            del self._kept[-1]
        last = bytes(self._kept[self._kept.rfind(b" ") + 1 :])
        if is_http_version(last) and self._some:
            return Refused(replies.client_error(HTTP_HERE), fatal=True)
        if self._refusal is None:
            self._check(last)
        if self._refusal is not None:
            return Refused(self._refusal)
        error = self._waits
        keys = bytes(self._kept).strip(b" ")
        if not keys:
            error = ClientError("a key is expected")
        if error is not None:
            return Refused(replies.client_error(str(error)))
        if b" " not in keys:
            return Get((parse_read_key(keys),), self._cas)
        return GetMany(keys, self._cas)

    def _check_new(self, size: int, limit: int) -> None:
        """So many bytes are new: check the keys that are whole now."""
        kept = self._kept
        end = kept.rfind(b" ", len(kept) - size) + 1
        if end:
            self._check(bytes(kept[self._checked : end]))
            self._checked = end
        if len(kept) > limit:
            self._refusal = replies.server_error(_MEMORY_SHORT)
        elif len(kept) - self._checked > MAX_LINE + 1:
            self._refusal = self._refusal or replies.client_error(_KEY_TOO_LONG)

    def _check(self, keys: bytes) -> None:
        """Whole keys; the first that is wrong is the one that is told."""
        at, size = 0, len(keys)
        while True:
            plain = _PLAIN.match(keys, at)
            assert plain is not None
            if not self._some:
                self._some = bool(plain[0].strip(b" "))
            at = plain.end()
            if at == size:
                return
            end = keys.find(b" ", at)
            end = size if end < 0 else end
            try:
                if end - at > MAX_LINE:
                    raise ClientError(_KEY_TOO_LONG)
                read = parse_read_key(keys[at:end])
            except ClientError as error:
                self._some = True
                self._refusal = replies.client_error(str(error))
                return
            try:
                check_waits(read, first=not self._some)
            except ClientError as error:
                self._waits = error
            self._some = True
            at = end

    def _forget(self) -> None:
        """Keep no more than shows whether the line ends as an HTTP request does."""
        start = self._kept.rfind(b" ") + 1
        self._some = self._some or bool(self._kept[:start].strip(b" "))
        self._kept = self._kept[start : start + _TAIL]


def reads_of(keys: bytes) -> Iterator[Read]:
    """The keys of a `GetMany`, one after another; they are known to be good."""
    at, size = 0, len(keys)
    while at < size:
        end = keys.find(b" ", at)
        end = size if end < 0 else end
        key = keys[at:end]
        if b"/" in key or b"+" in key:
            yield parse_read_key(key)
        elif key:
            yield Read(key, key, key, b"", plain=True)
        at = end + 1
