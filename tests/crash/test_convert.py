"""`darnerpy convert`, killed: the queue is as it was before or as it should be after, never in between."""

import subprocess
import sys
from pathlib import Path

import pytest

from darnerpy.journals.engines import DISK_ENGINES
from tests.inspection.queues import data_directory, fill
from tests.journals.kept import Kept

PAIRS = [("leveldb", "plain"), ("plain", "leveldb")]


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_killed_at_every_change_of_the_disk(before: str, after: str, tmp_path: Path) -> None:
    data = data_directory(tmp_path / "data")
    kept = Kept(data / "queues/work", DISK_ENGINES[before])
    fill(kept)
    kept.close()
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.convert_steps", data, tmp_path / "work", after],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    changes, as_before, as_after = map(int, done.stdout.split()[-3:])
    assert changes > 15
    assert as_before > 10
    assert as_after > 3
