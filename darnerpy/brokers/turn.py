"""What a program asks of its queues directly: each call is a turn of its own, decided and committed.

Owns whether a turn is under way. One that was begun and has not ended was cut off in the middle (by
Ctrl-C, or a signal handler that raises): then nothing in memory is to be believed, and nothing more is
decided here. Whoever calls holds a lock, so that nobody else does. Knows no thread and no front: who
has to wait, and how, is decided above.
"""

from collections.abc import Callable
from typing import Final

from ..errors import ClosedError, DarnerError, ItemTooLargeError
from ..queues.batches import Batch, Completion, Dependent, Returned
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from ..queues.queue import Queue
from .local import LocalBroker
from .stored import StoredQueue

__all__ = ["BATCH_LIMIT", "Taken", "Turn", "Unready", "put_in", "standing", "tell", "untake"]

BATCH_LIMIT: Final = 4 * 1024 * 1024
"""Bytes that may gather for one commit before those who put have to wait for the disk."""

_LOOK_BYTES: Final = 1024 * 1024
_ITEM_BYTES: Final = 100


class Unready(Exception):
    """It cannot be decided now: the queue is not open, or a turn was cut off. No error: to be tried again."""


class _Told(Dependent):
    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback = callback

    def release(self) -> None:
        self._callback()


def tell(completion: Completion, callback: Callable[[], object]) -> None:
    """Call back when a commit has ended; at once if it has."""
    if completion.ended:
        callback()
    else:
        completion.dependents.append(_Told(callback))


Taken = list[Item | Returned]
"""Items that were taken, each followed by what was known of its attempts, if there were any."""


def put_in(box: Taken, consumer: Consumer, item: Item) -> None:
    """Note an item that was just taken."""
    box.append(item)
    last = consumer.undo[-1]
    if isinstance(last, Returned):
        box.append(last)


def untake(stored: StoredQueue, consumer_name: bytes, box: Taken, batch: int) -> None:
    """Give back what was taken and confirmed by the batch of that number or later ones, which are written,
    and has not arrived; 0 if that is not known. Too late where it may be trimmed already.
    """
    consumer = stored.queue.consumers.get(consumer_name)
    if consumer is None or not stored.spare(batch):
        return
    for at, item in enumerate(box):
        if isinstance(item, Item):
            after = box[at + 1] if at + 1 < len(box) else None
            stored.queue.untake(consumer, item, after if isinstance(after, Returned) else None)


def standing(consumer: Consumer, item: Item) -> tuple[int, int]:
    """How often an item was delivered to a consumer and came back, and when it expires (milliseconds
    since the epoch, 0 is never).
    """
    back = consumer.returns.get(item.id) if consumer.returns else None
    expires = item.expiry
    if consumer.max_age:
        limit = item.created + consumer.max_age
        expires = min(expires, limit) if expires else limit
    return 0 if back is None else back.attempts, expires


