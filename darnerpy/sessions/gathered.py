"""Several commits as one: it has ended when all have, and failed if one has."""

from ..queues.batches import Completion

__all__ = ["Gathered"]


class Gathered(Completion):
    __slots__ = ("_commits",)

    def __init__(self, commits: list[Completion]) -> None:
        super().__init__()
        self._commits = commits
        for commit in commits:
            commit.dependents.append(self)
        self.release()

    def release(self) -> None:
        if not self.ended and all(commit.ended for commit in self._commits):
            self.end(next((c.error for c in self._commits if c.error is not None), None))
