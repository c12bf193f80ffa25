"""The lock of the one that writes, on the ring's file itself; the kernel frees it with the process.

It is one of Linux's locks of an open file (F_OFD_SETLK): it belongs to all who share the descriptor, as one
of flock does. But whether it is taken can be asked without taking it, so that no reader keeps a writer out.
"""

import fcntl
import os
import struct

__all__ = ["is_taken", "take"]

_REQUEST = "hhqqi"  # kind, from where its start counts, start, length, nobody


def take(descriptor: int) -> bool:
    """Take it, if nobody has."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _request(fcntl.F_WRLCK))
    except BlockingIOError:
        return False
    return True


def is_taken(descriptor: int) -> bool:
    """Whether somebody has."""
    answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _request(fcntl.F_RDLCK))
    kind: int
    kind, *_ = struct.unpack(_REQUEST, answer)
    return kind != fcntl.F_UNLCK


def _request(kind: int) -> bytes:
    return struct.pack(_REQUEST, kind, os.SEEK_SET, 0, 1, 0)
