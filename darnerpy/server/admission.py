"""Who may connect: as many as the settings allow, and as there are descriptors for.

Owns the counts, in all and by address. Knows no connection: it is told who comes and who goes, and says
why one more is turned away.
"""

import logging
from collections import Counter
from collections.abc import Callable

from ..brokers.descriptors import JOURNAL_DESCRIPTORS, connections_possible, descriptor_limit
from ..config import Settings
from ..sessions.counters import Counters

__all__ = ["Admission"]

log = logging.getLogger("darnerpy.server")

_MOST_CLOSING = 1000


class Admission:
    """closing: connections on their way out, of all ports. most_closing: so many may be, beside those that
    are counted.
    """

    def __init__(
        self, settings: Callable[[], Settings], counters: Counters, open_journals: int
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._journals = open_journals
        self._limit = descriptor_limit()
        room = connections_possible(self._limit, open_journals)
        self.closing = 0
        self.most_closing = min(_MOST_CLOSING, room // 10)
        self._possible = room - self.most_closing
        self._by_address: Counter[str] = Counter()

    def warn(self) -> None:
        """Say so if what is configured cannot fit into the descriptors there are."""
        wanted = self._settings().max_connections
        journals = self._journals * JOURNAL_DESCRIPTORS
        if self._possible < max(wanted, 2):
            log.warning(
                "not enough file descriptors for what is configured",
                extra={
                    "limit": self._limit,
                    "journal_descriptors": journals,
                    "max_connections": wanted,
                    "connections_possible": self._possible,
                },
            )

    def refusal(self, address: str | None) -> str | None:
        """Why one more connection is refused, None if it is not. address: None if it has none."""
        settings = self._settings()
        most = min(settings.max_connections or self._possible, self._possible)
        if self._counters.connections >= most:
            return f"too many connections, {most} are allowed"
        most = settings.max_connections_per_address
        if most and address is not None and self._by_address[address] >= most:
            return f"too many connections from {address}, {most} are allowed"
        return None

    def joined(self, address: str | None) -> None:
        self._counters.connections += 1
        if address is not None:
            self._by_address[address] += 1

    def left(self, address: str | None) -> None:
        self._counters.connections -= 1
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
