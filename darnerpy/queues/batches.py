"""One commit's worth of changes to a queue, and the promise that replies wait for.

A batch gathers all that happened to a queue in one turn. It is handed to a journal as it is; when it
is on disk, or has failed, everything that depends on it is told, in the order it joined.
"""

from typing import TYPE_CHECKING, Protocol

import msgspec

from ..errors import ServerError
from .items import Item
from .positions import Positions, Span

if TYPE_CHECKING:
    from .consumer import Consumer

Undo = Item | Span | Positions
"""A confirmation that may have to be taken back, or where a consumer stood before a flush."""

__all__ = ["Batch", "Completion", "Dependent", "Mark", "Undo"]


class Dependent(Protocol):
    def release(self) -> None:
        """The commit that was waited for has ended: look at its `error`."""


class Mark(msgspec.Struct):
    """Where a consumer stands.

    spans: confirmed above the position; whole: they are all of them, else those added in this batch.
    """

    consumer: bytes
    position: int
    offset: int
    spans: list[Span]
    whole: bool


class Completion(msgspec.Struct, eq=False, kw_only=True):
    """Something that will have happened, or failed.

    ended: it has. error: why it failed, None while all is well. dependents: who wait for it.
    """

    ended: bool = False
    error: ServerError | None = None
    dependents: list[Dependent] = []

    def end(self, error: ServerError | None) -> None:
        """Done, or failed with an error; tell all who wait."""
        self.ended = True
        self.error = error
        dependents, self.dependents = self.dependents, []
        for dependent in dependents:
            dependent.release()


class Batch(Completion, eq=False):
    """items: appended, in order of id; size: their bytes in the journal; large: some have files.

    marks: consumers that moved (set when the batch is sealed). full: they are those of all consumers,
    whole, and kept is valid. kept: spans on disk that are neither served nor trimmed. undo: how to
    take the marks back. sync: an fsync was asked for. next_id, next_offset: the queue's after it.
    created: milliseconds since the epoch.
    """

    number: int
    created: int
    items: list[Item] = []
    size: int = 0
    large: bool = False
    marks: list[Mark] = []
    kept: list[Span] = []
    undo: list[tuple["Consumer", list["Undo"]]] = []
    full: bool = False
    sync: bool = False
    next_id: int = 0
    next_offset: int = 0
