"""docs/ring.md is true: its programs do what they say, its sessions answer as they show."""

import doctest
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import darnerpy.ring.ring

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/ring.md").read_text()


def test_the_sessions_answer_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sessions = "\n".join(re.findall(r"```python\n(>>>.*?)```", PAGE, re.DOTALL))
    examples = doctest.DocTestParser().get_doctest(sessions, {}, "docs/ring.md", None, None)
    assert len(examples.examples) > 10
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_the_doctests_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(darnerpy.ring.ring)
    assert done.attempted > 3
    assert done.failed == 0


def test_the_programs_work_together(path: Path) -> None:
    programs = {
        name: text.replace("/dev/shm/ticks", str(path)).replace(
            "time.sleep(0.1)", "time.sleep(0.01)"
        )
        for name, text in re.findall(r"```python\n# (\w+)\.py\n(.*?)```", PAGE, re.DOTALL)
    }
    assert set(programs) == {"ticks", "watch"}
    ticks = subprocess.Popen([sys.executable, "-c", programs["ticks"]], cwd=ROOT)
    try:
        while not path.exists() or not path.read_bytes().strip(b"\0"):
            assert ticks.poll() is None
            time.sleep(0.01)
        said = subprocess.check_output(
            [sys.executable, "-c", programs["watch"]], cwd=ROOT, text=True
        )
    finally:
        ticks.kill()
        ticks.wait()
    assert said.splitlines() == [*(f"tick {number}" for number in range(100)), "closed; missed 0"]
