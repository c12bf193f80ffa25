"""`make profile`: the commands that are counted, the counting, and what is made of the counts."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.profile import callgrind, counts
from bench.profile.__main__ import unpack
from bench.profile.callgrind import CannotCount
from bench.profile.counts import Counts

COUNTING = """
import json, os, sys
directory, commands, *stretches = sys.argv[1:]
for stretch in stretches:
    os.getpgid(0)
    for _ in range(int(stretch)):
        pass
    os.getpgid(0)
print(json.dumps({"about": "a loop", "stretches": [[name, int(commands)] for name in stretches]}))
"""


def test_the_commands_run_on_a_real_journal(tmp_path: Path) -> None:
    wanted = callgrind.stretches(callgrind.KINDS, (1, 3))
    command = [sys.executable, "-P", str(callgrind.COMMANDS), str(tmp_path), "30", *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [stretch for stretch, _ in told["stretches"]] == wanted
    assert all(ran >= 30 for _, ran in told["stretches"])
    assert told["about"].endswith(("pure", "compiled"))
    assert list(tmp_path.glob("set-3/**/*.log"))


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
@pytest.mark.timeout(300)
def test_only_what_lies_between_the_marks_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callgrind, "COMMANDS", tmp_path / "counting.py")
    (tmp_path / "counting.py").write_text(COUNTING)
    first, again = (
        callgrind.count(sys.executable, None, ["2000", "42000", "82000"], 1).stretches
        for _ in range(2)
    )
    assert first == pytest.approx(again, rel=0.01)
    twice = first["82000"] - first["2000"]
    assert twice == pytest.approx(2 * (first["42000"] - first["2000"]), rel=0.01)


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
@pytest.mark.timeout(300)
def test_commands_that_fail_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callgrind, "COMMANDS", tmp_path / "failing.py")
    (tmp_path / "failing.py").write_text("raise SystemExit('no journal')")
    with pytest.raises(CannotCount, match=r"failing\.py failed: no journal"):
        callgrind.count(sys.executable, None, ["set:4"], 1)


def test_growth_by_more_than_a_tenth() -> None:
    before = Counts("x", {"set:4": 1000, "get:4": 1000, "gone:4": 1})
    now = Counts("x", {"set:4": 1100, "get:4": 1101, "new:4": 9000})
    assert counts.grown(now, before) == ["get:4: 1,000 instructions before, 1,101 now"]


def test_a_table_says_what_has_changed() -> None:
    now = Counts("x", {"set:4": 1100, "set:50": 900, "get:4": 700, "get:50": 650})
    before = Counts("x", {"set:4": 1000, "get:50": 1300})
    assert counts.table_of(now, before)[:-1] == [
        "| instructions | 4 a turn | 50 a turn |",
        "|---|---|---|",
        "| set | 1,100 (+10.0%) | 900 |",
        "| get | 700 | 650 (-50.0%) |",
    ]


def test_counts_of_each_interpreter_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "KEPT", tmp_path / "instructions.json")
    assert counts.committed() == []
    old, new = Counts("CPython 3.11.9, pure", {"set:4": 9}), Counts("CPython 3.14.0, pure", {})
    for each in (new, Counts(old.about, {"set:4": 7}), old):
        counts.keep(each)
    assert counts.committed() == [old, new]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: one from before there was a profile, and one that has it."""
    place = tmp_path / "repository"
    profile = place / "bench" / "profile"
    git(tmp_path, "init", "-q", str(place))
    (place / "README.md").touch()
    commit(place)
    profile.mkdir(parents=True)
    (profile / "__main__.py").write_text("old")
    commit(place)
    (profile / "__main__.py").write_text("new")
    return place


def git(place: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(place), *arguments], check=True)


def commit(place: Path) -> None:
    git(place, "add", ".")
    git(place, *("-c", "user.name=x", "-c", "user.email=x@example.org"), "commit", "-qm", "x")


def test_a_revision_is_counted_by_its_own_code(repository: Path, tmp_path: Path) -> None:
    assert unpack(repository, "HEAD", tmp_path / "tree") is None
    assert (tmp_path / "tree/bench/profile/__main__.py").read_text() == "old"


def test_without_a_profile_or_a_parent_nothing_is_compared(
    repository: Path, tmp_path: Path
) -> None:
    assert unpack(repository, "HEAD^", tmp_path / "a") == "HEAD^ has no bench/profile"
    assert unpack(repository, "HEAD^^", tmp_path / "b") == "HEAD^^ is not in this clone"
