"""The replies of Kestrel's text protocol. The only place that spells them.

A line each: `+` and a count, `-` and why not, `:` and an item or a word, `*` for no item. An item is
said as it is, so that one with a line break in it cannot be said.
"""

from .contract import Replies
from .item_commands import Read
from .replies import one_line

__all__ = ["REPLIES"]

_DONE = b"+0\n"
_OTHERWISE = "read it over the memcache port"


class _KestrelText:
    __slots__ = ()

    plain_values = False
    says_all = False
    stored = b"+1\n"
    miss = b"*\n"
    deleted = _DONE
    flushed = _DONE
    flushed_all = _DONE
    ok = _DONE
    reloaded = _DONE
    status_changed = _DONE
    shutting_down = _DONE
    too_few_open = b"-Not that many transactions open.\n"

    def client_error(self, why: str) -> bytes:
        return b"-%b\n" % one_line(why)

    def server_error(self, why: str) -> bytes:
        return b"-%b\n" % one_line(why)

    def not_stored(self, why: str) -> bytes:
        return b"-%b\n" % one_line(why)

    def value(self, read: Read, flags: int, data: bytes, cas: int | None, last: bool) -> bytes:
        return b":%b\n" % data

    def large_value(
        self, read: Read, flags: int, size: int, cas: int | None, last: bool
    ) -> tuple[bytes, bytes]:
        return b":", b"\n"

    def unsayable(self, data: bytes | None) -> bytes | None:
        if data is None:
            # Whether there are line breaks in it cannot be known without reading all of it.
            return self.client_error(f"item is too large, {_OTHERWISE}")
        if b"\n" in data:
            return self.client_error(f"item has line breaks, {_OTHERWISE}")
        return None

    def count(self, number: int) -> bytes:
        return b"+%d\n" % number

    def confirmed(self, number: int) -> bytes:
        return b"+%d\n" % number

    def version(self, number: str) -> bytes:
        return b":%b\n" % number.encode()

    def status(self, status: str) -> bytes:
        return b":%b\n" % status.upper().encode()


REPLIES: Replies = _KestrelText()
