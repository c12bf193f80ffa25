"""When what was written to a journal is forced to disk: the policy of one queue, and what it owes.

Owns the count of what came since the last sync, and the timer of the next. What it decides for every
batch is worked out when the settings change. Knows no journal: whoever has it is called when a sync is
due, and tells when one begins.
"""

from collections.abc import Callable
from math import inf

from ..config import QueueSettings
from .scheduling import Timer

__all__ = ["Syncing", "is_stricter"]


class Syncing:
    """owes: whether anything is owed at all; not if all is left to the system. always: what has to last
    is synced before it is answered. counts: so is every batch that makes `is_due` true.

    sync: called when the time of what was written is up.
    """

    __slots__ = (
        "_call_later",
        "_interval_s",
        "_ops",
        "_since",
        "_sync",
        "_timer",
        "always",
        "counts",
        "owes",
    )

    def __init__(
        self,
        settings: QueueSettings,
        call_later: Callable[[float, Callable[[], None]], Timer],
        sync: Callable[[], None],
    ) -> None:
        self._call_later = call_later
        self._sync = sync
        self._timer: Timer | None = None
        self._since = 0
        self.configure(settings)

    def configure(self, settings: QueueSettings) -> None:
        """This is the policy from now on."""
        interval = settings.sync.interval_ms
        self.always = settings.sync.always
        self._interval_s: float | None = None if interval is None else interval / 1000
        self._ops = settings.sync_ops or 0
        self.counts = self._ops > 0
        self.owes = self.always or self.counts or interval is not None

    def is_due(self, operations: int) -> bool:
        """Whether so many items, put or confirmed, are too many to go without a sync."""
        self._since += operations
        return self._since >= self._ops

    def wrote(self) -> None:
        """Something that has to last was written, and is not synced."""
        if self._interval_s is not None and self._timer is None:
            self._timer = self._call_later(self._interval_s, self._due)

    def _due(self) -> None:
        self._timer = None
        self._sync()

    def settle(self) -> bool:
        """All that was written is being synced, or need not be any more; whether that was owed."""
        owed = self._timer is not None or self._since > 0
        self._since = 0
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        return owed


def is_stricter(new: QueueSettings, old: QueueSettings) -> bool:
    """Whether, by one policy, something has to be on disk that the other one would leave."""
    if new.sync.always or old.sync.always:
        return not old.sync.always
    return _most(new.sync.interval_ms) < _most(old.sync.interval_ms) or (
        _most(new.sync_ops) < _most(old.sync_ops)
    )


def _most(limit: int | None) -> float:
    return inf if limit is None else limit
