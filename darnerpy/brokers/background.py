"""What is done in the background for all queues of a process: one thing after another, in one thread.

Owns whose turn it is. What waits for its turn may hold something until then, so it can ask to be told of
it instead. Knows nothing of what is done.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..journals.workers import Done, Workers

__all__ = ["Background", "Job"]


class Job(NamedTuple):
    """work: done in the thread. done: told the result, on the loop."""

    work: Callable[[], Any]
    done: Done


class Background:
    """busy: whether something is being done; if not, nothing waits for its turn."""

    def __init__(self, workers: Workers) -> None:
        self.busy = False
        self._workers = workers
        self._line: deque[Job | Callable[[], Job | None]] = deque()

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        """Have something done; also if the process ends before."""
        self._line.append(Job(work, done))
        self._go_on()

    def when_free(self, begin: Callable[[], Job | None]) -> None:
        """Call begin when its turn has come: it returns what is to be done then, if anything is. It is
        not called any more if the process ends before.
        """
        self._line.append(begin)
        self._go_on()

    def close(self) -> None:
        """Wait until all is done that was submitted."""
        for each in self._line:
            if isinstance(each, Job):
                self._workers.submit(*each)
        self._line.clear()
        self._workers.close()

    def _go_on(self) -> None:
        while self._line and not self.busy:
            each = self._line.popleft()
            self.busy = True  # what is called now may bring more
            job: Job | None = None
            try:
                job = each if isinstance(each, Job) else each()
            finally:
                self.busy = job is not None
            if job is not None:
                self._workers.submit(job.work, partial(self._ended, job.done))

    def _ended(self, done: Done, result: Any, error: BaseException | None) -> None:
        self.busy = False
        try:
            done(result, error)
        finally:
            self._go_on()
