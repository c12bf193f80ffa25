"""Driving steps in a thread that may block: what has to be waited for is slept for, or done.

Owns nothing; the asyncio front has its own.
"""

from typing import TypeVar

from ..queues.batches import Completion
from .desk import Blocking, Desk, Steps
from .sleepers import ThreadSleeper

__all__ = ["drive", "finish", "read_again", "until"]

T = TypeVar("T")


def drive(desk: Desk, steps: Steps[T]) -> T:
    """Go through steps to their end."""
    directory = desk.directory
    try:
        pause = next(steps)
        while True:
            result = None
            try:
                if isinstance(pause, Blocking):
                    result = pause.work()
                else:
                    assert isinstance(pause.sleeper, ThreadSleeper)
                    directory.scheduler.pause_threadsafe(pause.sleeper, pause.until)
            except BaseException as error:
                pause = steps.throw(error)
            else:
                pause = steps.send(result)
    except StopIteration as end:
        found: T = end.value
    except Exception:
        if not desk.closed:
            directory.scheduler.leave()
        raise
    except BaseException:
        directory.scheduler.interrupted()
        raise
    if not desk.closed:
        directory.scheduler.leave()
    return found


def finish(desk: Desk, commit: Completion | None) -> None:
    """Have done what a turn has left to be done, and wait for what the answer depends on."""
    scheduler = desk.directory.scheduler
    if commit is not None:
        scheduler.work()  # most often just that, and nobody else is waited for
    if commit is None or (commit.ended and commit.error is None):
        scheduler.leave()
    else:
        drive(desk, desk.committed(commit))


def read_again(desk: Desk) -> None:
    """Have what is not known of a queue, since a turn was cut off, read."""
    drive(desk, desk.be_ready())


def until(desk: Desk, timeout: float | None) -> float | None:
    """When a wait that begins now ends."""
    return None if timeout is None else desk.directory.clock.monotonic_ms() + timeout * 1000
