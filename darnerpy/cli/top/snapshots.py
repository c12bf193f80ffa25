"""What a server looks like at one moment: a row for each consumer, and what there is of all together.

Owns the form in which both ways of asking bring it. Times are seconds of this machine's monotonic clock, and
knows nothing of who asks or shows.
"""

from typing import NamedTuple

__all__ = ["Lost", "Row", "Snapshot", "Totals", "since"]


def since(now: float, age_ms: int, items: int, delayed: int) -> float | None:
    """When the next item was put. None if there is none: items that are all delayed have no age either, which
    the server tells as 0, as that of an item which has just been put.
    """
    return now - age_ms / 1000 if items > delayed else None


class Row(NamedTuple):
    """name: QUEUE or QUEUE+CONSUMER. since: when its next item was put, None if there is none. Rates are a
    second's. state: ready, loading or failed. paused: none, puts, gets or both. What is not known is 0.
    """

    name: str
    items: int = 0
    bytes: int = 0
    open: int = 0
    waiters: int = 0
    delayed: int = 0
    since: float | None = None
    puts: float = 0.0
    gets: float = 0.0
    disk: int = 0
    state: str = "ready"
    paused: str = "none"
    lagging: bool = False

    @property
    def is_consumer(self) -> bool:
        return "+" in self.name


class Totals(NamedTuple):
    """Of the server. What is put counts once, all else for each consumer. commit_ms: what the last commit
    took, commit_p99: what 99 of 100 took at most. What this way of asking does not tell is None.
    """

    version: str = ""
    status: str = "up"
    uptime: int = 0
    queues: int = 0
    items: int = 0
    bytes: int = 0
    open: int = 0
    waiters: int = 0
    since: float | None = None
    puts: float = 0.0
    gets: float = 0.0
    connections: int = 0
    disk: int | None = None
    disk_free: int | None = None
    memory: int | None = None
    commit_ms: float | None = None
    commit_p99: float | None = None
    troubles: tuple[str, ...] = ()


class Snapshot(NamedTuple):
    """origin: where it comes from, for people. rated: its rates are known."""

    origin: str
    rated: bool
    totals: Totals
    rows: dict[str, Row]


class Lost(NamedTuple):
    """There is nothing new, and why."""

    reason: str
