"""kill -9 while a journal is trimmed and its blocks are written anew: nothing is lost, nothing comes back."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from darnerpy.inspection.check import check_queue
from darnerpy.journals.engines import DISK_ENGINES
from tests.journals.kept import Kept

LIVES = 8

pytestmark = pytest.mark.timeout(300)  # so many lives, however long they take


def live(directory: Path, engine: str, seed: int) -> None:
    """Put, hold, close and trim without end; what was done is told line by line, when it is written."""
    chance = random.Random(seed)
    kept = Kept(directory, DISK_ENGINES[engine], arena_size=16384)
    kept.load()
    held = []
    print("ready", flush=True)
    while True:
        first = kept.queue.next_id
        kept.put(*(_data(first + n) for n in range(chance.randint(1, 40))))
        print("put", kept.queue.next_id, flush=True)
        kept.load()
        while (read := kept.queue.open(kept.queue.own)) is not None:
            held.append(read)
        stay = chance.choice((0, 1, 20))
        chance.shuffle(held)
        done, held = held[stay:], held[:stay]
        for read in done:
            kept.queue.close(read)
        ids = [read.item.id for read in done]
        print("closing", *ids, flush=True)
        kept.commit()
        print("closed", *ids, flush=True)
        older = kept.commit_full()
        kept.commit_full()
        kept.journal.trim(older, thorough=chance.random() < 0.5)
        if chance.random() < 0.2:
            kept.journal.compact()


def _data(item_id: int) -> bytes:
    return b"%d:" % item_id + bytes([item_id % 256]) * (item_id * 37 % 3000)


@pytest.mark.parametrize("engine", DISK_ENGINES)
@pytest.mark.parametrize("round_", range(3))
def test_killed_while_it_trims(tmp_path: Path, round_: int, engine: str) -> None:
    chance = random.Random(round_)
    waiting: set[int] = set()
    unsure: set[int] = set()
    last = 1
    for life in range(LIVES):
        lines = _run_and_kill(tmp_path / "work", engine, life + 100 * round_, chance)
        for line in lines:
            word, *ids = line.split()
            numbers = [int(text) for text in ids]
            if word == "put":
                waiting |= set(range(last, numbers[0]))
                last = numbers[0]
            elif word == "closing":
                unsure = set(numbers)
            elif word == "closed":
                waiting -= set(numbers)
                unsure = set()
        kept = Kept(tmp_path / "work", DISK_ENGINES[engine], arena_size=16384)
        assert not kept.found.damage
        found = [int(data.split(b":")[0]) for data in kept.waiting if data is not None]
        assert kept.waiting == [_data(item_id) for item_id in found]
        # What was put last may be there though nobody was told, and what was closed last gone.
        assert waiting - unsure <= set(found) <= waiting | set(range(last, kept.queue.next_id))
        assert found == sorted(set(found))
        last, waiting, unsure = kept.queue.next_id, set(found), set()
        kept.close()
        check = check_queue(tmp_path / "work", lambda done, total: None, synced=False)
        assert not check.findings, check.lines()


def _run_and_kill(directory: Path, engine: str, seed: int, chance: random.Random) -> list[str]:
    command = [sys.executable, "-m", "tests.crash.test_trim", str(directory), engine, str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.02, 0.4))  # the random moment
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split("\n")
    assert process.returncode == -signal.SIGKILL
    return lines[:-1]  # the last one may be cut off


if __name__ == "__main__":
    live(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
