"""How far a command is, shown while standard error is a terminal and once it takes longer than a second;
nothing otherwise.

Owns the line it is shown in, which is gone when the command says anything else.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from .terminal import printable

__all__ = ["Bar", "following"]

_WIDTH = 30
_PATIENCE_S = 1.0
_OFTEN_S = 0.1


class Bar:
    """title: what is being worked on. A context manager, at whose end it is gone.

    `clear` it before anything else is printed; it may be shown again.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._wanted = sys.stderr.isatty()
        self._next = time.monotonic() + _PATIENCE_S
        self._is_there = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, done: int, total: int) -> None:
        """So much of the total is done."""
        if self._is_due():
            self._write(f"{_bar(done, total)} {printable(self.title)[:40]}")

    def count(self, done: int, what: str) -> None:
        """So many are done, and nobody knows of how many."""
        if self._is_due():
            self._write(f"{done:,} {what} {printable(self.title)[:40]}")

    def clear(self) -> None:
        if self._is_there:
            self._is_there = False
            self._write("", there=False)

    def _is_due(self) -> bool:
        if not self._wanted or (now := time.monotonic()) < self._next:
            return False
        self._next = now + _OFTEN_S
        return True

    def _write(self, text: str, there: bool = True) -> None:
        self._is_there = there
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def following(pieces: Iterable[bytes], bar: Bar, total: int) -> Iterator[bytes]:
    """The pieces, while the bar shows how much of the bytes has been taken."""
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        bar.show(done, total)


def _bar(done: int, total: int) -> str:
    part = min(1.0, done / total) if total > 0 else 1.0
    filled = round(part * _WIDTH)
    return f"[{'#' * filled}{'-' * (_WIDTH - filled)}] {part:6.1%}"
