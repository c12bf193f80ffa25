"""Looking at an item behind the next one: the journal is read from where the consumer stands.

Owns how far it has come. It reads in a thread, in steps, and takes nothing; what is damaged or missing is
passed over without a word, for whoever comes to it by reading reports it.
"""

from collections.abc import Callable
from functools import partial

from ..errors import ServerError
from ..journals.contract import Journal
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.waiting import Waiting
from .stored import StoredQueue

__all__ = ["Browse"]

_STEP = 64 * 1024
_READS = 16


class Browse:
    """offset: how many waiting items to pass over. now: milliseconds since the epoch.

    done: called once, with the item, or with None and the error if there is one.
    """

    def __init__(
        self,
        stored: StoredQueue,
        consumer: Consumer,
        offset: int,
        now: int,
        done: Callable[[Item | None, ServerError | None], None],
    ) -> None:
        self._stored = stored
        self._waiting = Waiting(consumer, now)
        self._left = offset
        self._at = 1
        self._done: Callable[[Item | None, ServerError | None], None] | None = done

    def withdraw(self) -> None:
        """Nobody is interested any more."""
        self._done = None

    def go_on(self) -> None:
        stored = self._stored
        if self._done is None:
            return
        if stored.error is not None or stored.deletion is not None:
            self._end(None, stored.error)
        elif self._at >= stored.queue.written:
            self._end(self._find_unwritten(), None)
        elif stored.journal is None:
            stored.when_ready(self.go_on)
        else:
            work = partial(self._read, stored.journal, stored.queue.written)
            stored.look(work, self._was_read)

    def _read(self, journal: Journal, stop: int) -> Item | None:
        for _ in range(_READS):
            self._at = self._waiting.first_from(self._at)
            if self._at >= stop:
                break
            piece = journal.read(self._at, stop, _STEP)
            found = self._find(piece.items)
            if found is not None:
                return found
            self._at = piece.stop
        return None

    def _was_read(self, item: Item | None, error: BaseException | None) -> None:
        if error is not None:
            self._end(None, self._stored.error or ServerError(str(error)))
        elif item is not None:
            self._end(item, None)
        else:
            self.go_on()

    def _find_unwritten(self) -> Item | None:
        for batch in self._stored.queue.unwritten:
            found = self._find([item for item in batch.items if item.id >= self._at])
            if found is not None:
                return found
        return None

    def _find(self, items: list[Item]) -> Item | None:
        for item in items:
            if self._waiting.has(item):
                if not self._left:
                    return item
                self._left -= 1
        return None

    def _end(self, item: Item | None, error: ServerError | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(item, error)
