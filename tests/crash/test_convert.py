"""`darnerpy convert`, killed: the queue is as it was before or as it should be after, never in between."""

import os
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.journals.engines import DEFAULT, DISK_ENGINES, engine_in
from tests.crash.convert_steps import KILLED
from tests.inspection.everything import everything
from tests.inspection.queues import LARGE, data_directory, fill
from tests.journals.kept import Kept
from tests.servers import DARNERPY

PAIRS = [("leveldb", "arena"), ("arena", "leveldb")]
KILLS = 6


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


def test_killed_at_any_time(tmp_path: Path) -> None:
    """To and fro, by the real command, which is killed after some part of the time that it takes."""
    data = data_directory(tmp_path / "data")
    directory = data / "queues/work"
    kept = Kept(directory, DEFAULT)
    for n in range(50):
        kept.put(*(b"%d %d" % (n, m) for m in range(100)))
    kept.put_large(bytes(LARGE))
    kept.take(50)
    kept.close()
    expected = everything(directory)
    chance = random.Random(1)
    enough, kills = 0.0, 0
    while kills < KILLS:
        engine = engine_in(directory, DISK_ENGINES.values())
        assert engine is not None
        other = min(DISK_ENGINES.keys() - {engine.name})
        command = [*DARNERPY, "convert", "work", "--engine", other, "--data", os.fspath(data)]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(chance.uniform(0, enough) if enough else None)
            except subprocess.TimeoutExpired:
                process.kill()
        assert process.returncode in (0, KILLED)
        if process.returncode:
            kills += 1
        else:
            enough = time.monotonic() - begun
        with closing(DataDir(data)):  # as the next server, or command, does first
            pass
        assert everything(directory) == expected
