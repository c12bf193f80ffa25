"""Several commits as one."""

from ..queues.batches import Batch, Completion

__all__ = ["Gathered", "later"]


class Gathered(Completion, eq=False):
    """It has ended when all have, and failed if one has."""

    commits: list[Completion]

    def __post_init__(self) -> None:
        for commit in self.commits:
            commit.dependents.append(self)
        self.release()

    def release(self) -> None:
        if not self.ended and all(commit.ended for commit in self.commits):
            self.end(next((c.error for c in self.commits if c.error is not None), None))


def later(first: Batch | None, second: Batch | None) -> Batch | None:
    """The later of two batches of a queue: it fails if the other does."""
    if first is None or second is None:
        return first or second
    return first if first.number > second.number else second
