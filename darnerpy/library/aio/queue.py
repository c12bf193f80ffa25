"""`darnerpy.aio.Queue`: a queue in a data directory, for tasks of an event loop.

Owns what it promises to whoever calls. It follows `asyncio.Queue` of the standard library; what may touch
the disk is a coroutine.
"""

import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, Unpack

from ...brokers.turn import Unready
from ...errors import ClosedError, DarnerError, QueueFullError
from .. import putting, whole
from ..arguments import (
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
from ..driving import until
from ..keywords import Keywords
from ..opened import Opened, warn_unclosed
from ..starts import Start, check_start
from .consumer import Consumer
from .driving import LoopSleeper, drive, finish, in_thread
from .reader import Reader

__all__ = ["Queue"]


class Queue(Reader):
    """A queue on disk: what `put` has returned for is there after any crash, and handed out in order.

    `async with Queue(path) as queue`, or `queue = await Queue.open(path)`. All else is as of
    `darnerpy.Queue`: path, name, settings and errors; the same calls but for `block`, where `timeout=0` is
    not to wait at all. Tasks of several loops, and threads with `darnerpy.Queue`, share one queue.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        name: str = "default",
        **settings: Unpack[Keywords],
    ) -> None:
        self._given = path, name, settings
        self._consumers: dict[bytes, Consumer] = {}
        self._opened: Opened | None = None

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        name: str = "default",
        **settings: Unpack[Keywords],
    ) -> Self:
        """A queue that is open; close it with `close`."""
        return await cls(path, name, **settings)._open()

    async def _open(self) -> Self:
        if self._opened is not None:
            raise ClosedError(f"{self!r} was opened already: make another one")
        try:
            await in_thread(self._enter)
            await drive(self._desk, self._desk.be_ready())
        except BaseException:
            if self._opened is not None:
                await in_thread(self._opened.close)
            raise
        return self

    def _enter(self) -> None:
        path, name, settings = self._given
        self._opened = Opened(path, name, settings, self, LoopSleeper)
        self._desk = self._opened.desk

    def __getattr__(self, name: str) -> Any:
        if name == "_desk":
            raise ClosedError(f"{self!r} is not open: use `async with`, or `await Queue.open(…)`")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # -- putting -----------------------------------------------------------------------------------

    async def put(
        self,
        data: Data,
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

        A full queue (`max_items`, `max_bytes`) is waited for, at most `timeout` seconds (0: not at all); who
        waits is served in turn. Who is cancelled while it waits has put nothing; while it is written, that
        is not known. Raises `Full` if there was no room in time, `ItemTooLargeError` at once for what could
        never be let in.
        """
        if not isinstance(data, bytes):
            data = bytes_of(data, ITEM)
        check_flags(flags)
        timeout = timeout_of(timeout)
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
                    await finish(desk, commit)
                return item_id
            except (Unready, QueueFullError):
                pass
            except DarnerError as error:
                raise desk.told(error) from error.__cause__
        how = putting.Envelope(flags, expiry, due, timeout != 0, until(desk, timeout))
        return await drive(desk, putting.put(desk, data, how))

    async def put_nowait(self, data: Data) -> int:
        """As `put(data, timeout=0)`."""
        return await self.put(data, timeout=0)

    async def put_many(
        self,
        items: Iterable[Data],
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
        how = putting.Envelope(flags, expiry, due, timeout != 0, until(desk, timeout))
        first = await drive(desk, putting.put_many(desk, datas, how))
        return range(first, first + len(datas))

    def full(self) -> bool:
        """Whether an item of one byte would be refused now."""
        return whole.is_full(self._desk)

    # -- the queue as a whole ----------------------------------------------------------------------

    async def consumer(
        self,
        name: str,
        start: Start | None = None,
        copy_from: "str | Consumer | Queue | None" = None,
    ) -> Consumer:
        """A consumer of that name: it keeps its own place, and sees every item that is put from then on.

        As of `darnerpy.Queue`. Raises ValueError for both `start` and `copy_from`, and for a consumer to copy
        that is not there or of another queue.
        """
        known = consumer_name(name)
        model = check_start(start, copy_from, self._desk)
        await drive(self._desk, whole.found_consumer(self._desk, known, start, model))
        reader = self._consumers.get(known)
        if reader is None or reader.closed:
            assert self._opened is not None
            reader = self._consumers[known] = Consumer(self._opened.desk_of(known), self)
        return reader

    def consumers(self) -> list[str]:
        """The names of the consumers that there are."""
        return [text_of_queue(name) for name in whole.consumers(self._desk)]

    async def flush(self) -> None:
        """Discard every item that waits, for every consumer; what is held stays held."""
        await drive(self._desk, whole.flush(self._desk, everybody=True))

    async def sync(self) -> None:
        """Put on disk all that was put and confirmed; with `sync="always"` items are already."""
        await drive(self._desk, whole.sync(self._desk))

    async def delete(self) -> None:
        """Remove the queue and all that is in it from disk, and close it."""
        await drive(self._desk, whole.delete(self._desk))
        await self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed, or deleted, or never open."""
        return self._opened is None or self._desk.closed

    async def close(self) -> None:
        """Put on disk what is owed and let others have the directory, if nobody else here uses it.

        What is held goes back to its place, who waits gets `ClosedError`, and so does every later call;
        another close does nothing.
        """
        if self._opened is not None:
            await in_thread(self._opened.close)

    def close_forgotten(self) -> None:
        """As `close`, where the program ends without it."""
        if self._opened is not None and self._opened.is_open:
            try:
                warn_unclosed(self)  # which may be an error
            finally:
                self._opened.close()

    async def __aenter__(self) -> Self:
        return await self._open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        opened: Opened | None = getattr(self, "_opened", None)
        if opened is not None and opened.is_open and not opened.directory.is_forked:
            try:
                warn_unclosed(self)  # which may be an error
            finally:
                opened.forget()

    def __repr__(self) -> str:
        path, name, _ = self._given
        return f"<darnerpy.aio.Queue {name!r} in {str(path)!r}>"
