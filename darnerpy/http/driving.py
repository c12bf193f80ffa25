"""Steps, driven in a task: waits are the task's, and whoever cancels it closes them.

Owns nothing but the waiting. Closing the steps undoes what they had begun; see `sessions.steps`.
"""

import asyncio
from typing import TypeVar

from ..sessions.steps import Steps

__all__ = ["drive"]

T = TypeVar("T")


async def drive(steps: Steps[T]) -> T:
    """The result of the steps; raises what they raise."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                until = next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            if until is None:
                await asyncio.sleep(0)
                continue
            happened = loop.create_future()

            def tell(happened: asyncio.Future[None] = happened) -> None:
                if not happened.done():
                    happened.set_result(None)

            until(tell)
            await happened
    finally:
        steps.close()
