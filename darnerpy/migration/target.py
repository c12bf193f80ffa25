"""Writing one queue into a data directory that no server has open.

The queue is there whole or not at all (`brokers/drafts.py`). The same core and the same journal do the
work as when a client puts items; only the time is not today's but the one at which each item was put.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from ..brokers.datadir import DataDir
from ..brokers.drafts import Draft
from ..journals.contract import DiskEngine
from ..queues.batches import Returned
from ..queues.consumer import Consumer
from ..queues.positions import span_of
from ..queues.queue import OWN, Queue
from ..queues.windows import Windows
from .source import LARGE, Incoming

__all__ = ["QueueWriter"]

_BATCH_BYTES = 64 * 1024
_BATCH_ITEMS = 1024
_SAME_TIME_MS = 1000
_WINDOW_BYTES = 64 * 1024


class QueueWriter:
    """A context: left without `finish`, there is no trace of the queue.

    name, engine: of the new queue. consumers: the names of its consumers by those that items use for them.
    exact: items keep their times to the millisecond; if not, those put within a second may share one,
    which takes less room. paused: what of it is, as `Batch` has it.
    """

    def __init__(
        self,
        data: DataDir,
        name: bytes,
        engine: DiskEngine,
        consumers: Mapping[bytes, bytes],
        exact: bool = False,
        paused: int = 0,
    ) -> None:
        self._same_time_ms = 1 if exact else _SAME_TIME_MS
        self._draft = Draft(data, name, engine)
        self._clock = _ItemClock()
        self._queue = Queue(name, self._clock, Windows(_WINDOW_BYTES), _nothing)
        self._paused = paused
        self._consumers: dict[bytes, Consumer] = {OWN: self._queue.own}
        for old, new in consumers.items():
            self._consumers[old] = self._queue.consumer(new)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._draft.close()

    def put(self, item: Incoming, created_ms: int) -> None:
        """Append an item that was put at that time.

        Raises `DamageError` if its data cannot be read; then it is not appended.
        """
        queue = self._queue
        batch = queue.batch
        if batch is not None:
            if batch.size + item.size > _BATCH_BYTES or len(batch.items) >= _BATCH_ITEMS:
                self._commit()
            elif not batch.created <= created_ms < batch.created + self._same_time_ms:
                batch.created = created_ms
        large = self._upload(item) if item.size > LARGE else 0
        data = None if large else item.data
        self._clock.ms = created_ms
        passed_by = self._others(item.readers)
        only = None
        if passed_by and item.readers is not None and len(item.readers) == 1:
            only = self._consumers[next(iter(item.readers))]
        put = queue.put(
            data,
            item.size,
            item.flags,
            item.expiry,
            large=large,
            only=only,
            origin=item.origin,
            due=item.due,
        ).items[-1]
        if only is None:
            for consumer in passed_by:
                consumer.positions.confirm(span_of(put))  # `finish` writes whole positions
        for name, back in item.returns.items():
            consumer = self._consumers[name]
            consumer.returns[put.id] = Returned(put.id, back.attempts, back.due)
            consumer.newly_returned.append(consumer.returns[put.id])
            consumer.moved = True
        for name, lease in item.leases.items():
            self._consumers[name].begin_lease(lease._replace(id=put.id))  # as with positions

    def finish(self) -> None:
        """Everything was put: make the queue one of the data directory's, durably."""
        self._queue.paused = self._paused  # not before: puts may be
        self._queue.want_full_mark()
        self._queue.paused = self._paused  # not before: nothing could be put
        self._commit()
        self._draft.place()

    def _others(self, readers: Iterable[bytes] | None) -> list[Consumer]:
        """The consumers that are not to get an item."""
        if readers is None:
            return []
        return [each for name, each in self._consumers.items() if name not in readers]

    def _upload(self, item: Incoming) -> int:
        upload = self._draft.large.upload()
        if item.file is not None:
            upload.link(item.file)
            return upload.number
        try:
            pieces = iter([item.data or b""]) if item.pieces is None else item.pieces()
            for piece in pieces:
                upload.write([piece])
            upload.finish(sync=True)
        except BaseException:
            upload.discard()
            raise
        return upload.number

    def _commit(self) -> None:
        batch = self._queue.seal()
        if batch is not None:
            self._draft.journal.write(batch, sync=False)
            self._queue.wrote(batch)
            batch.end(None)


class _ItemClock:
    """It is always the time at which the item of the moment was put."""

    ms = 0

    def now_ms(self) -> int:
        return self.ms

    monotonic_ms = now_ms


def _nothing() -> None:
    """Nobody need be told that there is something to commit: `put` sees to it."""
