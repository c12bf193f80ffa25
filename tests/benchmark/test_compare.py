"""`make compare`: real servers side by side."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.compare", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
@pytest.mark.timeout(180)
def test_two_sets_of_options_side_by_side() -> None:
    short = ("--modes=set,get", "--connections=2", "--rounds=2", "--seconds=0.05")
    done = compare(str(ROOT), f"{ROOT} --loop asyncio", *short)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[2] == f"|  | canned | {ROOT} | {ROOT} --loop asyncio |"
    for line, mode in zip(lines[4:6], ("set", "get"), strict=True):
        costs = r"\d+\.\d\d \| \d+\.\d\d \| \d+\.\d\d \([+-]\d+\.\d%\)"
        assert re.fullmatch(rf"\| {mode}, 2 connections \| {costs} \|", line)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/nowhere"], "/nowhere: neither a darnerpy program nor a checkout"),
        ([".", "--modes=set,peek"], "--modes: peek: not of set, get, pair, closeopen"),
    ],
)
def test_what_cannot_be_compared_is_named(arguments: list[str], said: str) -> None:
    done = compare(*arguments)
    assert done.returncode == 1
    assert done.stderr.strip() == said
