"""What the system says of this process: memory, processor time, open files. Linux's `/proc` is asked."""

import os
import resource
from pathlib import Path
from typing import NamedTuple

__all__ = ["Process", "look"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SELF = Path("/proc/self")


class Process(NamedTuple):
    """resident, virtual: bytes of memory. cpu: seconds that it has computed, user and system. files: that are
    open; most_files: that may be. threads: there are.
    """

    resident: int
    virtual: int
    cpu: float
    files: int
    most_files: int
    threads: int


def look() -> Process:
    virtual, resident = map(int, (_SELF / "statm").read_bytes().split()[:2])
    times = os.times()
    return Process(
        resident * _PAGE,
        virtual * _PAGE,
        times.user + times.system,
        _open_files(),
        resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        # A folder each, and two links to the one that they are in; `stat` tells it, too, and takes longer.
        os.stat(_SELF / "task").st_nlink - 2,
    )


def _open_files() -> int:
    # Newer kernels tell how many there are without listing them, which takes long if they are many.
    told = os.stat(_SELF / "fd").st_size
    return told or len(os.listdir(_SELF / "fd"))
