"""Keeping a queue by another engine from now on, with the server stopped.

Everything that the old journal tells is written to a new one beside it, which takes its place when it is
whole and on disk: ids, times, where every consumer stands, what came back, is leased, paused, kept or
lost, the numbers of batches. Large items are linked. Knows of engines only what every journal promises.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..brokers.datadir import DataDir
from ..brokers.drafts import Draft
from ..clock import Clock
from ..errors import DarnerError, JournalError
from ..journals.contract import DiskEngine
from ..journals.large import LargeFiles, Upload
from ..migration.source import LARGE
from ..names import from_file_name
from ..queues.batches import Batch
from ..queues.items import Item
from ..queues.positions import Positions, Span, shared, without
from ..queues.queue import Queue
from ..queues.windows import Windows
from ..units import counted
from .copies import keep
from .findings import shown
from .offline import OfflineQueue, open_queue

__all__ = ["Conversion", "convert_queue"]

_STEP = 256 * 1024
_BATCH_BYTES = 64 * 1024
_BATCH_ITEMS = 1024
_WINDOW_BYTES = 64 * 1024


@dataclass(slots=True)
class Conversion:
    """What became of a queue. directory: its name on disk; name: None if nothing tells it any more.

    engine: what kept it before; wanted: what should from now on. items, size: what somebody is still to
    get, or is kept for a check, and its bytes. lost: ids that were known to be lost, and still are.
    refused: why it is as it was, "" if it is not; unchanged: it had the engine already.
    """

    directory: str
    wanted: str
    name: bytes | None = None
    engine: str = ""
    items: int = 0
    size: int = 0
    lost: int = 0
    unchanged: bool = False
    refused: str = ""

    @property
    def title(self) -> str:
        return self.directory if self.name is None else shown(self.name)

    def as_dict(self) -> dict[str, Any]:
        return {
            "queue": self.title,
            "directory": self.directory,
            "from": self.engine or None,
            "to": self.wanted,
            "converted": not (self.unchanged or self.refused),
            "items": self.items,
            "bytes": self.size,
            "lost": self.lost,
            "refused": self.refused or None,
        }

    def __str__(self) -> str:
        if self.refused:
            return f"{self.title}: NOT CONVERTED: {self.refused}"
        if self.unchanged:
            return f"{self.title}: {self.wanted} already, nothing was done"
        counts = f"{counted(self.items, 'item')}, {counted(self.size, 'byte')}"
        lost = f"; {counted(self.lost, 'item')} lost before stay lost" if self.lost else ""
        return f"{self.title}: {self.engine} -> {self.wanted}: {counts}{lost}"


def convert_queue(
    data: DataDir,
    directory: Path,
    engine: DiskEngine,
    clock: Clock,
    progress: Callable[[int, int], None],
) -> Conversion:
    """Have the queue in a directory kept by this engine. One that is damaged, and of which nobody knows
    yet, stays as it is.
    """
    done = Conversion(directory.name, engine.name, from_file_name(directory.name))
    try:
        with open_queue(directory) as queue:
            done.name, done.engine = queue.name, queue.engine.name
            if queue.engine.name == engine.name:
                done.unchanged = True
            else:
                _Conversion(queue, done, clock, progress).write(data, engine)
    except DarnerError as error:
        done.refused = str(error)
    except OSError as error:
        done.refused = f"{error.filename or 'it cannot be written'}: {error.strerror}"
    return done


class _Conversion:
    def __init__(
        self,
        queue: OfflineQueue,
        done: Conversion,
        clock: Clock,
        progress: Callable[[int, int], None],
    ) -> None:
        self._queue = queue
        self._found = queue.found
        self._done = done
        self._clock = clock
        self._progress = progress
        self._number = queue.found.batch
        self._lost = Positions(0)
        for span, _ in queue.found.lost:
            for piece in list(self._lost.unconfirmed(span)):
                self._lost.confirm(piece)

    def write(self, data: DataDir, engine: DiskEngine) -> None:
        """Raises `DarnerError` or `OSError`; then the queue is as it was."""
        name = self._queue.name
        for damage in self._queue.damage:
            if not damage.missing:
                raise _damaged(damage.what)
        if name is None:
            raise JournalError("nothing tells the queue's name")
        with Draft(data, name, engine) as draft:
            for batch in self._batches(draft.large):
                draft.journal.write(batch, sync=False)
            if self._found.lost:
                draft.journal.note_lost(self._found.lost)
            if self._found.batch or self._found.next_id > 1:  # else nothing was ever put
                draft.journal.write(self._standing(name), sync=False)
            self._keep_others(draft.directory)
            draft.place()
        self._done.lost = self._lost.count_above

    # -- items -------------------------------------------------------------------------------------

    def _batches(self, large: LargeFiles) -> Iterator[Batch]:
        """Every item that not all have confirmed, as batches of those that were put together."""
        run: list[Item] = []
        size = 0
        for item in self._items():
            self._done.items += 1
            self._done.size += item.size
            if item.large or item.size > LARGE:
                yield from self._batch(run)
                run, size = [], 0
                item.large = self._link(item, large)
                item.data = None
                yield from self._batch([item])
                continue
            last = run[-1] if run else None
            if last is not None and not (
                item.id == last.id + 1
                and item.offset == last.offset + last.size
                and size + item.size <= _BATCH_BYTES
                and len(run) < _BATCH_ITEMS
            ):
                yield from self._batch(run)
                run, size = [], 0
            run.append(item)
            size += item.size
        yield from self._batch(run)

    def _batch(self, items: list[Item]) -> Iterator[Batch]:
        if not items:
            return
        last = items[-1]
        self._number += 1
        batch = Batch(self._number, items[0].created)
        batch.items = items
        batch.size = sum(item.size for item in items)
        batch.large = last.large > 0
        batch.next_id, batch.next_offset = last.id + 1, last.offset + last.size
        yield batch

    def _items(self) -> Iterator[Item]:
        found, journal = self._found, self._queue.journal
        places = list(found.positions.values()) or [Positions()]
        gone = without(shared(places), found.kept)
        for span in gone.unconfirmed(Span(1, found.next_id, 0, 0)):
            at = span.first
            while at < span.stop:
                piece = journal.read(at, span.stop, _STEP)
                for lost, damage in piece.lost:
                    if not damage.missing and any(self._lost.unconfirmed(lost)):
                        raise _damaged(f"items {lost.first} to {lost.stop - 1}: {damage.what}")
                yield from piece.items
                at = piece.stop
                self._progress(at, found.next_id)

    def _link(self, item: Item, large: LargeFiles) -> int:
        """Have a file of an item beside the new journal; returns its number."""
        upload: Upload = large.upload()
        if item.large:
            upload.link(self._queue.large.path_of(item), item.crc)
        else:
            upload.write([item.data or b""])
            upload.finish(sync=True)
        return upload.number

    # -- all else ----------------------------------------------------------------------------------

    def _standing(self, name: bytes) -> Batch:
        """What a server that goes on from the old journal would write first: where everyone stands."""
        found = self._found
        queue = Queue(name, self._clock, Windows(_WINDOW_BYTES), _nothing)
        queue.recover(
            found.next_id,
            found.next_offset,
            self._number,
            found.positions,
            found.kept,
            found.returns,
            found.leases,
            found.delays,
            found.paused,
        )
        queue.want_full_mark()
        batch = queue.seal()
        assert batch is not None
        return batch

    def _keep_others(self, target: Path) -> None:
        """Take along what is no engine's: files of damaged items that were put aside, and a user's."""
        mine = self._queue.engine.name
        for name in os.listdir(self._queue.directory):
            if name != "large" and name.split(".")[0] != mine:
                keep(self._queue.directory / name, target / name)


def _damaged(what: str) -> JournalError:
    return JournalError(f"{what}: have it repaired first, by darnerpy check --repair")


def _nothing() -> None:
    """Nobody need be told that there is something to commit."""
