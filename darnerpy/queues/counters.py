"""What has happened to a consumer since its queue was opened, in numbers."""

__all__ = ["Counters"]


class Counters:
    """Counts of items unless said.

    aborts: open reads that came back, timeouts those of them whose time was up. passed_over: found
    expired; expired: gone for it. dead: out of attempts and moved away, dropped if there was nowhere
    to go. discarded: to make room.
    """

    __slots__ = (
        "aborts",
        "dead",
        "discarded",
        "dropped",
        "expired",
        "flushes",
        "opens",
        "passed_over",
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

    def add(self, other: "Counters", times: int = 1) -> None:
        """Count what another has; with times -1 no longer."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + times * getattr(other, name))
