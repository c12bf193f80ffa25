"""Several commits as one: it has ended when all have, and failed if one has."""

from ..queues.batches import Completion

__all__ = ["Gathered"]


class Gathered(Completion, eq=False):
    commits: list[Completion]

    def __post_init__(self) -> None:
        for commit in self.commits:
            commit.dependents.append(self)
        self.release()

    def release(self) -> None:
        if not self.ended and all(commit.ended for commit in self.commits):
            self.end(next((c.error for c in self.commits if c.error is not None), None))
