"""Writing the log: whoever has something to say never waits for whoever should read it.

Owns the lines that are still to be written, at most `_MOST_BYTES` of them, and the one thread that
writes. What does not fit, or cannot be written, is lost, counted, and told as soon as something can be
written again. Knows nothing of what the lines say.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["LogWriter"]

_MOST_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16
_WINDOW_S = 1.0
_MOST_IN_WINDOW = 10


class LogWriter:
    """handle: the descriptor. say: makes a line of a text about the log itself.

    lost: lines that were not written, since the start.
    """

    def __init__(self, handle: int, say: Callable[[str], str]) -> None:
        self.lost = 0
        self._handle = handle
        self._say = say
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._untold = 0
        self._counts: dict[str, int] = {}
        self._window = 0.0
        self._closing = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Have a line written. From any thread; never waits for the descriptor."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._news:
            if self._closing or self._bytes + len(data) > _MOST_BYTES:
                self._lose(1)
                return
            self._lines.append(data)
            self._bytes += len(data)
            self._news.notify()

    def admits(self, kind: str, now_s: float) -> bool:
        """Whether one more line of a kind that clients can cause at will is to be written.

        So many a second are; how many were left out is told when the second is over.
        """
        with self._news:
            if not 0 <= now_s - self._window < _WINDOW_S:
                self._end_window()
                self._window = now_s
            count = self._counts.get(kind, 0) + 1
            self._counts[kind] = count
            return count <= _MOST_IN_WINDOW

    def close(self, timeout_s: float) -> None:
        """Write what is still to be written, for at most so long."""
        with self._news:
            self._end_window()
            self._closing = True
            self._news.notify()
        self._thread.join(timeout_s)

    def _lose(self, lines: int) -> None:
        self.lost += lines
        self._untold += lines

    def _end_window(self) -> None:
        counts, self._counts = self._counts, {}
        for kind, count in counts.items():
            if count > _MOST_IN_WINDOW:
                self.put(self._say(f"{count - _MOST_IN_WINDOW} more lines were left out: {kind}"))

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        while (lines := self._next()) is not None:
            size = sum(map(len, lines))
            written = self._write(b"".join(lines))
            with self._news:
                self._bytes -= size
                if not written:
                    self._lose(len(lines))
                    continue
                lost, self._untold = self._untold, 0
            if lost and not self._write(self._say(f"{lost} log lines were lost").encode() + b"\n"):
                with self._news:
                    self._untold += lost

    def _next(self) -> list[bytes] | None:
        """Some lines, as soon as there are any; None when it is over."""
        with self._news:
            while not self._lines:
                if self._closing:
                    return None
                if not self._news.wait(_WINDOW_S if self._counts else None):
                    self._end_window()
            lines = [self._lines.popleft()]
            size = len(lines[0])
            while self._lines and size + len(self._lines[0]) <= _PIECE_BYTES:
                lines.append(self._lines.popleft())
                size += len(lines[-1])
            return lines

    def _write(self, data: bytes) -> bool:
        while data:
            try:
                data = data[os.write(self._handle, data) :]
            except BlockingIOError:  # whoever shares the descriptor has made it so
                poll = select.poll()
                poll.register(self._handle, select.POLLOUT)
                poll.poll()
            except OSError:
                return False
        return True
