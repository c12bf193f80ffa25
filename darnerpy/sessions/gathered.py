"""Several commits as one, and being called back when one has ended."""

from collections.abc import Callable

from ..queues.batches import Batch, Completion, Dependent

__all__ = ["Gathered", "later", "when_ended"]


class Gathered(Completion):
    """It has ended when all have, and failed if one has."""

    __slots__ = ("_commits", "_left")

    def __init__(self, commits: list[Completion]) -> None:
        super().__init__()
        self._commits = commits
        waited_for = [commit for commit in commits if not commit.ended]
        self._left = len(waited_for) + 1
        for commit in waited_for:
            when_ended(commit, self._one_ended)
        self._one_ended()

    def _one_ended(self) -> None:
        self._left -= 1
        if not self._left:
            self.end(next((c.error for c in self._commits if c.error is not None), None))


def later(first: Batch | None, second: Batch | None) -> Batch | None:
    """The later of two batches of a queue: it fails if the other does."""
    if first is None or second is None:
        return first or second
    return first if first.number > second.number else second


class _Call(Dependent):
    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def release(self) -> None:
        self._callback()


def when_ended(commit: Completion, callback: Callable[[], None]) -> None:
    commit.dependents.append(_Call(callback))
