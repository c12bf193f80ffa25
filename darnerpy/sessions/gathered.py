"""Several commits as one, and being called back when one has ended."""

from collections.abc import Callable

from ..queues.batches import Batch, Completion

__all__ = ["Gathered", "later", "when_ended"]


class Gathered(Completion, eq=False):
    """It has ended when all have, and failed if one has."""

    commits: list[Completion]
    left: int = 0

    def __post_init__(self) -> None:
        waited_for = [commit for commit in self.commits if not commit.ended]
        self.left = len(waited_for) + 1
        for commit in waited_for:
            commit.dependents.append(self)
        self.release()

    def release(self) -> None:
        self.left -= 1
        if not self.left:
            self.end(next((c.error for c in self.commits if c.error is not None), None))


def later(first: Batch | None, second: Batch | None) -> Batch | None:
    """The later of two batches of a queue: it fails if the other does."""
    if first is None or second is None:
        return first or second
    return first if first.number > second.number else second


class _Call:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.release = callback


def when_ended(commit: Completion, callback: Callable[[], None]) -> None:
    commit.dependents.append(_Call(callback))
