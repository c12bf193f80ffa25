"""A command that concerns all queues, decided in slices: between them all others have their turn.

Owns how long a slice may take. What is to be done comes as steps, each of them short: bytes are a part of
the answer, None only says that a step is done, and a function is what has to happen first: it is given
what to call when it has. The session keeps the command's place in the order.
"""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import ClassVar

from .contract import Obstacle
from .state import State

__all__ = ["Slices", "Step", "go_on"]

Step = bytes | Callable[[Callable[[], None]], object] | None

_SLICE_S = 0.002


class Slices:
    """over: all steps are done. noreply: as of the command that is so decided."""

    administrative: ClassVar[bool] = False

    def __init__(self, steps: Iterator[Step], noreply: bool = False) -> None:
        self.noreply = noreply
        self.over = False
        self._steps = steps

    def take(self) -> Iterator[bytes | Callable[[Callable[[], None]], object]]:
        """Do as many steps as fit into a slice; what they give."""
        until = perf_counter() + _SLICE_S
        for step in self._steps:
            if step is not None:
                yield step
            if perf_counter() >= until:
                return
        self.over = True


def go_on(session: State, command: Slices) -> None:
    """Do a slice of a command; the rest follows when the others had their turn."""
    for step in command.take():
        if not isinstance(step, bytes):
            session.obstacles |= Obstacle.QUEUE
            session.again(command)
            step(session.queue_ready)
            return
        session.slots.add(None, step)
        if session.slots.unsent > session.host.output_limit:
            break
    if not command.over:
        session.again(command)
