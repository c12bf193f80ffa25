"""Why a forked process cannot have a LevelDB if the one it was forked from had.

LevelDB compacts in a thread of its own, one a process, which is not in a forked one; but its memory says
that it is. So it works for a while there, and then waits for that thread for ever. Better it is refused.
"""

import os

from ...errors import JournalError

__all__ = ["check_not_forked"]

_used = _spoilt = False


def check_not_forked() -> None:
    """A database is about to be opened. Raises `JournalError` where that would end badly."""
    global _used
    if _spoilt:
        raise JournalError(
            "LevelDB cannot be used in a process that was forked from one that used it: start it anew "
            "(multiprocessing's `spawn`), or fork before the first queue is opened"
        )
    _used = True


def _forked() -> None:
    global _spoilt
    _spoilt = _used


os.register_at_fork(after_in_child=_forked)
