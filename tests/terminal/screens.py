"""A real terminal for tests: tmux runs a program, types for it, and says what is on the screen."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.servers import TIMEOUT, wait_until

__all__ = ["Screen", "needs", "needs_tmux"]


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"there is no {program} here")


needs_tmux = needs("tmux")

_LEFT = "it has left with "
_RUN = f'"$@"; echo "{_LEFT}$? "; exec sleep 600'


class Screen:
    """A program in a terminal of its own. It sees no tmux, and no settings of whoever runs the tests."""

    def __init__(
        self, *command: str, environ: Mapping[str, str], columns: int = 80, rows: int = 24
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="darnerpy-tmux-")
        self._tmux = ("tmux", "-L", Path(self._folder.name).name, "-f", "/dev/null")
        named = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | dict(environ)
        # What tmux itself passes on is not all: it has a PATH of its own.
        variables = (f"{name}={value}" for name, value in named.items())
        self._command = ("env", *variables, "sh", "-c", _RUN, "sh", *command)
        self._size = (f"-x{columns}", f"-y{rows}")

    def __enter__(self) -> Self:
        self._do("new-session", "-d", *self._size, "--", *self._command)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        subprocess.run((*self._tmux, "kill-server"), capture_output=True, check=False)
        self._folder.cleanup()

    def type(self, *keys: str) -> None:
        """Keys, by tmux's names for them: q, Enter, C-c."""
        self._do("send-keys", *keys)

    def write(self, text: str) -> None:
        self._do("send-keys", "-l", "--", text)

    def resize(self, columns: int, rows: int) -> None:
        self._do("resize-window", f"-x{columns}", f"-y{rows}")

    def text(self, colours: bool = False) -> str:
        """What is on the screen, with the codes of its colours if they matter."""
        return self._do("capture-pane", "-p", *(["-e"] if colours else []))

    def wait_for(self, *wanted: str) -> str:
        """Until all of that is on the screen, which is returned."""
        try:
            wait_until(lambda: all(each in self.text() for each in wanted), TIMEOUT)
        except AssertionError:
            raise AssertionError(f"{wanted} is not on the screen:\n{self.text()}") from None
        return self.text()

    def wait_until_left(self) -> int:
        """Until the program has ended; its exit code."""
        return int(self.wait_for(_LEFT).rpartition(_LEFT)[2].split()[0])

    def _do(self, *words: str) -> str:
        return subprocess.check_output((*self._tmux, *words), text=True)
