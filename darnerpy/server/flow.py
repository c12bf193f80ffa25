"""How much memory the buffers of all connections may take together.

Owns the sum of what was promised to unfinished blocks, of what long lines of keys take until they are
answered, and of what clients do not read. When half of `buffer_memory` is taken, larger blocks go to
disk instead of memory and long lines that are not complete are refused; when all of it is, no more
replies are made for clients that still have some unread. So the sum stays bounded whatever the
clients do, and nobody waits for the largest user to be kind.
"""

from ..protocol.text import MAX_GET_LINE, MAX_INLINE, CodecLimits
from ..protocol.verbs import MAX_LINE
from ..sessions.contract import Host

__all__ = ["Flow"]

_SMALL_BLOCK = 4 * 1024
_OUTPUT_LIMIT = 256 * 1024


class Flow:
    """reserved, unsent: bytes, of all connections."""

    def __init__(self, host: Host, limit: int) -> None:
        self.codec_limits = CodecLimits()
        self.reserved = 0
        self.unsent = 0
        self._host = host
        self._limit = limit

    @property
    def inline(self) -> int:
        """Bytes of an item that may be kept in memory until it has arrived."""
        return self.codec_limits.inline

    def reserve(self, change: int) -> None:
        """So many bytes more (or less) are promised to what is not complete, or not answered."""
        self.reserved += change
        self._adapt()

    def hold(self, change: int) -> None:
        """So many bytes more (or less) wait for clients to read them."""
        self.unsent += change
        self._adapt()

    def _adapt(self) -> None:
        taken = self.reserved + self.unsent
        room = taken < self._limit // 2
        self.codec_limits.inline = MAX_INLINE if room else _SMALL_BLOCK
        self.codec_limits.keys = MAX_GET_LINE if room else MAX_LINE
        self._host.output_limit = _OUTPUT_LIMIT if taken < self._limit else 0
