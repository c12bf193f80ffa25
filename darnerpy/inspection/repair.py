"""Rewriting a damaged queue from what of it is whole.

The queue as it is goes into a directory beside the others first. What is whole is then written anew, in
order, with flags, times, attempts and each consumer's place, and takes the place of the old at once:
whenever it is interrupted, the queue is as it was or as it should be.
"""

from datetime import UTC, datetime
from pathlib import Path

from ..brokers.datadir import DataDir
from ..clock import Clock
from ..errors import DarnerError
from ..journals.durable import make_directory
from ..migration.target import QueueWriter
from ..units import counted
from .contents import incoming
from .copies import keep_queue
from .findings import QueueCheck
from .offline import open_queue
from .walk import Progress, Walk

__all__ = ["Repair"]


class Repair:
    """One run over queues of a data directory. kept: where the queues are as they were before."""

    def __init__(self, data: DataDir, clock: Clock) -> None:
        self._data = data
        now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        self.kept = data.path / f"repair-{now:%Y%m%dT%H%M%SZ}"
        number = 1
        while self.kept.exists():
            number += 1
            self.kept = data.path / f"repair-{now:%Y%m%dT%H%M%SZ}-{number}"

    def mend(self, directory: Path, check: QueueCheck, progress: Progress) -> None:
        """Rewrite the queue in a directory, of which a check said that it is not clean.

        Says in the check what was done. Items behind a gap are served again, and those that were
        passed over with one to every consumer, since nothing tells who has had them.
        """
        if check.refused or check.name is None:
            check.mended = "nothing was done: " + (
                check.refused or "nothing tells the queue's name"
            )
            return
        make_directory(self.kept)
        kept = self.kept / directory.name
        items = 0
        with open_queue(directory) as queue:
            keep_queue(queue.engine, directory, kept)
            consumers = {name: name for name in queue.found.positions if name}
            seen = Walk(queue, QueueCheck(directory.name), progress, synced=True).items()
            with QueueWriter(
                self._data,
                check.name,
                queue.engine,
                consumers,
                exact=True,
                paused=queue.found.paused,
            ) as writer:
                for item in incoming(queue, seen):
                    writer.put(item, item.created)
                    items += 1
                if items != check.items:
                    raise DarnerError(
                        f"{directory}: {counted(check.items, 'item')} expected, {items:,} found"
                    )
                writer.finish()
        check.mended = (
            f"{counted(items, 'item')} kept, {check.kept:,} of them served again; "
            f"given up: {check.damaged:,} damaged, {check.missing:,} missing; "
            f"as it was before: {kept}"
        )
