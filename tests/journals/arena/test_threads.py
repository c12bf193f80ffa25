"""Reads and views beside writes, trims and moves, in threads: whatever goes on, they find what is held."""

import random
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from darnerpy.errors import JournalError
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.queues.batches import Batch
from darnerpy.queues.open_reads import OpenRead
from darnerpy.testing.simulation.pages import PageDisk
from tests.journals.kept import Kept

TRIMS = 40


def data_of(item_id: int) -> bytes:
    return b"%d:" % item_id * 40


class Traffic:
    """A queue, what is held of it, and what was found wrong."""

    def __init__(self) -> None:
        disk = PageDisk(random.Random(1))
        directory = Path("/nonexistent/darnerpy")
        self.kept = Kept(directory, ArenaEngine(disk.folder), arena_size=16384)
        self.held: dict[int, OpenRead] = {}
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.trims = self.reads = 0
        self.wrong: list[object] = []
        self.full: Batch | None = None

    def trim(self) -> None:
        chance = random.Random(2)
        while self.trims < TRIMS and not self.wrong:
            full, self.full = self.full, None
            if full is not None:
                self.kept.journal.trim(full, thorough=chance.random() < 0.7)
                self.trims += 1
        self.over.set()

    def read(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.over.is_set() and not self.wrong:
            with self.lock:
                ids = list(self.held)
            if ids:
                self._look_at(chance.choice(ids), chance)
                self.reads += 1

    def _look_at(self, item_id: int, chance: random.Random) -> None:
        journal = self.kept.journal
        stop = max(item_id + 1, min(self.kept.queue.written, item_id + chance.choice((1, 1, 5))))
        found = {item.id: item for item in journal.read(item_id, stop, 2000).items}
        viewed = b""
        if item_id in found and chance.random() < 0.3:
            try:
                viewed = bytes(journal.view(found[item_id]))
            except JournalError as error:
                viewed = str(error).encode()
        with self.lock:
            if item_id not in self.held:
                return  # it was closed meanwhile
        item = found.get(item_id)
        if item is None or item.data != data_of(item_id) or viewed not in (b"", item.data):
            self.wrong.append((item_id, item, viewed))

    def write(self) -> None:
        chance, queue = random.Random(3), self.kept.queue
        while not self.over.is_set() and not self.wrong:
            for _ in range(chance.randint(1, 20)):
                self.kept.put(data_of(queue.next_id))
                self.kept.load()
                read = queue.open(queue.own)
                assert read is not None
                if chance.random() < 0.15:
                    with self.lock:
                        self.held[read.item.id] = read
                else:
                    queue.close(read)
            with self.lock:
                while len(self.held) > 60:
                    queue.close(self.held.pop(chance.choice(list(self.held))))
            self.kept.commit()
            if self.full is None:
                older = self.kept.commit_full()
                self.kept.commit_full()
                self.full = older


@pytest.mark.timeout(300)
def test_what_is_held_is_found_whatever_is_moved(
    moves: list[bool], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-5)
    traffic = Traffic()
    threads = [
        threading.Thread(target=traffic.trim),
        *(threading.Thread(target=traffic.read, args=(seed,)) for seed in range(2)),
    ]
    for each in threads:
        each.start()
    try:
        traffic.write()
    finally:
        traffic.over.set()
        for each in threads:
            each.join()
    assert not traffic.wrong
    assert moves.count(True) > 10
    assert traffic.reads > TRIMS
    assert traffic.kept.reopen().damage == []
