"""How far a command is, shown while standard error is a terminal; nothing otherwise."""

import sys

__all__ = ["Bar"]

_WIDTH = 30


class Bar:
    """title: what is being worked on. `clear` it before anything else is printed."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = -1
        self._wanted = sys.stderr.isatty()

    def show(self, done: int, total: int) -> None:
        """So much of the total is done."""
        part = min(1.0, done / total) if total > 0 else 1.0
        if not self._wanted or round(part * 1000) == self._shown:
            return
        self._shown = round(part * 1000)
        filled = round(part * _WIDTH)
        bar = "#" * filled + "-" * (_WIDTH - filled)
        self._write(f"\r\x1b[K[{bar}] {part:6.1%} {self._title[:40]}")

    def clear(self) -> None:
        if self._shown >= 0:
            self._write("\r\x1b[K")
            self._shown = -1

    def _write(self, text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)
