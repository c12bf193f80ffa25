"""What a journal promises to whoever keeps a queue in it.

One journal holds one queue. Its methods may be called from any thread: one write at a time, reads,
`trim` and `compact` beside it, `close` alone. Any `JournalError` poisons the journal: close it, open a
new one, recover, and only then go on.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from ..queues.batches import Batch, Returned
from ..queues.items import Item, Origin
from ..queues.positions import Positions, Span
from .large import LargeFiles

__all__ = ["Damage", "Engine", "Journal", "Piece", "Recovery", "Trimmed"]


@dataclass(frozen=True, slots=True)
class Damage:
    """Something stored is not as it was written.

    first, stop: the ids concerned (0, 0: unknown). missing: not there at all, as after a power cut.
    """

    what: str
    first: int = 0
    stop: int = 0
    missing: bool = False


@dataclass(slots=True)
class Recovery:
    """What a journal held when it was opened.

    batch: number of the last one. positions, returns: of each consumer by name. kept: spans cut off
    behind a gap. trimmed: ids below it are deleted. name: the queue's, as told when the journal was made.
    origins: of the last items, where those came from that were moved here. lost: spans known not to be
    there any more, from before this opening or found by it; missing: a power cut may be the cause.
    quarantine: where, in the queue's directory, damaged files were put last; "" if none were.
    """

    next_id: int = 1
    next_offset: int = 0
    batch: int = 0
    positions: dict[bytes, Positions] = field(default_factory=dict)
    returns: dict[bytes, list[Returned]] = field(default_factory=dict)
    kept: list[Span] = field(default_factory=list)
    trimmed: int = 1
    damage: list[Damage] = field(default_factory=list)
    name: bytes = b""
    origins: list[Origin] = field(default_factory=list)
    lost: list[tuple[Span, Damage]] = field(default_factory=list)
    quarantine: str = ""


@dataclass(slots=True)
class Piece:
    """What one read found: the items that are whole, and the ids up to which it looked.

    lost: spans that are missing or damaged, and what is wrong; offsets that cannot be known are -1.
    """

    items: list[Item]
    stop: int
    lost: list[tuple[Span, Damage]] = field(default_factory=list)


class Trimmed(NamedTuple):
    """What was trimmed. ids, size: of the items that everyone had confirmed, ever; sum_ids, sum_size: of
    what each had, added up.

    deleted: bytes that compacting may give back. wasted: bytes of confirmed items that are still there
    and worth a thorough trim.
    """

    ids: int
    size: int
    sum_ids: int
    sum_size: int
    deleted: int = 0
    wasted: int = 0


class Journal(Protocol):
    """inline_run: bytes that can be written in a row, unsynced, without ever waiting for the disk."""

    inline_run: int

    def recover(self, origins: bool = True) -> Recovery:
        """Read what is needed to go on: the last marks and the last items.

        origins: also from where the last items came that were moved here, which may take long.
        """
        ...

    def read(self, first: int, stop: int, max_bytes: int) -> Piece:
        """Items from first up to stop, about max_bytes of them, but at least one."""
        ...

    def write(self, batch: Batch, sync: bool) -> None:
        """Append a batch atomically; with sync it and all before it are on disk when this returns."""
        ...

    def sync(self) -> None:
        """Put on disk all that was written."""
        ...

    def note_lost(self, lost: list[tuple[Span, Damage]]) -> None:
        """Make it known for good that these ids are lost: each recovery tells so."""
        ...

    def trim(self, full: Batch, thorough: bool) -> Trimmed:
        """Delete the items that all consumers have confirmed by a full batch, and marks older than it.

        A later full batch must be written already: what is deleted is allowed by two marks, so that one
        of them may be damaged and the items do not look lost. Kept spans stay. thorough: also where
        little is gained by it.
        """
        ...

    def compact(self) -> None:
        """Give the space of deleted items back to the file system."""
        ...

    def copy(self, directory: Path) -> None:
        """Write what is in it at this moment into a directory, from which its engine can open it.

        Others may go on meanwhile, but for `trim`. An error is of the copy: the journal is as good as
        before. An engine that keeps nothing on disk makes no copy.
        """
        ...

    def size(self) -> int:
        """Bytes on disk."""
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """How journals of one kind come to be."""

    def exists(self, directory: Path) -> bool:
        """Whether there is a journal in a directory that had one."""
        ...

    def open(
        self, directory: Path, name: bytes, large: LargeFiles, memory: int, compress: bool
    ) -> Journal:
        """Open or create the journal of a queue in its directory. Raises `JournalError`.

        memory: bytes of what is written that it may gather before they go to their place on disk.
        compress: what is written from now on, in order to save disk; what is there is read either way.
        """
        ...
