"""One commit's worth of changes to a queue, and the promise that replies wait for.

A batch gathers all that happened to a queue in one turn. It is handed to a journal as it is, and names
consumers rather than holding them; when it is on disk, or has failed, everything that depends on it is
told, in the order it joined.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..errors import ServerError
from .items import Item
from .positions import Span

__all__ = [
    "PAUSED_GETS",
    "PAUSED_PUTS",
    "Batch",
    "Completion",
    "Dependent",
    "Lease",
    "Mark",
    "Returned",
]

PAUSED_PUTS: Final = 1
PAUSED_GETS: Final = 2
"""What of a queue is paused, as bits."""


class Returned(NamedTuple):
    """An item that came back: so many attempts were made, and the next is due at a time (milliseconds
    since the epoch, 0 is at once).

    due_here: the same on the monotonic clock; 0 if it came back before this process, and only the wall
    clock tells.
    """

    id: int
    attempts: int
    due: int
    due_here: int = 0


class Lease(NamedTuple):
    """An item that is held until a time (milliseconds since the epoch), whoever is connected.

    number, nonce: of 64 bits each; they tell this lease from every other of the queue, also of the same
    item. deadline 0: it has ended.
    """

    id: int
    number: int
    nonce: int
    deadline: int


class Dependent:
    """Who waits for a commit."""

    __slots__ = ()

    def release(self) -> None:
        """The commit that was waited for has ended: look at its `error`."""
        raise NotImplementedError


class Mark:
    """Where a consumer stands.

    spans: confirmed above the position; returns: unconfirmed items that came back; leases: those that
    are held under one. whole: they are all of them, else what this batch adds.
    """

    __slots__ = ("consumer", "leases", "offset", "position", "returns", "spans", "whole")

    def __init__(
        self,
        consumer: bytes,
        position: int,
        offset: int,
        spans: Sequence[Span],
        whole: bool,
        returns: Sequence[Returned] = (),
        leases: Sequence[Lease] = (),
    ) -> None:
        self.consumer = consumer
        self.position = position
        self.offset = offset
        self.spans = spans
        self.whole = whole
        self.returns = returns
        self.leases = leases

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mark) and self._values() == other._values()

    def __repr__(self) -> str:
        return f"Mark{self._values()}"

    def _values(self) -> tuple[object, ...]:
        place = self.consumer, self.position, self.offset
        return *place, list(self.spans), self.whole, list(self.returns), list(self.leases)


class Completion:
    """Something that will have happened, or failed.

    ended: it has. error: why it failed, None while all is well. dependents: who wait for it.
    """

    __slots__ = ("dependents", "ended", "error")

    def __init__(self, ended: bool = False, error: ServerError | None = None) -> None:
        self.ended = ended
        self.error = error
        self.dependents: list[Dependent] = []

    def end(self, error: ServerError | None) -> None:
        """Done, or failed with an error; tell all who wait."""
        self.ended = True
        self.error = error
        dependents, self.dependents = self.dependents, []
        for dependent in dependents:
            dependent.release()


class Batch(Completion):
    """items: appended, in order of id; size: bytes it takes in the journal, about; large: some have files.

    marks: consumers that moved (set when the batch is sealed). full: they are those of all consumers,
    whole, and kept is valid. kept: spans on disk that are neither served nor trimmed. dropped: names of
    consumers that are gone. delays: if it is full, the ids that are not due yet, and when they are. paused:
    what of the queue is, after it. lasting: beside its items, it does what a power cut must not take back.
    sync: an fsync was asked for. next_id, next_offset: the queue's after it. created: when the first
    item of this turn came, milliseconds since the epoch; begun: when the first was opened, monotonic
    milliseconds; 0 if none was. late: its first turn is over, and it is not sealed yet.
    """

    __slots__ = (
        "begun",
        "created",
        "delays",
        "dropped",
        "full",
        "items",
        "kept",
        "large",
        "lasting",
        "late",
        "marks",
        "next_id",
        "next_offset",
        "number",
        "paused",
        "size",
        "sync",
    )

    def __init__(self, number: int, created: int = 0) -> None:
        super().__init__()
        self.number = number
        self.created = created
        self.begun = 0
        self.items: list[Item] = []
        self.size = 0
        self.large = False
        self.marks: list[Mark] = []
        self.kept: Sequence[Span] = ()
        self.delays: Sequence[tuple[int, int]] = ()
        self.paused = 0
        self.dropped: tuple[bytes, ...] = ()
        self.full = self.late = self.lasting = self.sync = False
        self.next_id = 0
        self.next_offset = 0
