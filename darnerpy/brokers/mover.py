"""Carries items from one queue to another: what has expired, and what no attempt could finish.

Owns the order that makes it safe: the item is put in the target and is on disk there, then it is
confirmed in the source. A crash in between repeats the move; the target remembers what came lately
and from where, so that most repeats are recognised. What the target does not take stays in the source
and is tried again.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import QueueFullError, ServerError
from ..journals.large import LargeFiles, Upload
from ..queues.batches import Completion
from ..queues.departures import Departure
from ..queues.items import Item, Origin
from ..queues.queue import Queue
from .space import Space

if TYPE_CHECKING:
    from .stored import StoredQueue

__all__ = ["Arrivals", "Mover"]

_REMEMBERED = 10_000


class Arrivals:
    """What has been moved here lately."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bytes, int, int], None] | None = None

    def add(self, origin: Origin) -> None:
        if self._known is None:  # most queues never need it
            self._known = OrderedDict()
        self._known[_identity(origin)] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def __contains__(self, origin: Origin) -> bool:
        return self._known is not None and _identity(origin) in self._known


def _identity(origin: Origin) -> tuple[bytes, bytes, int, int]:
    # Ids begin anew when a queue is deleted: only with the time it was put is an item this one.
    return origin.queue, origin.consumer, origin.id, origin.created


class Mover:
    """find: gives the queue of a name, made if need be."""

    __slots__ = ("_find", "_queue", "_source", "_space")

    def __init__(
        self, source: "StoredQueue", find: "Callable[[bytes], StoredQueue]", space: Space
    ) -> None:
        self._source = source
        self._space = space
        self._queue: Queue = source.queue
        self._find = find

    def carry(self) -> None:
        """Begin to move what the queue has let go."""
        departures, self._queue.outgoing = self._queue.outgoing, []
        for departure in departures:
            self._go(departure)

    def _go(self, departure: Departure) -> None:
        item, consumer = departure.item, departure.consumer
        written = self._queue.pending(item)
        if written is not None:
            # An item whose put may still fail must not be in the other queue already.
            written.dependents.append(_Written(self._queue, departure, written, self._go))
            return
        target = self._find(departure.target)
        if target.error is not None or self._space.error is not None:
            self._queue.left(departure, False)
            return
        if not target.ready:
            target.when_ready(partial(self._go, departure))
            return
        origin = Origin(self._queue.name, consumer.name, item.id, departure.why, item.created)
        if origin in target.arrivals:
            self._queue.left(departure, True)
        elif item.large:
            upload = target.begin_upload()
            work = partial(_link, upload, self._source.large, item)
            target.in_thread(work, partial(self._linked, departure, target, origin, upload))
        else:
            self._put(departure, target, origin, None)

    def _linked(
        self,
        departure: Departure,
        target: "StoredQueue",
        origin: Origin,
        upload: Upload,
        result: None,
        error: BaseException | None,
    ) -> None:
        target.end_upload()
        if error is not None or not target.ready:
            target.in_thread(upload.discard, lambda *_: None)
            self._queue.left(departure, False)
        else:
            self._put(departure, target, origin, upload)

    def _put(
        self, departure: Departure, target: "StoredQueue", origin: Origin, upload: Upload | None
    ) -> None:
        item = departure.item
        large = 0 if upload is None else upload.number
        try:
            # Synced whatever the policy: an item that was on disk must not come off it by moving.
            commit = target.queue.put(
                item.data, item.size, item.flags, 0, sync=True, large=large, origin=origin
            )
        except (QueueFullError, ServerError):
            if upload is not None:
                target.in_thread(upload.discard, lambda *_: None)
            self._queue.left(departure, False)
            return
        commit.dependents.append(_Arrival(self._queue, departure, target.arrivals, origin, commit))


def _link(upload: Upload, files: LargeFiles, item: Item) -> None:
    upload.link(files.path_of(item), item.crc or None)


class _Written:
    """Waits until an item is in its own journal."""

    def __init__(
        self,
        source: Queue,
        departure: Departure,
        commit: Completion,
        go: Callable[[Departure], None],
    ) -> None:
        self._source = source
        self._departure = departure
        self._commit = commit
        self._go = go

    def release(self) -> None:
        if self._commit.error is None:
            self._go(self._departure)
        else:
            self._source.left(self._departure, False)


class _Arrival:
    """Waits until an item is on disk where it went."""

    def __init__(
        self,
        source: Queue,
        departure: Departure,
        arrivals: Arrivals,
        origin: Origin,
        commit: Completion,
    ) -> None:
        self._source = source
        self._departure = departure
        self._arrivals = arrivals
        self._origin = origin
        self._commit = commit

    def release(self) -> None:
        arrived = self._commit.error is None
        if arrived:
            self._arrivals.add(self._origin)
        self._source.left(self._departure, arrived)
