"""Opening a queue's journal, in a thread: all that can be learnt before the loop goes on; and closing it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..config import QueueSettings
from ..errors import JournalGoneError
from ..journals.contract import Engine, Journal, Piece, Recovery
from ..journals.engines import engine_in
from ..journals.large import LargeFiles
from ..queues.positions import Positions
from ..queues.queue import OWN

__all__ = ["Opened", "close_journal", "open_journal"]


class Opened(NamedTuple):
    """engine: the journal's. head: the next item of the queue's own consumer, if it was read. size:
    bytes on disk.
    """

    engine: str

    journal: Journal
    found: Recovery
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
        head = None if known else _read_head(journal, found)
        return Opened(engine.name, journal, found, head, journal.size())
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


def _read_head(journal: Journal, found: Recovery) -> Piece | None:
    """The next item of the queue's own consumer: how old it is must be known from the start."""
    at = found.positions.get(OWN, Positions())
    first = at.next_unconfirmed(at.position)
    if first >= found.next_id:
        return None
    return journal.read(first, at.next_span_after(first) or found.next_id, 1)
