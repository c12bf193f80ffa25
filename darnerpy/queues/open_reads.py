"""An open read: an item that someone holds, not confirmed, and not to be had by others."""

from .batches import Batch
from .items import Item

__all__ = ["OpenRead"]


class OpenRead:
    """consumer: the name of the one it was taken from. since: monotonic milliseconds.

    until: when it goes back to its place (monotonic milliseconds), 0 is as the consumer's settings say.
    commit: what the answer that carried it waits for. gone: the item is out of its holder's hands
    (the queue was deleted, that commit failed, its time was up); close and abort do nothing. holder:
    who has it, where that is not told by a session.
    """

    __slots__ = ("commit", "consumer", "gone", "holder", "item", "since", "until")

    def __init__(self, consumer: bytes, item: Item, since: int, commit: Batch | None) -> None:
        self.consumer = consumer
        self.item = item
        self.since = since
        self.until = 0
        self.commit = commit
        self.gone = False
        self.holder: object = None
