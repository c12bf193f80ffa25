"""`darnerpy.Queue`: a queue in a data directory, for a program that may block.

Owns what it promises to whoever calls. It follows `queue.Queue` of the standard library, so that it need
not be learnt.
"""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import Self, Unpack

from ..brokers.turn import Unready
from ..errors import DarnerError, QueueFullError
from . import putting, whole
from .arguments import (
    ITEM,
    Data,
    bytes_of,
    check_flags,
    consumer_name,
    datas_of,
    text_of_queue,
    timeout_of,
    times,
)
from .consumer import Consumer
from .driving import drive, finish, read_again, until
from .keywords import Keywords
from .opened import Opened, warn_unclosed
from .reader import Reader
from .sleepers import ThreadSleeper
from .starts import Start, check_start

__all__ = ["Queue"]


class Queue(Reader):
    """A queue on disk: what `put` has returned for is there after any crash, and handed out in order.

    path: the data directory, made if need be. name: of the queue in it; a directory can have many. The
    queue itself is made by the first put.

    settings: of the names and meanings that they have in the configuration of the server; docs/library.md
    lists them. Values are as there ("64MiB", "500ms"), or Python's: None is off, a number for a duration
    is seconds. `sync="always"` is the default: a put returns when its item is on disk.

    Two objects on one path share it, also with `darnerpy.aio`; another process cannot have it
    meanwhile. Safe for threads. Use it as a context manager, or close it.

    Raises `ConfigError` for a setting that cannot be, or differs from those in force; `DataDirError` if
    another process has the directory (it names that), or it cannot be used; `JournalError` if what is
    stored cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str = "default",
        **settings: Unpack[Keywords],
    ) -> None:
        self._owned = False
        self._consumers: dict[bytes, Consumer] = {}
        self._opened = Opened(path, name, settings, self, ThreadSleeper)
        self._desk = self._opened.desk
        try:
            drive(self._desk, self._desk.be_ready())
        except BaseException:
            self._opened.close()
            raise

    # -- putting -----------------------------------------------------------------------------------

    def put(
        self,
        data: Data,
        block: bool = True,
        timeout: float | None = None,
        *,
        flags: int = 0,
        ttl: float | str | None = None,
        delay: float | str | None = None,
    ) -> int:
        """Put an item at the end; returns its id. With `sync="always"` it is on disk then.

        data: bytes, or what can be made bytes without a thought (bytearray, memoryview). flags: 32 bits
        that are stored with it. ttl: after how many seconds (or a duration such as "2h") it expires.
        delay: nobody gets it before so long has passed; it does not hold up those behind it.

        A full queue (`max_items`, `max_bytes`) is waited for, at most `timeout` seconds, not at all with
        `block=False`; who waits is served in turn. Raises `Full` if there was no room in time,
        `ItemTooLargeError` at once for what could never be let in.
        """
        if not isinstance(data, bytes):
            data = bytes_of(data, ITEM)
        if flags:
            check_flags(flags)
        timeout = None if timeout is None else timeout_of(timeout)
        desk = self._desk
        directory = desk.directory
        expiry = due = 0
        if ttl is not None or delay is not None:
            expiry, due = times(directory.clock.now_ms(), ttl, delay)
        size = len(data)
        if size <= putting.LARGE and not desk.place.line:
            try:
                with directory.lock:
                    turn = directory.turn
                    try:
                        item_id = turn.put(desk.name, data, size, flags, expiry, due, 0)
                        commit = turn.unfinished
                        rest = turn.after and directory.scheduler.settle()
                    except BaseException:
                        directory.scheduler.cut_off()
                        raise
                if rest or commit is not None:
                    finish(desk, commit)
                return item_id
            except (Unready, QueueFullError):
                pass
            except DarnerError as error:
                raise desk.told(error) from error.__cause__
        end = until(desk, timeout) if block else None
        how = putting.Envelope(flags, expiry, due, block, end)
        return drive(desk, putting.put(desk, data, how))

    def put_nowait(self, data: Data) -> int:
        """As `put(data, block=False)`."""
        return self.put(data, False)

    def put_many(
        self,
        items: Iterable[Data],
        block: bool = True,
        timeout: float | None = None,
        *,
        flags: int = 0,
        ttl: float | str | None = None,
        delay: float | str | None = None,
    ) -> range:
        """Put several items in one commit, all of them or none; returns their ids.

        As `put`. At most 10 000 items a call, and 4 MiB beside items over 256 KiB (ValueError).
        """
        datas = datas_of(items)
        check_flags(flags)
        timeout = timeout_of(timeout)
        desk = self._desk
        expiry = due = 0
        if ttl is not None or delay is not None:
            expiry, due = times(desk.directory.clock.now_ms(), ttl, delay)
        end = until(desk, timeout) if block else None
        how = putting.Envelope(flags, expiry, due, block, end)
        first = drive(desk, putting.put_many(desk, datas, how))
        return range(first, first + len(datas))

    def full(self) -> bool:
        """Whether an item of one byte would be refused now."""
        return whole.is_full(self._desk, read_again)

    # -- the queue as a whole ----------------------------------------------------------------------

    def consumer(
        self,
        name: str,
        start: Start | None = None,
        copy_from: "str | Consumer | Queue | None" = None,
    ) -> Consumer:
        """A consumer of that name: it keeps its own place, and sees every item that is put from then on.

        Items stay on disk until all consumers have confirmed them. If there is none of that name it is
        made, and begins behind all that waits (`start="tail"`, the default), with the oldest item that some
        consumer has yet to confirm (`start="head"`), or where another one is (`copy_from`: its name, it,
        or this queue). One that there is goes on where it was.

        Raises ValueError for both at once, and for one that is not there or of another queue.
        """
        known = consumer_name(name)
        model = check_start(start, copy_from, self._desk)
        drive(self._desk, whole.found_consumer(self._desk, known, start, model))
        reader = self._consumers.get(known)
        if reader is None or reader.closed:
            reader = self._consumers[known] = Consumer(self._opened.desk_of(known), self)
        return reader

    def consumers(self) -> list[str]:
        """The names of the consumers that there are."""
        return [text_of_queue(name) for name in whole.consumers(self._desk, read_again)]

    def flush(self) -> None:
        """Discard every item that waits, for every consumer; what is held stays held."""
        drive(self._desk, whole.flush(self._desk, everybody=True))

    def sync(self) -> None:
        """Put on disk all that was put and confirmed; with `sync="always"` items are already."""
        drive(self._desk, whole.sync(self._desk))

    def delete(self) -> None:
        """Remove the queue and all that is in it from disk, and close it."""
        drive(self._desk, whole.delete(self._desk))
        self._opened.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed, or deleted."""
        return self._desk.closed

    def close(self) -> None:
        """Put on disk what is owed and let others have the directory, if nobody else here uses it.

        What is held goes back to its place, who waits gets `ClosedError`, and so does every later call;
        another close does nothing.
        """
        self._opened.close()

    def close_forgotten(self) -> None:
        """As `close`, where the program ends without it."""
        if self._opened.is_open:
            try:
                if not self._owned:
                    warn_unclosed(self)  # which may be an error
            finally:
                self._opened.close()

    def __enter__(self) -> Self:
        self._desk.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        opened: Opened | None = getattr(self, "_opened", None)
        if opened is not None and opened.is_open and not opened.directory.is_forked:
            try:
                if not self._owned:
                    warn_unclosed(self)  # which may be an error
            finally:
                opened.forget()

    def __repr__(self) -> str:
        return f"<darnerpy.Queue {self.name!r} in {self.path!r}>"
