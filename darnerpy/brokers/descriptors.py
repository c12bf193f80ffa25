"""How the file descriptors of this process are shared out: to journals, to connections, to the rest.

Owns the arithmetic only. LevelDB takes a fifth of the limit for tables, as it stands when the first
database is opened; so the limit is raised before that, and never later.
"""

import resource

__all__ = [
    "JOURNAL_DESCRIPTORS",
    "connections_possible",
    "descriptor_limit",
    "journals_possible",
    "raise_limit",
]

JOURNAL_DESCRIPTORS = 6
"""What an open LevelDB takes beside its tables: its lock, two logs, a MANIFEST, a table being written."""

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


def connections_possible(limit: int, journals: int) -> int:
    """How many connections there is room for beside so many open journals; one at least."""
    return max(1, limit - limit // 5 - journals * JOURNAL_DESCRIPTORS - _SET_APART)
