"""What was done to queues as a whole, and by whom: a line of the log for each, and word to those who watch.

Owns the form of both. An act is told when it was asked for and let in, not when it is on disk. Knows nothing
of what acts there are.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from ..clock import Clock

__all__ = ["Act", "Acts"]

log = logging.getLogger("darnerpy.session")


class Act(NamedTuple):
    """act: in words, such as "purge". queue: it was done to; of a consumer, `queue+consumer`. who: asked
    for it. time: milliseconds since the epoch. more: what else there is to say, by key.
    """

    act: str
    queue: bytes
    who: str
    time: int
    more: dict[str, object]


class Acts:
    """watchers: are told of each act as it is noted."""

    def __init__(self, clock: Clock) -> None:
        self.watchers: list[Callable[[Act], None]] = []
        self._clock = clock

    def note(self, act: str, queue: bytes, who: str, **more: object) -> None:
        self._note(act, queue, who, "who", more)

    def note_often(self, act: str, queue: bytes, who: str) -> None:
        """What may be asked thousands of times a second: of lines that say `peer` the log leaves some out."""
        self._note(act, queue, who, "peer", {})

    def _note(self, act: str, queue: bytes, who: str, called: str, more: dict[str, object]) -> None:
        # The whole text: by it the log tells what it has left out.
        log.info(f"asked to {act}", extra={"queue": queue, **more, called: who})
        told = Act(act, queue, who, self._clock.now_ms(), more)
        for watcher in list(self.watchers):
            watcher(told)
