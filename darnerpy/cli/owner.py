"""Root's maintenance of a data directory that belongs to somebody else, usually the service.

Promises that root leaves no file there which the service cannot open: while a command has the directory,
the process has its owner's effective user and groups, all threads alike. Root's power to read stays, so
that it can read what only root may, and reach a directory behind one that is root's alone; to write, it
has what the owner has.
"""

import ctypes
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["as_owner", "foreign_owner"]

_CAP_DAC_READ_SEARCH = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522


@contextmanager
def as_owner(directory: Path) -> Iterator[None]:
    """Be the owner of a data directory, if it is there and root would meddle in it."""
    owner = foreign_owner(directory)
    if owner is None:
        yield
        return
    uid, gid = owner
    user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
    try:
        os.setgroups(_groups_of(uid, gid))
        os.setegid(gid)
        os.seteuid(uid)
        _keep_reading()
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
        os.setgroups(groups)


def foreign_owner(directory: Path) -> tuple[int, int] | None:
    """The user and group that own a data directory, None unless this is root and they are not."""
    if os.geteuid() != 0:
        return None
    for path in (directory, directory / "queues"):
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_uid != 0:
            return found.st_uid, found.st_gid
    return None


def _groups_of(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:  # users of containers and of systemd have no name here
        return [gid]


def _keep_reading() -> None:
    """What this thread starts inherits it. Where the system does not allow it, it is done without."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and the upper halves
    libc = ctypes.CDLL(None)
    if libc.capget(header, before) == 0 and before[1] & _CAP_DAC_READ_SEARCH:
        before[0] |= _CAP_DAC_READ_SEARCH
        libc.capset(header, before)
