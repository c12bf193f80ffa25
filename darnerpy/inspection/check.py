"""Whether a queue on disk is whole, and making it whole again."""

from collections import deque
from pathlib import Path

from ..errors import JournalError
from ..names import from_file_name
from .findings import QueueCheck
from .offline import open_queue
from .walk import Progress, Walk

__all__ = ["check_queue"]


def check_queue(directory: Path, progress: Progress, synced: bool) -> QueueCheck:
    """Look at the queue in a directory, which nobody may have open; changes nothing.

    synced: see `Walk`.
    """
    check = QueueCheck(directory.name, from_file_name(directory.name))
    try:
        with open_queue(directory) as queue:
            check.name = queue.name
            check.engine = queue.engine.name
            if queue.put_aside:
                check.notes.append(f"damaged files are put aside in {queue.put_aside}")
            deque(Walk(queue, check, progress, synced).items(), maxlen=0)
    except JournalError as error:
        check.refused = str(error)
    except OSError as error:
        check.refused = f"{error.filename}: {error.strerror}"
    return check
