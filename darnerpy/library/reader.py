"""Reading a queue or a consumer, for a program that may block.

Owns the short way: what is in memory is taken under the lock and written at once. All else is steps, in
`reading`.
"""

import builtins
from collections.abc import Generator
from functools import partial
from typing import NoReturn, cast

from ..brokers.turn import Taken, Unready
from ..errors import ClosedError, CutOffError, DarnerError
from ..queue_errors import Empty
from ..queues.batches import Batch
from ..queues.open_reads import OpenRead
from . import reading, whole
from .arguments import check_count, timeout_of
from .desk import Desk
from .driving import drive, finish, read_again, until
from .items import Item
from .reserved import ReservedItem
from .views import watch_view

__all__ = ["Reader"]


class Reader:
    """What a queue and its consumers have in common."""

    _desk: Desk

    @property
    def name(self) -> str:
        """Its name."""
        return self._desk.queue

    @property
    def path(self) -> str:
        """The data directory, as it was given."""
        return self._desk.path

    # -- at most once ------------------------------------------------------------------------------

    def get(self, block: bool = True, timeout: float | None = None) -> builtins.bytes:
        """Take the next item. It is confirmed, and that is written, when this returns.

        Waits until there is one, at most `timeout` seconds (None: without end); with `block=False` not at
        all. Who waits is served in turn. Raises `Empty` if there was none in time.
        """
        timeout = timeout_of(timeout)
        desk = self._desk
        directory = desk.directory
        box: Taken = []
        commit: Batch | None = None
        try:
            with directory.lock:
                turn = directory.turn
                try:
                    item = turn.take(desk.name, desk.consumer, box)
                    commit, empty = turn.unfinished, turn.empty
                    rest = turn.after and directory.scheduler.settle()
                except BaseException:
                    directory.scheduler.cut_off()
                    raise
            if item is not None:
                if rest or commit is not None:
                    finish(desk, commit)
                return cast(builtins.bytes, item.data)
        except Unready:
            empty = rest = False
        except CutOffError:
            desk.untake(box, commit)
            empty = rest = False
        except DarnerError as error:
            raise desk.told(error) from error.__cause__
        except BaseException:
            desk.untake(box, commit)
            raise
        if empty and not block and not rest:
            raise Empty(desk.path, desk.queue)
        end = until(desk, timeout) if block else None
        way = reading.OnTheWay(desk)
        try:
            return drive(desk, reading.get(desk, block, end, way))
        except BaseException as error:
            way.failed(error)
            raise

    def get_nowait(self) -> builtins.bytes:
        """As `get(block=False)`."""
        return self.get(False)

    def get_many(
        self, n: int, block: bool = True, timeout: float | None = None
    ) -> list[builtins.bytes]:
        """Take what there is, at most `n` items, in one commit as far as they are in memory.

        Waits only for the first, as `get` does, and raises `Empty` if there was none in time.
        """
        check_count(n, "n", 1)
        timeout = timeout_of(timeout)
        desk = self._desk
        end = until(desk, timeout) if block else None
        way = reading.OnTheWay(desk)
        try:
            return drive(desk, reading.get_many(desk, n, block, end, way))
        except BaseException as error:
            way.failed(error)
            raise

    # -- at least once -----------------------------------------------------------------------------

    def reserve(
        self, block: bool = True, timeout: float | None = None, *, zero_copy: bool = False
    ) -> ReservedItem:
        """Take the next item and hold it, until it is confirmed or returned; waits as `get` does.

        Use it as a context manager: the item is confirmed when the block ends, and returned if it raises.
        A process that is killed returns all it holds. An `open_timeout` returns it as well.

        zero_copy: `data` is a read-only memoryview of what is stored, where the engine can; it is released
        when the item is confirmed or returned.
        """
        timeout = timeout_of(timeout)
        desk = self._desk
        directory = desk.directory
        box: list[OpenRead] = []
        make = partial(ReservedItem, desk=desk, zero_copy=zero_copy)
        try:
            with directory.lock:
                turn = directory.turn
                try:
                    held = turn.open(desk.name, desk.consumer, desk, box)
                    commit, empty = turn.unfinished, turn.empty
                    attempts, expires = turn.attempts, turn.expires
                    rest = turn.after and directory.scheduler.settle()
                except BaseException:
                    directory.scheduler.cut_off()
                    raise
            if held is not None:
                found = reading.Found(held.item, held.item.data, held, attempts, expires)
                if found.data is not None and commit is None and not rest:
                    return ReservedItem(found, desk, zero_copy)
                return drive(desk, reading.arrive(desk, found, commit, make, zero_copy))
        except (Unready, CutOffError):
            empty = rest = False
        except DarnerError as error:
            raise desk.told(error) from error.__cause__
        except BaseException:
            if box:
                desk.give_back(box[0])
            raise
        if empty and not block and not rest:
            raise Empty(desk.path, desk.queue)
        end = until(desk, timeout) if block else None
        return drive(desk, reading.hold(desk, block, end, make, zero_copy))

    def __iter__(self) -> Generator[ReservedItem, None, None]:
        """Every item, held until the next is asked for and confirmed then; waits for more without end.

        Leaving the loop, by `break` or by an exception, returns the item at hand: confirm it first if it
        is done. The loop ends when the queue is closed.
        """
        desk = self._desk
        while not desk.closed:
            try:
                item = self.reserve()
            except ClosedError:
                return
            try:
                yield item
            except BaseException:
                item.abort()
                raise
            if item.held:
                item.confirm()

    __contains__ = None  # by default `in` would take every item, and wait for more

    # -- looking -----------------------------------------------------------------------------------

    def peek(self, offset: int = 0, *, zero_copy: bool = False) -> Item | None:
        """The next item, or the one `offset` places behind it, left where it is; None if there is none.

        zero_copy: as of `reserve`; released when somebody has confirmed the item, or at `close`.
        """
        check_count(offset, "offset", 0)
        found = drive(self._desk, reading.peek(self._desk, offset, zero_copy))
        if found is None:
            return None
        item = Item(found, zero_copy)
        if zero_copy:
            watch_view(self._desk, item)
        return item

    def __len__(self) -> int:
        """Items that wait: those delayed count, those that are held do not."""
        return whole.count(self._desk, read_again)

    def __bool__(self) -> bool:
        """True, though it may be empty."""
        return True

    def qsize(self) -> int:
        """As `len`."""
        return len(self)

    def empty(self) -> bool:
        """Whether no item waits."""
        return len(self) == 0

    @property
    def bytes(self) -> int:
        """Bytes of the items that wait."""
        return whole.size(self._desk, read_again)

    def stats(self) -> dict[str, object]:
        """Counts and sizes by the names that the server's `stats` has, without the queue's name."""
        return drive(self._desk, whole.stats(self._desk))

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled: open the queue where it is wanted")
