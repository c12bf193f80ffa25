"""Programs that use the library, run as a user would: in a process of their own."""

import os
import subprocess
import textwrap

from tests.servers import PYTHON

__all__ = ["result", "run", "start"]


def start(code: str, *args: object, **environ: str) -> subprocess.Popen[str]:
    """A program that is running; it reads and writes text. `path` is its first argument."""
    program = "import sys, darnerpy\npath = sys.argv[1]\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [PYTHON, "-X", "faulthandler", "-c", program, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )


def result(program: subprocess.Popen[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """What it has said by its end."""
    out, err = program.communicate(text, timeout=50)
    return subprocess.CompletedProcess(program.args, program.returncode, out, err)


def run(code: str, *args: object, **environ: str) -> subprocess.CompletedProcess[str]:
    return result(start(code, *args, **environ))
