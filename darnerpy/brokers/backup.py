"""Backups of a running server: some or all queues, each as it is at one moment, as a data directory.

A queue is copied in the background thread, the one that trims, so nothing it refers to goes meanwhile;
commands go on. A backup is made under a name that begins with a dot and gets its own when it is whole
and on disk: what is cut off leaves nothing that looks like one.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from ..errors import ServerError
from ..journals.contract import Journal
from ..journals.durable import make_directory, sync_directory
from ..names import BACKUP_NAME, is_backup_name
from .backups import sign
from .datadir import LEASE_KEY
from .formats import CURRENT, write_format
from .store import Store
from .stored import StoredQueue

__all__ = ["Told", "back_up"]

Told = Callable[[ServerError | None], None]


def back_up(store: Store, queues: Iterable[StoredQueue], name: str, done: Told) -> None:
    """Write these queues to the directory of that name among the backups, then call `done` once.

    It is told why there is no backup: the name cannot be one or is taken, or a queue or the new
    directory has failed. What was acknowledged before this call is in the backup. A queue that is
    deleted meanwhile may not be.
    """
    if not is_backup_name(name):
        done(ServerError(f"{BACKUP_NAME} was expected"))
        return
    target = store.data.backups / name
    stored = [each for each in queues if each.stored or each.queue.unwritten]
    _Backup(store, stored, target, done).begin()


class _Backup:
    def __init__(self, store: Store, queues: list[StoredQueue], target: Path, done: Told) -> None:
        self._store = store
        self._left = queues
        self._draft = target.with_name(f".{target.name}")
        self._target = target
        self._done = done
        self._created = store.clock.now_ms()
        self._items = 0

    def begin(self) -> None:
        self._store.background.submit(self._make, self._made)

    def _make(self) -> bool:
        """Whether the name was free."""
        make_directory(self._target.parent)
        if self._target.exists():
            return False
        try:
            self._draft.mkdir()
        except FileExistsError:
            return False
        (self._draft / "queues").mkdir()
        return True

    def _made(self, free: bool | None, error: BaseException | None) -> None:
        if free is False:
            self._done(ServerError(f"there is a backup {self._target.name} already"))
        else:
            self._next(None, error)

    def _next(self, result: object, error: BaseException | None) -> None:
        """A step was done: do the next one."""
        if error is not None:
            self._fail(error)
        elif not self._left:
            self._store.background.submit(self._finish, self._finished)
        else:
            self._copy(self._left.pop())

    def _copy(self, stored: StoredQueue) -> None:
        if stored.deletion is not None or not stored.stored:
            self._next(None, None)
        elif stored.error is not None:
            self._fail(ServerError(f"queue {_text(stored.name)}: {stored.error}"))
        elif (journal := stored.journal) is None:
            stored.when_ready(partial(self._copy, stored))
        else:
            self._items += _items(stored)
            work = partial(_copy_queue, journal, stored.directory, self._draft / "queues")
            stored.run(partial(self._in_background, stored, work), _ignore, background=True)

    def _in_background(self, stored: StoredQueue, work: Callable[[], None]) -> None:
        # Not by `run`'s own callback: that does not come when the journal fails meanwhile.
        error: Exception | None = None
        try:
            work()
        except Exception as caught:
            error = ServerError(f"queue {_text(stored.name)}: {caught}")
        self._store.scheduler.call_soon_threadsafe(self._next, None, error)

    def _finish(self) -> None:
        write_format(self._draft, CURRENT)
        _copy_key(self._store.data.path / LEASE_KEY, self._draft / LEASE_KEY)
        sign(self._draft, self._created, self._items)
        _sync_tree(self._draft)
        os.rename(self._draft, self._target)
        sync_directory(self._target.parent)

    def _finished(self, result: None, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
        else:
            self._done(None)

    def _fail(self, error: BaseException) -> None:
        remove = partial(shutil.rmtree, self._draft, ignore_errors=True)
        known = error if isinstance(error, ServerError) else ServerError(f"no backup: {error}")
        self._store.background.submit(remove, lambda *_: self._done(known))


def _items(stored: StoredQueue) -> int:
    """Items that the consumer with the most before it has not confirmed."""
    queue = stored.queue
    return max(queue.count(each) + len(each.open) for each in queue.consumers.values())


def _copy_queue(journal: Journal, directory: Path, queues: Path) -> None:
    copy = queues / directory.name
    copy.mkdir()
    journal.copy(copy)
    large = directory / "large"
    if not large.exists():
        return
    (copy / "large").mkdir()
    for name in os.listdir(large):
        if name.endswith(".item"):  # whatever came after the copy goes again when it is opened
            _link(large / name, copy / "large" / name)


def _copy_key(source: Path, target: Path) -> None:
    """Leases are in the copies of queues; whoever has one has it in the backup, too."""
    try:
        key = source.read_bytes()
    except FileNotFoundError:
        return
    handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(key)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the backups may be on another disk
        shutil.copyfile(source, target)


def _sync_tree(path: Path) -> None:
    for directory, _, names in os.walk(path):
        for name in names:
            handle = os.open(os.path.join(directory, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_directory(Path(directory))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _ignore(result: object, error: BaseException | None) -> None:
    pass
