"""An item that is held by a task."""

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Self

from ..arguments import milliseconds
from ..items import HeldItem, abort, confirm, keep
from .driving import drive

__all__ = ["Reservation", "ReservedItem"]


class ReservedItem(HeldItem):
    """An item that you hold: nobody else gets it until you confirm it, return it or let it fall.

    As a context manager it is confirmed when the block ends, and goes back to its place if the block
    raises, or is cancelled. What happened to it before, by `confirm` or `abort`, stays so.
    """

    __slots__ = ()

    async def confirm(self) -> None:
        """Have it handed out never again. That is written when this returns.

        Raises `NotHeldError` if it is not held any more: its time was up, it was confirmed or returned
        already, or the queue was closed or deleted.
        """
        await drive(self._desk, confirm(self))

    async def abort(self) -> None:
        """Return it to its place at once: it is the next to be handed out, and `attempts` is one more.

        After the last of `max_attempts` it goes to `dead_letter`; with `retry_delay` it waits first.
        Nothing happens if it is not held any more.
        """
        await drive(self._desk, abort(self))

    async def keep(self, seconds: float | str) -> None:
        """Hold it for so long from now, whatever `open_timeout` says; it may be shorter than before.

        seconds: a number, or a duration such as "30s". Raises `NotHeldError`.
        """
        await drive(self._desk, keep(self, milliseconds(seconds, "the time to keep it")))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.held:
            return
        if kind is None:
            await self.confirm()
        else:
            await self.abort()


class Reservation:
    """What `reserve` gives: await it for the item, or use it as an asynchronous context manager."""

    def __init__(self, reserve: Callable[[], Coroutine[Any, Any, ReservedItem]]) -> None:
        self._reserve = reserve
        self._item: ReservedItem | None = None

    def __await__(self) -> Generator[Any, None, ReservedItem]:
        return self._reserve().__await__()

    async def __aenter__(self) -> ReservedItem:
        self._item = await self
        return self._item

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._item is not None
        await self._item.__aexit__(kind, error, trace)
