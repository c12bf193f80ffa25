"""Steps of a request, driven in a task of the test's loop, and who asks for them."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from darnerpy.sessions.steps import Steps

__all__ = ["Client", "drive"]

T = TypeVar("T")


class Client:
    """gone: it has hung up."""

    who = "a test"

    def __init__(self) -> None:
        self.gone = False

    def is_gone(self) -> bool:
        return self.gone

    def is_reachable(self) -> bool:
        return True


async def drive(steps: Steps[T]) -> T:
    """Until they are over; a task that is cancelled closes them."""
    try:
        while True:
            try:
                until = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if until is None:
                await asyncio.sleep(0)
            else:
                await _happened(until)
    finally:
        steps.close()


async def _happened(until: Callable[[Callable[[], None]], object]) -> None:
    event = asyncio.Event()
    until(event.set)
    await event.wait()
