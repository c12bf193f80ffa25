"""How much memory the loaded items of all queues may take together.

Owns the sum and each consumer's fair share of it. A consumer counts its own bytes as it goes and
settles them here once a turn; when the sum passes the limit, the largest give back from their far end
(their items are in the journal and are read again when needed).
"""

from typing import Protocol

__all__ = ["Loaded", "Windows"]


class Loaded(Protocol):
    """Something that holds items in memory. loaded: their bytes; settled: as last told here."""

    loaded: int
    settled: int

    def shrink(self, target: int) -> None:
        """Let go of items at the far end until loaded is at most target, but keep the first."""
        ...


class Windows:
    """limit, used: bytes. share: what one consumer may load; at least one item it always may."""

    __slots__ = ("_holders", "limit", "share", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.share = limit
        self.used = 0
        self._holders: set[Loaded] = set()

    def settle(self, holder: Loaded, before: int, now: int) -> None:
        """What a holder has loaded has changed, from so many bytes to so many."""
        if not before or not now:
            (self._holders.add if now else self._holders.discard)(holder)
            self.share = self.limit // max(1, len(self._holders))
        self.used += now - before
        if self.used > self.limit:
            self._shrink()

    def _shrink(self) -> None:
        # To half the share, so that the next time is at least half the limit of loading away.
        target = self.share // 2
        for holder in self._holders:
            if holder.loaded > target:
                holder.shrink(target)
                self.used += holder.loaded - holder.settled
                holder.settled = holder.loaded
