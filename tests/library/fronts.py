"""Both fronts of a queue by the same calls, so that one test tells what both promise."""

import asyncio
import inspect
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol, TypeVar, cast

import darnerpy
from darnerpy import aio

__all__ = ["FRONTS", "OpenQueue", "blocking", "looped"]

T = TypeVar("T")


class OpenQueue(Protocol):
    """Opens queues in one directory; those still open at the end of the test are closed."""

    def __call__(self, name: str = "default", **settings: Any) -> darnerpy.Queue: ...


class _Item:
    """A held item of the asyncio front."""

    def __init__(self, loop: asyncio.AbstractEventLoop, item: aio.ReservedItem) -> None:
        self._loop = loop
        self._item = item

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._item, name)
        if name in ("confirm", "abort", "keep"):
            return lambda *args: self._loop.run_until_complete(found(*args))
        return found

    def __enter__(self) -> "_Item":
        return self

    def __exit__(self, *error: Any) -> None:
        self._loop.run_until_complete(self._item.__aexit__(*error))


class _Reader:
    """A queue or a consumer of the asyncio front, driven by a loop that runs only meanwhile."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: Any) -> None:
        self._loop = loop
        self._reader = reader
        if isinstance(reader, aio.Queue | aio.Consumer):
            self._desk = reader._desk  # so that it can be copied from

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._reader, name)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **named: self._run(found(*args, **_without_block(args, named)))
        return found

    def __len__(self) -> int:
        return len(self._reader)

    def get(self, block: bool = True, timeout: float | None = None) -> bytes:
        return cast(bytes, self._run(self._reader.get(timeout if block else 0)))

    def get_many(self, n: int, block: bool = True, timeout: float | None = None) -> list[bytes]:
        return cast(list[bytes], self._run(self._reader.get_many(n, timeout if block else 0)))

    def reserve(
        self, block: bool = True, timeout: float | None = None, *, zero_copy: bool = False
    ) -> _Item:
        async def reserve() -> aio.ReservedItem:
            found: aio.ReservedItem = await self._reader.reserve(
                timeout if block else 0, zero_copy=zero_copy
            )
            return found

        return _Item(self._loop, self._run(reserve()))

    def __iter__(self) -> Iterator[_Item]:
        items = aiter(self._reader)
        try:
            while True:
                try:
                    yield _Item(self._loop, self._run(anext(items)))
                except StopAsyncIteration:
                    return
        except GeneratorExit:
            self._run(items.aclose())
            raise


class _Queue(_Reader):
    def put(self, data: Any, block: bool = True, timeout: float | None = None, **named: Any) -> int:
        return cast(int, self._run(self._reader.put(data, timeout if block else 0, **named)))

    def put_many(
        self, items: Any, block: bool = True, timeout: float | None = None, **named: Any
    ) -> range:
        return cast(
            range, self._run(self._reader.put_many(items, timeout if block else 0, **named))
        )

    def consumer(self, name: str, start: Any = None, copy_from: Any = None) -> _Reader:
        return _Reader(self._loop, self._run(self._reader.consumer(name, start, copy_from)))

    def __enter__(self) -> "_Queue":
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._reader.close())


def _without_block(args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name != "block"}


def blocking(loop: asyncio.AbstractEventLoop, *args: Any, **settings: Any) -> darnerpy.Queue:
    return darnerpy.Queue(*args, **settings)


def looped(loop: asyncio.AbstractEventLoop, *args: Any, **settings: Any) -> darnerpy.Queue:
    queue = loop.run_until_complete(aio.Queue.open(*args, **settings))
    return cast(darnerpy.Queue, _Queue(loop, queue))


FRONTS = {"blocking": blocking, "asyncio": looped}
