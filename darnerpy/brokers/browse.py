"""Looking at items behind the next one: the journal is read from where the consumer stands.

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
    """offset: how many waiting items to pass over, of those whose ids are above `after`. now: milliseconds
    since the epoch.

    most, most_bytes: so many are looked for, or fewer if they have so many bytes. done: called once, with
    the items, or with none and the error if there is one.
    """

    def __init__(
        self,
        stored: StoredQueue,
        consumer: Consumer,
        offset: int,
        now: int,
        done: Callable[[list[Item], ServerError | None], None],
        most: int = 1,
        most_bytes: int = 1,
        after: int = 0,
    ) -> None:
        self._stored = stored
        self._waiting = Waiting(consumer, now)
        self._left = offset
        self._at = after + 1
        self._found: list[Item] = []
        self._most = most
        self._bytes = most_bytes
        self._done: Callable[[list[Item], ServerError | None], None] | None = done

    def withdraw(self) -> None:
        """Nobody is interested any more."""
        self._done = None

    def go_on(self) -> None:
        stored = self._stored
        if self._done is None:
            return
        if stored.error is not None or stored.deletion is not None:
            self._end(stored.error)
        elif self._at >= stored.queue.written:
            self._find_unwritten()
            self._end(None)
        elif stored.journal is None:
            stored.when_ready(self.go_on)
        else:
            work = partial(self._read, stored.journal, stored.queue.written)
            stored.look(work, self._was_read)

    def _read(self, journal: Journal, stop: int) -> bool:
        """Whether all that was looked for is found."""
        for _ in range(_READS):
            self._at = self._waiting.first_from(self._at)
            if self._at >= stop:
                break
            piece = journal.read(self._at, stop, _STEP)
            if self._find(piece.items):
                return True
            self._at = piece.stop
        return False

    def _was_read(self, all_found: bool | None, error: BaseException | None) -> None:
        if error is not None:
            self._end(self._stored.error or ServerError(str(error)))
        elif all_found:
            self._end(None)
        else:
            self.go_on()

    def _find_unwritten(self) -> None:
        for batch in self._stored.queue.unwritten:
            if self._find([item for item in batch.items if item.id >= self._at]):
                return

    def _find(self, items: list[Item]) -> bool:
        for item in items:
            if not self._waiting.has(item):
                continue
            if self._left:
                self._left -= 1
                continue
            self._found.append(item)
            self._bytes -= item.size
            if len(self._found) >= self._most or self._bytes <= 0:
                return True
        return False

    def _end(self, error: ServerError | None) -> None:
        done, self._done = self._done, None
        if done is not None:
            done([] if error is not None else self._found, error)
