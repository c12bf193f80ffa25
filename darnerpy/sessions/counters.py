"""What a server has counted since it started. Plain numbers, raised where things happen."""

__all__ = ["Counters"]


class Counters:
    """started: milliseconds of the monotonic clock. hits, misses: of gets and peeks, once answered."""

    __slots__ = (
        "bytes_read",
        "bytes_written",
        "connections",
        "hits",
        "misses",
        "peeks",
        "refused_connections",
        "sets",
        "started",
        "total_connections",
    )

    def __init__(self, started: int) -> None:
        self.started = started
        self.bytes_read = 0
        self.bytes_written = 0
        self.connections = 0
        self.total_connections = 0
        self.refused_connections = 0
        self.peeks = 0
        self.sets = 0
        self.hits = 0
        self.misses = 0

    @property
    def gets(self) -> int:
        """Gets answered; peeks are not among them."""
        return self.hits + self.misses - self.peeks
