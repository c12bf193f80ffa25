"""All that waits for a consumer, from the first item on, piece by piece: for what is done to many of them.

Owns how far it has come. What it gives was read from the journal, off the loop; whether it still waits is
known to the consumer alone, whoever takes it asks there. It takes nothing itself, and goes once through what
was there when it began: what comes later is not met.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from ...brokers.stored import StoredQueue
from ...errors import ServerError, UnknownConsumerError, UnknownQueueError
from ...journals.contract import Piece
from ...queues.consumer import Consumer
from ...queues.items import Item
from ..steps import Steps, committed
from .places import text_of

__all__ = ["Walk"]

_STEP = 64 * 1024
_AT_ONCE = 64
"""Items that are given in one go: others need not wait for what is done to more."""


class Walk:
    def __init__(self, stored: StoredQueue, consumer: Consumer) -> None:
        self._stored = stored
        self._consumer = consumer
        self._at = 1
        self._stop = stored.queue.next_id
        self._read: deque[Item] = deque()

    @property
    def at_hand(self) -> bool:
        """Whether there are more for which nothing has to be read."""
        return bool(self._read)

    def next(self) -> Steps[list[Item]]:
        """A few that wait at this moment, in order; none at the end. Raises what forbids to go on."""
        stored, queue = self._stored, self._stored.queue
        while True:
            self.check()
            if self._read:
                some = [self._read.popleft() for _ in range(min(_AT_ONCE, len(self._read)))]
                found = queue.that_wait(self._consumer, some)
                if found:
                    return found
                yield None
                continue
            first = self._consumer.positions.next_unconfirmed(self._at)
            if first >= self._stop or (first >= queue.written and not queue.unwritten):
                return []
            if first >= queue.written:
                yield from committed(queue.unwritten[0])
            elif stored.journal is None:
                yield stored.when_ready
            else:
                piece = yield from _read(stored, first, min(self._stop, queue.written))
                self._at = piece.stop
                self._read.extend(piece.items)

    def check(self) -> None:
        """Raise what forbids to go on: the queue cannot be used, or is another's by now."""
        stored, consumer = self._stored, self._consumer
        if stored.deletion is not None:
            raise UnknownQueueError(f"queue {text_of(stored.name)} was deleted meanwhile")
        if stored.error is not None:
            raise stored.error
        if stored.queue.consumers.get(consumer.name) is not consumer:
            raise UnknownConsumerError(f"consumer {text_of(consumer.name)} was dropped meanwhile")


def _read(stored: StoredQueue, first: int, stop: int) -> Steps[Piece]:
    found: list[Piece] = []
    wrong: list[BaseException] = []
    assert stored.journal is not None
    work = partial(stored.journal.read, first, stop, _STEP)

    def until(then: Callable[[], None]) -> None:
        def done(piece: Piece | None, error: BaseException | None) -> None:
            if piece is None:
                wrong.append(error or ServerError("nothing was read"))
            else:
                found.append(piece)
            then()

        stored.look(work, done)

    yield until
    if wrong:
        raise stored.error or ServerError(str(wrong[0]))
    return found[0]
