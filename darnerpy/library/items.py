"""Items as a program gets them.

Owns what is told of one, and that an item which is held is confirmed or returned, whatever becomes of who
has it: at the latest it goes back when nobody knows of it any more. How that is waited for is each front's.
"""

from _thread import start_new_thread
from functools import partial
from typing import NoReturn

from ..brokers.stored import StoredQueue
from ..errors import ClosedError, DarnerError, NotHeldError
from ..queues.batches import Completion
from ..queues.consumer import Consumer
from .desk import Desk, Steps
from .reading import Found
from .registry import whenever_possible

__all__ = ["HeldItem", "Item", "abort", "confirm", "keep", "not_held"]


class Item:
    """An item of a queue, as it was when it was read.

    data: bytes, or a read-only memoryview if zero_copy was asked for. id: 1, 2, 3 … in the order of
    puts. flags: the 32 bits it was put with. attempts: how often it was delivered and came back; 0
    at the first delivery. created: when it was put, seconds since 1970. expires: when it does, by its
    `ttl` or the queue's `max_age`, seconds since 1970; None is never.
    """

    __slots__ = ("__weakref__", "attempts", "created", "data", "expires", "flags", "id")

    data: bytes | memoryview
    id: int
    flags: int
    attempts: int
    created: float
    expires: float | None

    def __init__(self, found: Found, zero_copy: bool = False) -> None:
        item, data, expires = found.item, found.data, found.expires
        assert data is not None
        self.data = memoryview(data) if zero_copy and isinstance(data, bytes) else data
        self.id = item.id
        self.flags = item.flags
        self.attempts = found.attempts
        self.created = item.created / 1000
        self.expires = expires / 1000 if expires else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {len(self.data)} bytes>"

    def release(self) -> None:
        """A view is of no use any more; where somebody else has it in use, it stays."""
        if isinstance(self.data, memoryview):
            try:
                self.data.release()
            except BufferError:
                pass


class HeldItem(Item):
    """An item that is held: nobody else gets it until it is confirmed or returned."""

    __slots__ = ("_desk", "_held")

    def __init__(self, found: Found, desk: Desk, zero_copy: bool) -> None:
        super().__init__(found, zero_copy)
        self._desk = desk
        self._held = found.held

    @property
    def held(self) -> bool:
        """Whether it was neither confirmed nor returned here; its time may be up all the same."""
        return self._held is not None

    def _let_go(self) -> None:
        """From now on it is not held here."""
        self._held = None
        self.release()

    def __del__(self) -> None:
        held = getattr(self, "_held", None)
        desk = self._desk if held is not None else None
        if held is not None and desk is not None and not (held.gone or desk.closed):
            try:
                whenever_possible(desk.directory, partial(desk.give_back, held, True))
            except BaseException:
                start_new_thread(desk.give_back, (held, True))  # which nobody interrupts
                raise

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled while it is held: take its data")


def not_held(item: HeldItem) -> DarnerError:
    return item._desk.located(NotHeldError(f"item {item.id} is not held any more"))


def confirm(item: HeldItem) -> Steps[None]:
    """Confirm what is held. Raises `NotHeldError`; after any other error it is still held."""
    desk, held = item._desk, item._held
    commit: Completion | None = None
    if held is not None and not desk.closed:
        try:
            commit = yield from desk.when_ready(lambda stored, _: stored.queue.close(held))
        except ClosedError:
            pass
    item._let_go()
    if commit is None:
        raise not_held(item)
    yield from desk.committed(commit)


def abort(item: HeldItem) -> Steps[None]:
    """Return what is held to its place, if it still is; written when this ends."""
    desk, held = item._desk, item._held
    commit: Completion | None = None
    if held is not None and not desk.closed:
        try:
            commit = yield from desk.when_ready(lambda stored, _: stored.queue.abort(held))
        except ClosedError:
            pass
    item._let_go()
    yield from desk.committed(commit)


def keep(item: HeldItem, milliseconds: int) -> Steps[None]:
    """Hold it until so long from now. Raises `NotHeldError`."""
    desk, held = item._desk, item._held

    def keep_it(stored: StoredQueue, consumer: Consumer) -> None:
        if held is None or held.gone:
            raise not_held(item)
        stored.queue.keep(held, desk.directory.clock.monotonic_ms() + milliseconds)

    try:
        desk.check_open()
        yield from desk.when_ready(keep_it)
    except ClosedError:
        raise not_held(item) from None
