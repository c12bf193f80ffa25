"""Reading a source to the end, as tests want to look at it."""

from darnerpy.migration.report import QueueReport
from darnerpy.migration.source import Incoming, Source

__all__ = ["QueueRead", "read"]


class QueueRead:
    """What a queue of a source gave. items: with all data, also of large ones."""

    def __init__(self, items: list[Incoming], consumers: list[bytes], report: QueueReport) -> None:
        self.items = items
        self.consumers = consumers
        self.damage = report.damage
        self.notes = report.notes

    def data(self, reader: bytes = b"") -> list[bytes]:
        """What a consumer would get, in order."""
        return [
            item.data or b""
            for item in self.items
            if item.readers is None or reader in item.readers
        ]


def read(source: Source) -> dict[bytes, QueueRead]:
    """All queues of a source by name. Fails with what reading raises."""
    found = {}
    for queue in source.queues:
        report = QueueReport(queue.name, queue.name)
        with queue.open(report) as content:
            items = [
                item if item.pieces is None else item._replace(data=b"".join(item.pieces()))
                for item in content.items
            ]
        found[queue.name] = QueueRead(items, list(content.consumers), report)
    return found
