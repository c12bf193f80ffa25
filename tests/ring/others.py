"""Other processes at a ring: programs of their own, as users have them.

What a message holds tells its number and whether it is whole, so that a reader can be checked without knowing
what was published.
"""

import hashlib
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).parents[2]

_ENDS_WITH_ITS_PARENT = "import ctypes; ctypes.CDLL(None).prctl(1, 9)\n"
"""PR_SET_PDEATHSIG: a test that is killed must not leave programs that write and write."""


def message(number: int, length: int) -> bytes:
    """That many bytes, and 24 at least, which belong together."""
    head = b"%16d" % number
    body = (b"%d." % number) * (max(0, length - 24) // 2 + 1)
    body = body[: max(0, length - 24)]
    return head + hashlib.blake2b(head + body, digest_size=8).digest() + body


def number_of(data: bytes) -> int:
    """Which message it is; AssertionError if it is not exactly one that was published."""
    head, digest, body = data[:16], data[16:24], data[24:]
    assert hashlib.blake2b(head + body, digest_size=8).digest() == digest, data[:40]
    return int(head)


class Process(AbstractContextManager["Process"]):
    """A Python program, which says things by the line; killed at the end if it still runs."""

    def __init__(self, program: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ENDS_WITH_ITS_PARENT + program, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def line(self) -> str:
        """The next line that it says; waits for it."""
        return self._out.readline().rstrip("\n")

    def tell(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def result(self) -> str:
        """All that it says, when it has ended well."""
        said, _ = self._process.communicate()
        assert self._process.returncode == 0
        return said.strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._out.close()
