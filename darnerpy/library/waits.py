"""What a front waits for: an item, a look at one, or room for what it puts.

Owns what has come of each. An item that was waited for is in nobody's hands until whoever waits has taken
notice, so that nothing is lost if that is interrupted. Called with the lock of the directory held.
"""

from ..brokers.browse import Browse
from ..brokers.turn import standing, tell
from ..errors import ServerError
from ..queues.batches import Batch
from ..queues.consumer import Consumer
from ..queues.items import Item
from ..queues.open_reads import OpenRead
from .sleepers import Sleeper

__all__ = ["ItemWait", "LookWait", "RoomWait"]


class ItemWait:
    """A place in the line of a consumer.

    item, held: what was handed over, and is on disk when the sleeper is woken, if commit has no error.
    attempts, expires: see `standing`. ended: there is none; error: why, if something is wrong. closed:
    the front was.
    """

    open = True
    peek = False

    def __init__(self, sleeper: Sleeper, blocking: bool) -> None:
        self.sleeper = sleeper
        self.blocking = blocking
        self.consumer: Consumer | None = None
        self.item: Item | None = None
        self.held: OpenRead | None = None
        self.commit: Batch | None = None
        self.ended = self.closed = False
        self.error: ServerError | None = None
        self.attempts = self.expires = 0

    def join(self, consumer: Consumer) -> None:
        self.consumer = consumer
        consumer.line.join(self)

    def leave(self) -> None:
        """Nothing happens if it is not in line any more."""
        if self.consumer is not None:
            self.consumer.line.leave(self)

    # -- what the line calls -----------------------------------------------------------------------

    def reachable(self) -> bool:
        return self.sleeper.reachable()

    def accept(self, item: Item) -> bool:
        return self.sleeper.reachable()

    def deliver(self, item: Item, commit: Batch | None, held: OpenRead | None) -> None:
        assert self.consumer is not None
        self.attempts, self.expires = standing(self.consumer, item)
        self.item, self.held, self.commit = item, held, commit
        if commit is None:
            self.sleeper.wake()
        else:
            tell(commit, self.sleeper.wake)

    def end(self, error: ServerError | None) -> None:
        self.ended = True
        self.error = error
        self.sleeper.wake()


class LookWait(ItemWait):
    """It only looks, and waits for no more than what is on its way from disk. browse: if it looks behind
    the next item.
    """

    open = False
    peek = True

    def __init__(self, sleeper: Sleeper) -> None:
        super().__init__(sleeper, blocking=False)
        self.browse: Browse | None = None

    def leave(self) -> None:
        super().leave()
        if self.browse is not None:
            self.browse.withdraw()


class RoomWait:
    """Waits until there is room for so many items of so many bytes. closed: the front was."""

    def __init__(self, sleeper: Sleeper, size: int, items: int) -> None:
        self.sleeper = sleeper
        self.size = size
        self.items = items
        self.closed = False
