"""What every source of queues gives: its queues, their consumers, and their items in order.

A source is a directory that another server, or another version, left behind. Sources only read:
nothing in that directory is made, changed or locked for longer than it is read. Items are streamed,
so that a queue of any size takes little memory.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from ..errors import DarnerError
from ..queues.batches import Lease, Returned
from ..queues.items import Origin
from .report import QueueReport

__all__ = [
    "LARGE",
    "PIECE",
    "Content",
    "Incoming",
    "Source",
    "SourceError",
    "SourceQueue",
]

LARGE = 256 * 1024
"""Bytes above which an item is handed over in pieces."""

PIECE = 1024 * 1024
"""Bytes such a piece has at most."""


class SourceError(DarnerError):
    """A queue of the source cannot be read; the text says why."""


class Incoming(NamedTuple):
    """An item. size: of its data. created, expiry: milliseconds since the epoch, 0: not known, never.

    readers: the consumers that are still to get it, b"" being the queue's own; None: all of them.
    data: None if the item is large; then `pieces` reads it, before the next item is asked for, and
    raises `DamageError` when it cannot be read whole. file: where it is, if it is a file that never
    changes. flags: the client's. origin: where it was moved from. returns: by consumer, how often it
    came back, leases: under which lease it is held (whatever their id). id: where it was. due: when it may
    be handed out, milliseconds since the epoch.
    """

    size: int
    data: bytes | None
    created: int = 0
    expiry: int = 0
    readers: frozenset[bytes] | None = None
    pieces: Callable[[], Iterator[bytes]] | None = None
    file: Path | None = None
    flags: int = 0
    origin: Origin | None = None
    returns: Mapping[bytes, Returned] = MappingProxyType({})
    id: int = 0
    due: int = 0
    leases: Mapping[bytes, Lease] = MappingProxyType({})


class Content(NamedTuple):
    """An open queue: its named consumers, and its items in the order in which they are to be put.

    exact: it was one of darnerpy's: consumers can keep their names, items their times, to the millisecond.
    paused: what of it is, as `Batch` has it.
    """

    consumers: list[bytes]
    items: Iterator[Incoming]
    exact: bool = False
    paused: int = 0


class SourceQueue(Protocol):
    """name: as the source has it. consumers: those that can be told without opening it.
    size: bytes it takes on disk."""

    name: bytes
    consumers: list[bytes]
    size: int

    def open(self, report: QueueReport) -> AbstractContextManager[Content]:
        """Open it for reading. What cannot be read is told to the report, while items are read.

        Raises `SourceError` when nothing can be read.
        """
        ...


class Source(Protocol):
    """queues: in order of name. left_alone: what is there and no queue's, with the reason."""

    queues: list[SourceQueue]
    left_alone: list[str]
