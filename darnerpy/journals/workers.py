"""Threads for what may block: opening, writing, syncing, reading and trimming journals.

Owns a fixed number of threads and the way back: results are handed to `call_soon`, which runs them
where the queues live. Work of one journal must not overlap; who submits sees to that.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

__all__ = ["Done", "Workers"]

Done = Callable[[Any, BaseException | None], None]
"""Called with the result, or with the error that was raised instead."""


class Workers:
    """count: threads. call_soon: thread-safe, runs a function with arguments on the loop, soon."""

    def __init__(self, count: int, call_soon: Callable[..., object], name: str) -> None:
        self._call_soon = call_soon
        self._work: SimpleQueue[tuple[Callable[[], Any], Done] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        self._work.put((work, done))

    def close(self) -> None:
        """Finish what was submitted, then stop the threads."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (task := self._work.get()) is not None:
            work, done = task
            try:
                result, error = work(), None
            except Exception as caught:  # whatever it is, the one who asked must hear of it
                result, error = None, caught
            self._call_soon(done, result, error)
            del task, work, done, result, error
