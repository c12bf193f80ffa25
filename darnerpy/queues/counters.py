"""What has happened to a consumer since its queue was opened, in numbers."""

__all__ = ["Counters"]


class Counters:
    """Counts of items unless said.

    aborts: open reads that came back, timeouts those of them whose time was up. passed_over: found
    expired; expired: gone for it. dead: out of attempts and moved away, dropped if there was nowhere
    to go. discarded: to make room. flushed: all that waited; purged: a few of them, because somebody asked
    for that. moved: to another queue because somebody asked for that.

    Two make up for what is not counted where it happens, so that sums of them never fall. passed: by how
    much the position has moved, to and fro, without anybody having read anything. let_go: open reads that
    ended without being confirmed or counted as returned. confirmed: by consumers that are no more.
    """

    __slots__ = (
        "aborts",
        "confirmed",
        "dead",
        "discarded",
        "dropped",
        "expired",
        "flushed",
        "flushes",
        "let_go",
        "moved",
        "opens",
        "passed",
        "passed_over",
        "purged",
        "timeouts",
    )

    def __init__(self) -> None:
        self.opens = 0
        self.aborts = 0
        self.timeouts = 0
        self.passed_over = 0
        self.expired = 0
        self.dead = 0
        self.dropped = 0
        self.discarded = 0
        self.flushes = 0
        self.flushed = 0
        self.moved = 0
        self.purged = 0
        self.passed = 0
        self.let_go = 0
        self.confirmed = 0

    def add(self, other: "Counters", times: int = 1) -> None:
        """Count what another has; with times -1 no longer."""
        self.opens += times * other.opens
        self.aborts += times * other.aborts
        self.timeouts += times * other.timeouts
        self.passed_over += times * other.passed_over
        self.expired += times * other.expired
        self.dead += times * other.dead
        self.dropped += times * other.dropped
        self.discarded += times * other.discarded
        self.flushes += times * other.flushes
        self.flushed += times * other.flushed
        self.moved += times * other.moved
        self.purged += times * other.purged
        self.passed += times * other.passed
        self.let_go += times * other.let_go
        self.confirmed += times * other.confirmed
