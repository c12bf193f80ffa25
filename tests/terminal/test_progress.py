"""Bars: on a terminal and after a second, in one line that is gone at the end; nowhere else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import DARNERPY, ServerProcess
from tests.terminal.screens import Screen, needs_tmux

ANSWERING = """
import sys, time
from darnerpy.cli.progress import Bar
slow = "--slow" in sys.argv
with Bar("\\x1b[31mtitle") as bar:
    for done in range(30):
        bar.show(done, 30)
        time.sleep(0.1 if slow else 0)
    print("READ", file=sys.stderr) if not slow else None
    if slow:
        time.sleep(30)
"""


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "program.py"
    path.write_text(text)
    return (sys.executable, str(path))


@needs_tmux
def test_a_bar_comes_after_a_second_and_shows_nothing_that_is_obeyed(tmp_path: Path) -> None:
    with Screen(*script(tmp_path, ANSWERING), "--slow", environ={}) as screen:
        seen = screen.wait_for("] ", "%")
    line = seen.splitlines()[0]
    assert line.startswith("[#")
    assert "\\x1b[31mtitle" in line


@needs_tmux
def test_what_is_over_in_a_moment_shows_none(tmp_path: Path) -> None:
    with Screen(*script(tmp_path, ANSWERING), environ={}) as screen:
        screen.wait_for("READ")
        assert "%" not in screen.text()
        assert screen.wait_until_left() == 0


@needs_tmux
def test_lines_that_come_slowly_are_counted(
    server: ServerProcess, queue: str, tmp_path: Path
) -> None:
    push = " ".join((*DARNERPY, "push", queue, "--lines"))
    lines = f"while [ ! -e {tmp_path}/enough ]; do echo line; sleep 0.2; done"
    command = ("sh", "-c", f"({lines}) | {push}; echo '$'; sleep 60")
    with Screen(*command, environ=environ(server)) as screen:
        screen.wait_for(" items")
        (tmp_path / "enough").touch()
        shown = screen.wait_for(" stored", "$")
    assert re.fullmatch(r"darnerpy: \d+ stored", shown.splitlines()[0])


@needs_tmux
def test_for_how_long_is_shown_of_what_says_nothing(tmp_path: Path, server: ServerProcess) -> None:
    program = "import time; from darnerpy.cli.busy import Busy\n"
    program += "with Busy('waiting'):\n    time.sleep(2.5)\nprint('over')\ntime.sleep(60)"
    with Screen(*script(tmp_path, program), environ={}) as screen:
        screen.wait_for("2 s waiting")
        shown = screen.wait_for("over")
    assert shown.splitlines()[0] == "over"


def environ(server: ServerProcess) -> dict[str, str]:
    return {"DARNERPY_SERVER": server.address, "PATH": os.environ["PATH"]}


def test_where_there_is_no_terminal_nothing_is_shown(tmp_path: Path) -> None:
    program = ANSWERING.replace("time.sleep(30)", "pass")
    done = subprocess.run((*script(tmp_path, program), "--slow"), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("command", ["get", "stats", "peek"])
def test_a_command_that_is_run_often_imports_only_what_it_needs(command: str) -> None:
    code = f"import darnerpy.cli.main, darnerpy.cli.{command}, sys; print(*sys.modules)"
    loaded = subprocess.check_output((sys.executable, "-P", "-c", code), text=True).split()
    heavy = {"asyncio", "difflib", "http.client", "logging", "shtab", "ssl", "textual"}
    assert heavy & set(loaded) == set()
