"""Opening a queue's journal, in a thread: everything that can be learnt before the loop goes on."""

from typing import NamedTuple

from ..journals.contract import Journal, Piece, Recovery
from ..queues.positions import Positions
from ..queues.queue import OWN
from .store import Keeper, Store

__all__ = ["Opened", "open_journal"]


class Opened(NamedTuple):
    """head: the next item of the queue's own consumer, if it was read. size: bytes on disk."""

    journal: Journal
    found: Recovery
    head: Piece | None
    size: int


def open_journal(store: Store, queue: Keeper, known: bool, failed: bool) -> Opened:
    """known: it was open before, and only has to be opened again. failed: since then something went
    wrong, so that nobody knows what of it has reached the journal. Raises `JournalError`.
    """
    journal = store.open_journal(queue)
    try:
        found = journal.recover(origins=failed or not known)
        head = None
        if not known:
            queue.large.clean(found.trimmed, found.next_id, found.kept)
            head = _read_head(journal, found)
        return Opened(journal, found, head, journal.size())
    except BaseException:
        journal.close()
        raise


def _read_head(journal: Journal, found: Recovery) -> Piece | None:
    """The next item of the queue's own consumer: how old it is must be known from the start."""
    at = found.positions.get(OWN, Positions())
    first = at.next_unconfirmed(at.position)
    if first >= found.next_id:
        return None
    return journal.read(first, at.next_span_after(first) or found.next_id, 1)
