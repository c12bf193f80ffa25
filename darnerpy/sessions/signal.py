"""That something has happened, told to steps that wait for it."""

from collections.abc import Callable

__all__ = ["Signal"]


class Signal:
    __slots__ = ("_given", "_then")

    def __init__(self) -> None:
        self._given = False
        self._then: Callable[[], None] | None = None

    def give(self) -> None:
        self._given = True
        if self._then is not None:
            self.wait(self._then)

    def wait(self, then: Callable[[], None]) -> None:
        """Call once when it was given since the last wait has ended."""
        if self._given:
            self._given, self._then = False, None
            then()
        else:
            self._then = then
