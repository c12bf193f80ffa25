"""The data directories that this process has open, each once, however its path is written.

Owns who shares what, and the ends that nobody asks for: a program that exits, a front that is forgotten,
a fork. A directory is known by device and inode. A front may be forgotten while this very thread holds a
lock that closing it needs: then another thread does it.
"""

import atexit
import os
import traceback
from _thread import start_new_thread
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import current_thread

from ..errors import ConfigError
from ..locks import Lock
from .directory import Directory, Front
from .keywords import Config, Given, settings_of
from .logs import name_queues
from .scheduler import THREADS

__all__ = ["enter", "leave", "whenever_possible"]

_open: dict[tuple[int, int], Directory] = {}
_lock = Lock()


def enter(path: Path, config: Config | None, given: Given, front: Front, user: object) -> Directory:
    """Begin to use a directory, made if need be. Raises `ConfigError`, `DataDirError` and what else keeps
    it from being used.

    user: who has to `leave` it; front: who is to be closed if nobody does.
    """
    with _lock:
        directory = _open.get(_identity(path)) if path.exists() else None
        if directory is None:
            directory = Directory(path, replace(settings_of(config, path), **given.shared))
            _open[_identity(path)] = directory
        else:
            directory.check_shared(given)
            known = replace(directory.settings, **given.shared)
            if config is not None and replace(settings_of(config, path), **given.shared) != known:
                raise ConfigError(f"{path}: it is open already, with another configuration")
        directory.users.add(user)
        directory.fronts.add(front)
        return directory


def leave(directory: Directory, user: object) -> None:
    """Use a directory no more; the last one closes it. It may be called again."""
    with _lock:
        if directory.users == {user}:
            directory.close()
            for key in [key for key, each in _open.items() if each is directory]:
                del _open[key]
        directory.users.discard(user)


def whenever_possible(directory: Directory, work: Callable[[], object]) -> None:
    """Do something that takes locks and ends threads, though this thread may hold the ones and be one of
    the others: it is in the middle of anything.
    """
    if directory.is_forked:
        return
    if not current_thread().name.startswith(THREADS) and _lock.acquire(blocking=False):
        free = directory.lock.acquire(blocking=False)
        _lock.release()
        if free:
            directory.lock.release()
            work()
            return
    try:
        start_new_thread(work, ())
    except RuntimeError:
        pass  # the interpreter ends: what is on disk is as it should be


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _close_all() -> None:
    """The program ends, and these were not closed."""
    for front in [front for directory in _open.values() for front in directory.fronts]:
        try:
            front.close_forgotten()
        except Exception:  # the others are to be closed all the same
            traceback.print_exc()


def _forked() -> None:
    global _lock
    _lock = Lock()
    for directory in _open.values():
        directory.fork()
        _keep_for_ever(directory)
    _open.clear()


def _keep_for_ever(thing: object) -> None:
    """An engine's own threads are not in a forked process: to end there would be to wait for them."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


name_queues()
atexit.register(_close_all)
os.register_at_fork(after_in_child=_forked)
