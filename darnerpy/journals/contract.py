"""What a journal promises to whoever keeps a queue in it.

One journal holds one queue. Its methods may be called from any thread: one write at a time, reads,
`trim` and `compact` beside it, `close` alone. Any `JournalError` poisons the journal: close it, open a
new one, recover, and only then go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from ..config import QueueSettings
from ..queues.batches import Batch, Lease, Returned
from ..queues.items import Item, Origin
from ..queues.positions import Positions, Span
from .large import LargeFiles
from .marks import MarkRecord

__all__ = [
    "Block",
    "Damage",
    "DiskEngine",
    "DiskJournal",
    "Engine",
    "Entry",
    "Habits",
    "Journal",
    "Piece",
    "Recovery",
    "Standing",
    "Trimmed",
]


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

    batch: number of the last one. positions, returns, leases: of each consumer by name. delays: ids that
    may not be due yet, and when they are: those that the last full mark has, and of the items written
    since those that say so. paused: what of the queue is. kept: spans cut off behind a gap. trimmed: ids
    below it are deleted. name: the queue's, as told when the journal was made. origins: of the last items,
    where those came from that were moved here. lost: spans known not to be there any more, from before
    this opening or found by it; missing: a power cut may be the cause. quarantine: where, in the queue's
    directory, damaged files were put last; "" if none were.
    """

    next_id: int = 1
    next_offset: int = 0
    batch: int = 0
    positions: dict[bytes, Positions] = field(default_factory=dict)
    returns: dict[bytes, list[Returned]] = field(default_factory=dict)
    leases: dict[bytes, list[Lease]] = field(default_factory=dict)
    delays: list[tuple[int, int]] = field(default_factory=list)
    paused: int = 0
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


class Habits(NamedTuple):
    """When trimming is worth what it costs: when so many bytes, or so many items, were confirmed by all of
    the consumers; fewer, of a queue that has been left alone for so many seconds.
    """

    size: int = 16 * 1024 * 1024
    ids: int = 200_000
    quiet_size: int = 1024 * 1024
    quiet_ids: int = 10_000
    quiet_s: float = 1.0


class Journal(Protocol):
    """habits: of trimming. can_rest: whether `rest` gives anything back; a journal that cannot has to be
    closed for that. wants_full: on a full disk it needs a batch with a full mark soon, in order to go on.
    """

    habits: Habits
    can_rest: bool

    @property
    def wants_full(self) -> bool: ...

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

    def view(self, item: Item) -> memoryview:
        """The data of an item that is written, to be looked at only; where it lies on disk if that can be.

        It stays as it is until it is released, whatever becomes of the item and the journal. Raises
        `JournalError`.
        """
        ...

    def is_quick(self, size: int, trimming: bool) -> bool:
        """Whether a batch of about so many bytes can be written now, unsynced, without ever waiting for the
        disk. Asked before each such write. trimming: something is done in the background.
        """
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

    def rest(self) -> None:
        """Give descriptors and maps back to the system, while nothing else is done. Whatever is asked of
        the journal next takes them again, at once: nothing of what it has learnt is forgotten.
        """
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """How journals of one kind come to be.

    name: as settings have it. on_disk: what is written outlives the process.
    """

    @property
    def name(self) -> str: ...

    @property
    def on_disk(self) -> bool: ...

    def exists(self, directory: Path) -> bool:
        """Whether a journal of this kind lies in a queue's directory, in whatever state it is."""
        ...

    def open(
        self,
        directory: Path,
        name: bytes,
        large: LargeFiles,
        memory: int,
        settings: QueueSettings,
    ) -> Journal:
        """Open or create the journal of a queue in its directory. Raises `JournalError`.

        memory: bytes of what is written that it may gather before they go to their place on disk.
        settings: of the queue; what they say of how it is kept holds for what is written from now on, and
        what is there is read either way.
        """
        ...


# -- while no server has them ----------------------------------------------------------------------


class Block(NamedTuple):
    """Items that are whole, of the ids from first up to stop. wrong: what the others have; "" is nothing.

    sure: stop is what was written; if not, there may have been more.
    """

    items: list[Item]
    first: int
    stop: int
    wrong: str
    sure: bool


class Standing(NamedTuple):
    """A mark: where consumers stood when the next id to come was this one. record: None if damaged."""

    next_id: int
    record: MarkRecord | None
    wrong: str


Entry = Block | Standing


class DiskJournal(Journal, Protocol):
    """A journal that can be checked in full."""

    def contents(self) -> Iterator[Entry]:
        """All that is stored, in order, every checksum looked at: what is wrong is told in its place.

        Raises `JournalError` where nothing behind can be read, `NewerFormatError` for what a later
        version has written.
        """
        ...


class DiskEngine(Engine, Protocol):
    """An engine that keeps a journal as files in the queue's directory.

    What is called as the engine there, or so with a dot and more behind it, belongs to the engine; the
    rest of the directory it leaves alone when it is removed.
    """

    def name_in(self, directory: Path) -> bytes | None:
        """The queue whose journal lies in a directory; None if there is none. Raises `JournalError`."""
        ...

    def look(self, directory: Path, scratch: Path, large: LargeFiles) -> DiskJournal:
        """Open a journal for reading, without changing a byte in its directory. Raises `JournalError`.

        scratch: a directory for whatever that takes. Called once more after an error, with the same: it
        then gives what can be read.
        """
        ...

    def put_aside(self, directory: Path) -> str:
        """Where in the queue's directory damaged files of it were put last; "" if none were."""
        ...

    def is_final(self, path: Path) -> bool:
        """Whether a file of a journal is never written again, so that a link is as good as a copy."""
        ...