class Turn:
    """busy: a turn is under way, or was cut off. after: there is something to be done before the lock is
    let go, beside what was asked. unfinished: what the answer to the last call has to wait for, None if
    it is written already. empty: the last read found nothing because there is nothing. attempts,
    expires: of what was opened last, see `standing`.
    """

    def __init__(self) -> None:
        self.busy = True
        self.after = False
        self.unfinished: Batch | None = None
        self.empty = False
        self.attempts = self.expires = 0
        self._broker: LocalBroker | None = None
        self._queues: dict[bytes, StoredQueue] = {}
        self._least: int | None = None
        self._unlooked = 0

    def serve(self, broker: LocalBroker, least: int | None) -> None:
        """From now on decide about these queues, while so many bytes of the disk are free."""
        self._broker = broker
        self._queues = broker.queues
        self._least = least
        self._unlooked = _LOOK_BYTES
        self.busy = False

    # -- a turn ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Raises `Unready` if one was cut off."""
        if self.busy:
            raise Unready
        self.busy = True

    def end(self) -> None:
        """Commit what was decided."""
        broker = self._broker
        assert broker is not None
        broker.end_turn()
        while broker.dirty:  # a commit may have brought about more, such as a mark to trim by
            broker.end_turn()
        self.busy = False

    def ready(self, name: bytes) -> StoredQueue:
        """Begin, with a queue that commands can be decided on. Raises `Unready`."""
        if self.busy:
            raise Unready
        stored = self._queues.get(name)
        if stored is None or not stored.ready:
            raise Unready
        self.busy = True
        return stored

    def _refused(self) -> None:
        """Nothing was done, but what was found expired on the way may have left."""
        self.end()

    def _wait_for(self, batch: Batch | None) -> None:
        if batch is None or (batch.ended and batch.error is None):
            self.unfinished = None
        else:
            self.unfinished = batch

    # -- putting -----------------------------------------------------------------------------------

    def check_room(self, name: bytes, size: int, items: int, largest: int) -> None:
        """Raises what putting so many items of so many bytes together would raise."""
        stored = self.ready(name)
        try:
            self._check(stored, size, items, largest)
            stored.queue.check_room(size, None, items)
        finally:
            self._refused()

    def put(
        self,
        name: bytes,
        data: bytes | None,
        size: int,
        flags: int,
        expiry: int,
        due: int,
        large: int,
    ) -> int:
        """Append an item; returns its id. Raises `Unready`, or what `Queue.put` does.

        large: the number of its file; data is None then.
        """
        stored = self.ready(name)
        if self._is_full(stored, 0 if large else size):
            self.busy = False
            raise Unready
        try:
            self._check(stored, size, 1, size)
            if expiry and stored.settings.ignore_client_expiry:
                expiry = 0
            batch = stored.queue.put(data, size, flags, expiry, False, large, None, None, due)
        except DarnerError:
            self._refused()
            raise
        item_id = stored.queue.next_id - 1
        self.end()
        self._wait_for(batch)
        return item_id

    def put_many(
        self,
        name: bytes,
        datas: list[bytes],
        files: list[int],
        size: int,
        largest: int,
        flags: int,
        expiry: int,
        due: int,
    ) -> int:
        """Append items, all or none; returns the id of the first.

        files: the number of each one's file, 0 if it has none; none of them has if it is empty. size: bytes
        of all of them; largest: of the largest.
        """
        stored = self.ready(name)
        if self._is_full(stored, size):
            self.busy = False
            raise Unready
        queue = stored.queue
        first = queue.next_id
        batch: Batch | None = None
        try:
            self._check(stored, size, len(datas), largest)
            queue.check_room(size, None, len(datas), due)
            if expiry and stored.settings.ignore_client_expiry:
                expiry = 0
            for at, data in enumerate(datas):
                large = files[at] if files else 0
                body = None if large else data
                batch = queue.put(body, len(data), flags, expiry, False, large, None, None, due)
        except DarnerError:
            self._refused()
            raise
        self.end()
        self._wait_for(batch)
        return first

    def _is_full(self, stored: StoredQueue, size: int) -> bool:
        """Whether so much has gathered for the next commit that no more is to come."""
        batch = stored.queue.batch
        if batch is None or not batch.size or batch.size + size <= BATCH_LIMIT:
            return False
        stored.hold_back()
        return True

    def _check(self, stored: StoredQueue, size: int, items: int, largest: int) -> None:
        settings = stored.settings
        if largest > settings.max_item_bytes:
            raise ItemTooLargeError(
                f"item of {largest} bytes is too large, at most {settings.max_item_bytes} are allowed"
            )
        if settings.max_bytes is not None and size > settings.max_bytes:
            what = (
                f"item of {size} bytes is" if items == 1 else f"{items} items of {size} bytes are"
            )
            raise ItemTooLargeError(
                f"{what} more than max_bytes = {settings.max_bytes} ever allows"
            )
        if settings.max_items is not None and items > settings.max_items:
            raise ItemTooLargeError(f"{items} items are more than max_items = {settings.max_items}")
        self._unlooked += size + items * _ITEM_BYTES
        if self._unlooked >= _LOOK_BYTES:
            self._look_at_disk()

    def _look_at_disk(self) -> None:
        broker = self._broker
        assert broker is not None
        space = broker.space
        space.look(self._least)
        if space.error is not None:
            raise space.error
        self._unlooked = 0

    # -- reading -----------------------------------------------------------------------------------

    def take(self, name: bytes, consumer_name: bytes, box: Taken) -> Item | None:
        """Take and confirm the next item, if it is in memory, with its data.

        box: what is taken is in it, too, before this returns: who is interrupted then knows.
        """
        stored = self.ready(name)
        queue = stored.queue
        consumer = self._consumer(queue, consumer_name)
        item = queue.take(consumer)
        if item is None:
            self.empty = queue.is_empty(consumer)
            self.end()
            return None
        if item.data is None:
            queue.give_back(consumer, item)
            item = None
        else:
            put_in(box, consumer, item)
        batch = queue.batch
        self.empty = False
        self.end()
        self._wait_for(batch)
        return item

    def take_many(self, name: bytes, consumer_name: bytes, most: int, box: Taken) -> int:
        """As `take`, so many of them at most; returns how many there were."""
        stored = self.ready(name)
        queue = stored.queue
        consumer = self._consumer(queue, consumer_name)
        batch: Batch | None = None
        number = 0
        while number < most:
            item = queue.take(consumer)
            if item is None:
                break
            if item.data is None:
                queue.give_back(consumer, item)
                break
            put_in(box, consumer, item)
            number += 1
            batch = queue.batch
        self.empty = number < most and queue.is_empty(consumer)
        self.end()
        self._wait_for(batch)
        return number

    def open(
        self, name: bytes, consumer_name: bytes, holder: object, held_by: list[OpenRead]
    ) -> OpenRead | None:
        """Take the next item and hold it, if it is in memory. Raises `ServerError` at the bound.

        held_by: what is held is in it, too, before this returns: who is interrupted then knows.
        """
        stored = self.ready(name)
        queue = stored.queue
        consumer = self._consumer(queue, consumer_name)
        try:
            held = queue.open(consumer)
        except DarnerError:
            self._refused()
            raise
        self.empty = held is None and queue.is_empty(consumer)
        if held is not None:
            held_by.append(held)
            held.holder = holder
            self.attempts, self.expires = standing(consumer, held.item)
        self.end()
        self._wait_for(None if held is None else held.commit)
        return held

    def close(self, name: bytes, held: OpenRead) -> bool:
        """Confirm what is held; False if it is not any more."""
        stored = self.ready(name)
        batch = stored.queue.close(held)
        self.end()
        self._wait_for(batch)
        return batch is not None

    def abort(self, name: bytes, held: OpenRead, counted: bool) -> None:
        """Return what is held to its place; nothing happens if it is not any more."""
        stored = self.ready(name)
        batch = stored.queue.abort(held, counted)
        self.end()
        self._wait_for(batch)

    def _consumer(self, queue: Queue, name: bytes) -> Consumer:
        if not name:
            return queue.own
        consumer = queue.consumers.get(name)
        if consumer is None:
            self._refused()
            raise ClosedError(
                f"the consumer {name.decode('utf-8', 'backslashreplace')} was dropped"
            )
        return consumer
