"""Carries items from one queue to another: what has expired, what no attempt could finish, what somebody
moves.

Owns the order that makes it safe: the item is put in the target and is on disk there, then it is
confirmed in the source. A crash in between repeats the move; the target remembers what came lately
and from where, so that most repeats are recognised. What the target does not take stays in the source;
but for what somebody moves it is tried again.
"""

from collections.abc import Callable
from functools import partial

from ..errors import PausedError, QueueFullError, ServerError
from ..journals.large import LargeFiles, Upload
from ..queues.batches import Completion, Dependent
from ..queues.departures import Departure
from ..queues.items import MOVED, Item, Origin
from .arrivals import Arrivals
from .space import Space
from .stored import StoredQueue

__all__ = ["Mover"]


class Mover:
    """find: gives the queue of a name, made if need be."""

    def __init__(self, find: Callable[[bytes], StoredQueue], space: Space) -> None:
        self._find = find
        self._space = space

    def carry(self, source: StoredQueue) -> None:
        """Begin to move what a queue has let go."""
        departures, source.queue.outgoing = source.queue.outgoing, []
        for departure in departures:
            self._go(source, departure)

    def _go(self, source: StoredQueue, departure: Departure) -> None:
        queue, item = source.queue, departure.item
        written = queue.pending(item)
        if written is not None:
            # An item whose put may still fail must not be in the other queue already.
            go = partial(self._go, source, departure)
            written.dependents.append(_Written(source, departure, written, go))
            return
        target = self._find(departure.target)
        forbidden = target.error or self._space.error
        if forbidden is not None:
            _refuse(source, departure, str(forbidden))
            return
        if not target.ready:
            target.when_ready(partial(self._go, source, departure))
            return
        consumer = departure.consumer.name
        origin = Origin(source.name, consumer, item.id, departure.why, item.created)
        if self._has_gone(source, departure, target, origin):
            return
        if item.large:
            upload = target.begin_upload()
            work = partial(_link, upload, source.large, item)
            done = partial(self._linked, source, departure, target, origin, upload)
            target.in_thread(work, done)
        else:
            self._put(source, departure, target, origin, None)

    def _has_gone(
        self, source: StoredQueue, departure: Departure, target: StoredQueue, origin: Origin
    ) -> bool:
        """Whether it is in the target, or on its way there, since before its source failed."""
        if origin in target.arrivals:
            source.queue.left(departure, True)
            return True
        commit = target.arrivals.under_way(origin)
        if commit is None:
            return False
        arrival = _Arrival(source, departure, target.arrivals, origin, commit)
        if commit.ended:
            arrival.release()
        else:
            commit.dependents.append(arrival)
        return True

    def _linked(
        self,
        source: StoredQueue,
        departure: Departure,
        target: StoredQueue,
        origin: Origin,
        upload: Upload,
        result: None,
        error: BaseException | None,
    ) -> None:
        if not (error or target.ready or target.error or target.deletion):
            target.when_ready(
                partial(self._linked, source, departure, target, origin, upload, None, None)
            )
            return
        target.end_upload()
        if error is not None or not target.ready:
            target.in_thread(upload.discard, lambda *_: None)
            deleted = f"queue {_text(target)} was deleted meanwhile"
            _refuse(source, departure, str(error or target.error or deleted))
        elif self._has_gone(source, departure, target, origin):
            target.in_thread(upload.discard, lambda *_: None)
        else:
            self._put(source, departure, target, origin, upload)

    def _put(
        self,
        source: StoredQueue,
        departure: Departure,
        target: StoredQueue,
        origin: Origin,
        upload: Upload | None,
    ) -> None:
        item = departure.item
        large = 0 if upload is None else upload.number
        moved = departure.why == MOVED
        only = target.queue.consumers.get(departure.only) if departure.only else None
        try:
            if departure.only and only is None:
                raise ServerError("the consumer it is for is no more")
            # Synced whatever the policy: an item that was on disk must not come off it by moving.
            commit = target.queue.put(
                item.data,
                item.size,
                item.flags,
                item.expiry if moved else 0,
                sync=True,
                large=large,
                only=only,
                origin=origin,
                due=item.due if moved else 0,
            )
        except (QueueFullError, ServerError) as error:
            if upload is not None:
                target.in_thread(upload.discard, lambda *_: None)
            paused = f"puts of {_text(target)} are paused"
            _refuse(source, departure, paused if isinstance(error, PausedError) else str(error))
            return
        target.arrivals.begin(origin, commit)
        commit.dependents.append(_Arrival(source, departure, target.arrivals, origin, commit))


def _refuse(source: StoredQueue, departure: Departure, why: str) -> None:
    departure.refusal = why
    source.queue.left(departure, False)


def _text(stored: StoredQueue) -> str:
    return stored.name.decode("utf-8", "backslashreplace")


def _link(upload: Upload, files: LargeFiles, item: Item) -> None:
    upload.link(files.path_of(item), item.crc or None)


class _Written(Dependent):
    """Waits until an item is in its own journal."""

    def __init__(
        self,
        source: StoredQueue,
        departure: Departure,
        commit: Completion,
        go: Callable[[], None],
    ) -> None:
        self._source = source
        self._departure = departure
        self._commit = commit
        self._go = go

    def release(self) -> None:
        if self._commit.error is None:
            self._go()
        else:
            _refuse(self._source, self._departure, str(self._commit.error))


class _Arrival(Dependent):
    """Waits until an item is on disk where it went."""

    def __init__(
        self,
        source: StoredQueue,
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
        error = self._commit.error
        self._arrivals.end(self._origin, error is None)
        if error is None:
            self._source.queue.left(self._departure, True)
        else:
            _refuse(self._source, self._departure, str(error))
