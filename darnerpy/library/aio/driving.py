"""Driving steps in a task of an event loop: what has to be waited for is awaited.

Owns how a task sleeps, and that nothing which may block is done on the loop: that is for threads. A loop
that was closed is not reached any more, so what its tasks waited for is given to others.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from ...queues.batches import Batch
from ..desk import Blocking, Desk, Pause, Steps
from ..directory import Directory

__all__ = ["LoopSleeper", "drive", "finish", "in_thread"]

T = TypeVar("T")


class LoopSleeper:
    """Made and slept in a task; woken from anywhere."""

    def __init__(self, helps: bool = False) -> None:
        self.woken = False
        self.helps = helps
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if not self.woken:
            self.woken = True
            try:
                self._loop.call_soon_threadsafe(self._ring)
            except RuntimeError:
                pass  # the loop was closed, and its tasks are gone

    def reachable(self) -> bool:
        return not self._loop.is_closed()

    def _ring(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def sleep(self, seconds: float | None) -> None:
        """Until woken, or so long."""
        if self.woken:
            return
        self._future = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(max(0.0, seconds), self._ring)
        try:
            await self._future
        finally:
            if timer is not None:
                timer.cancel()


async def drive(desk: Desk, steps: Steps[T]) -> T:
    """Go through steps to their end."""
    directory = desk.directory
    try:
        pause = next(steps)
        while True:
            result = None
            try:
                if isinstance(pause, Blocking):
                    result = await in_thread(pause.work)
                else:
                    await _sleep(directory, pause)
            except BaseException as error:
                pause = steps.throw(error)
            else:
                pause = steps.send(result)
    except StopIteration as end:
        found: T = end.value
    if not desk.closed:
        _hand_over(directory)
    return found


async def finish(desk: Desk, commit: Batch | None) -> None:
    """Have done what a turn has left to be done, and wait for what the answer depends on."""
    if commit is None:
        _hand_over(desk.directory)
    else:
        await drive(desk, desk.committed(commit))


async def in_thread(work: Callable[[], T]) -> T:
    """Do what may block, to its end, whatever becomes of this task."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue
        future.exception()  # nobody asks for it any more
        raise


async def _sleep(directory: Directory, pause: Pause) -> None:
    sleeper: Any = pause.sleeper
    scheduler = directory.scheduler
    with directory.lock:
        scheduler.loops += 1
        scheduler.hand_over()
    try:
        seconds = None
        if pause.until is not None:
            seconds = (pause.until - directory.clock.monotonic_ms()) / 1000
        await sleeper.sleep(seconds)
    finally:
        with directory.lock:
            scheduler.loops -= 1


def _hand_over(directory: Directory) -> None:
    if directory.scheduler.jobs:
        with directory.lock:
            directory.scheduler.hand_over()
