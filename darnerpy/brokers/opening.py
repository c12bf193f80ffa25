"""What is done in a thread with a queue's journal as a whole: opening it, with all that can be learnt before
the loop goes on, syncing and closing it.
"""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import NamedTuple

from ..config import QueueSettings
from ..errors import JournalGoneError
from ..journals.contract import Engine, Journal, Piece, Recovery
from ..journals.durable import sync_tree
from ..journals.engines import engine_in
from ..journals.large import LargeFiles
from ..queues.items import Item, bare
from ..queues.positions import Positions
from ..queues.queue import OWN

__all__ = ["Opened", "close_journal", "open_journal", "sync_fully"]


_LEASED_BYTES = 256 * 1024


class Opened(NamedTuple):
    """engine: the journal's. leased: items that are under a lease, by id and without their data; head: the
    next item of the queue's own consumer that is not, if it was read. size: bytes on disk.
    """

    engine: str
    journal: Journal
    found: Recovery
    leased: dict[int, Item]
    head: Piece | None
    size: int


def open_journal(
    engines: Mapping[str, Engine],
    wanted: str,
    directory: Path,
    name: bytes,
    large: LargeFiles,
    memory: int,
    settings: QueueSettings,
    known: bool,
    failed: bool,
) -> Opened:
    """Open it where its engine keeps it; not anew if it has gone.

    engines: by name. wanted: a new one's; what is on disk has the engine that it has. memory, settings:
    see `Engine`. known: it was open before, and only has to be opened again. failed: since then something
    went wrong, so that nobody knows what of it has reached the journal. Raises `JournalError`.
    """
    engine = engines[wanted]
    if engine.on_disk:
        found_engine = engine_in(directory, engines.values())
        if found_engine is not None:
            engine = found_engine
        elif large.made:
            raise JournalGoneError(f"directory {directory.name} was taken away")
    journal = engine.open(directory, name, large, memory, settings)
    try:
        found = journal.recover(origins=failed or not known)
        if failed or not known:
            large.clean(found.trimmed, found.next_id, found.kept)
        leased = {} if known else _read_leased(journal, found)
        head = None if known else _read_head(journal, found, leased)
        return Opened(engine.name, journal, found, leased, head, journal.size())
    except BaseException:
        journal.close()
        raise


def close_journal(journal: Journal, sync: bool) -> None:
    """Close it, synced first if asked for."""
    try:
        if sync:
            journal.sync()
    finally:
        journal.close()


def sync_fully(journal: Journal, directory: Path) -> None:
    """Put on disk all that was written, also while it was open before."""
    journal.sync()
    sync_tree(directory)


def _read_leased(journal: Journal, found: Recovery) -> dict[int, Item]:
    """Whoever has a lease may come at any time, and then the loop must not read."""
    ids = sorted({lease.id for leases in found.leases.values() for lease in leases})
    items: dict[int, Item] = {}
    for at, first in enumerate(ids):
        if first in items:
            continue
        stop = first + 1
        while at + stop - first < len(ids) and ids[at + stop - first] == stop:
            stop += 1
        piece = journal.read(first, stop, _LEASED_BYTES)
        items |= {item.id: bare(item) for item in piece.items}
    return items


def _read_head(journal: Journal, found: Recovery, leased: Container[int]) -> Piece | None:
    """The next item of the queue's own consumer: how old it is must be known from the start."""
    at = found.positions.get(OWN, Positions())
    held = {lease.id for lease in found.leases.get(OWN, ())}
    first = at.next_unconfirmed(at.position)
    while first in held and first in leased:
        first = at.next_unconfirmed(first + 1)
    if first >= found.next_id:
        return None
    return journal.read(first, at.next_span_after(first) or found.next_id, 1)
