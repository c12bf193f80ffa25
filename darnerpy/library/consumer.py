"""A named consumer of a queue, for a program that may block."""

from . import whole
from .desk import Desk
from .driving import drive
from .reader import Reader

__all__ = ["Consumer"]


class Consumer(Reader):
    """A place of its own in a queue, which is kept on disk: `Queue.consumer` gives it.

    It is read as the queue is, and knows nothing of what others have taken. It is closed with the queue.
    """

    def __init__(self, desk: Desk, queue: Reader) -> None:
        self._desk = desk
        self._queue = queue  # which is closed when nobody knows of it any more

    @property
    def closed(self) -> bool:
        """Whether it, or its queue, was closed or dropped."""
        return self._desk.closed

    def flush(self) -> None:
        """Discard every item that waits for this consumer."""
        drive(self._desk, whole.flush(self._desk, everybody=False))

    def drop(self) -> None:
        """Remove the consumer: what only it had yet to confirm is gone. Raises `ClosedError` from then on."""
        drive(self._desk, whole.drop(self._desk))

    def __repr__(self) -> str:
        return f"<darnerpy.Consumer {self.name!r} in {self.path!r}>"
