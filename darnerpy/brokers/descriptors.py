"""How the file descriptors of this process are shared out: to journals, to connections, to the rest.

Owns the arithmetic only. LevelDB takes a fifth of the limit for tables, as it stands when the first
database is opened; so the limit is raised before that, and never later.
"""

import resource
from pathlib import Path

__all__ = [
    "JOURNAL_DESCRIPTORS",
    "awake_possible",
    "connections_possible",
    "descriptor_limit",
    "journals_possible",
    "raise_limit",
]

JOURNAL_DESCRIPTORS = 6
"""What an open LevelDB takes beside its tables: its lock, two logs, a MANIFEST, a table being written."""

_AWAKE_DESCRIPTORS = 4
"""What a journal takes that can rest, while it does not."""

_MAPS = Path("/proc/sys/vm/max_map_count")
_MAPS_BY_DEFAULT = 65530
_AWAKE_MAPS = 4

_ENDLESS = 1 << 20
_SET_APART = 64
"""For listeners, threads, and files on their way in and out."""


def raise_limit() -> int:
    """Have as many descriptors as the system allows this process; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass  # the kernel's own bound may be lower: then it stays as it is
    return descriptor_limit()


def descriptor_limit() -> int:
    """How many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENDLESS if soft == resource.RLIM_INFINITY else soft


def journals_possible(limit: int) -> int:
    """How many journals may be open at once, so that a quarter of the limit is enough for them."""
    return max(1, limit // 4 // JOURNAL_DESCRIPTORS)


def awake_possible(limit: int) -> int:
    """How many journals that can rest may be awake at once, so that a sixteenth of the limit is enough
    for them, and half of the maps that the system allows a process.
    """
    try:
        maps = int(_MAPS.read_text())
    except (OSError, ValueError):
        maps = _MAPS_BY_DEFAULT
    return max(1, min(_for_awake(limit) // _AWAKE_DESCRIPTORS, maps // 2 // _AWAKE_MAPS))


def _for_awake(limit: int) -> int:
    return limit // 16


def connections_possible(limit: int, journals: int) -> int:
    """How many connections there is room for beside so many open journals; one at least."""
    taken = limit // 5 + journals * JOURNAL_DESCRIPTORS + _for_awake(limit) + _SET_APART
    return max(1, limit - taken)
