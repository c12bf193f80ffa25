"""The three standard descriptors, which a parent may have closed.

Promises that 0, 1 and 2 are open before anything else is: else the next file opened, a queue's database,
would be standard output. What is opened instead of a closed one fails where that would have failed, so
that an item is not confirmed because /dev/null took it; only complaints may go there.
"""

import os
import select
import sys

__all__ = ["leave_if_nobody_reads", "open_standard_streams"]


def open_standard_streams() -> None:
    """Put /dev/null wherever one of the three is closed."""
    for handle, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest that is free, which is this one
            os.set_inheritable(handle, True)
    # Python has None for those that were closed when it began.
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def leave_if_nobody_reads() -> None:
    """Who reads our output may be gone long before there is anything to write."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if any(what & select.POLLERR for _, what in poll.poll(0)):
        raise BrokenPipeError
