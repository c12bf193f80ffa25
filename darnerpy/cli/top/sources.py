"""Where snapshots come from: HTTP, or where there is none the memcache port; and again when it was lost.

Owns the choice, and how long is waited before it is tried again.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...errors import DarnerError
from ...units import Address, UnixAddress
from ..web_arguments import WebAddress
from .polled import polled
from .snapshots import Lost, Snapshot
from .streamed import streamed

__all__ = ["Places", "updates"]

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0


class Places(NamedTuple):
    """Where to ask, in this order; what is None is not asked. interval_s: of looks at the memcache port."""

    web: WebAddress | None
    memcache: Address | UnixAddress | None
    timeout_ms: int
    interval_s: float
    token: str = ""

    def ways(self) -> list[Callable[[], Iterator[Snapshot]]]:
        web, memcache = self.web, self.memcache
        found: list[Callable[[], Iterator[Snapshot]]] = []
        if web is not None:
            found.append(lambda: streamed(web, self.timeout_ms, self.token))
        if memcache is not None:
            found.append(lambda: polled(memcache, self.timeout_ms, self.interval_s))
        return found


def updates(places: Places) -> Iterator[Snapshot | Lost]:
    """Snapshots as they come; `Lost` each time there are none to be had. Never ends."""
    wait_s = _FIRST_WAIT_S
    while True:
        reasons = []
        for way in places.ways():
            seen = False
            try:
                for snapshot in way():
                    seen, wait_s = True, _FIRST_WAIT_S
                    yield snapshot
            except DarnerError as error:
                reasons.append(str(error))
            if seen:
                break
        yield Lost("; ".join(reasons))
        time.sleep(wait_s)
        wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
