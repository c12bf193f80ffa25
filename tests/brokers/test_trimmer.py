"""When a journal is trimmed and compacted: step by step, with the background held still."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from darnerpy.brokers.trimmer import Trimmer
from darnerpy.errors import JournalError
from darnerpy.journals.contract import Habits, Trimmed
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.memory import MemoryJournal
from darnerpy.journals.workers import Done
from darnerpy.queues.batches import Batch
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.queue import Queue
from darnerpy.queues.windows import Windows
from tests.journals.kept import StillClock

MIB = 1 << 20


class Journal(MemoryJournal):
    """Counts what is deleted, as one that has to be compacted."""

    def trim(self, full: Batch, thorough: bool) -> Trimmed:
        before = sum(item.size for item in self._items)
        done = super().trim(full, thorough)
        return done._replace(deleted=before - sum(item.size for item in self._items))


class Bench:
    """A queue whose commits are told to a trimmer; running: what it has in the background."""

    def __init__(self, path: Path) -> None:
        self.queue = Queue(b"q", StillClock(), Windows(1024 * MIB), lambda: None)
        self.timers: list[Callable[[], None]] = []
        self.room = 1 << 40
        self.failures: list[BaseException | None] = []
        self.trimmer = Trimmer(
            self.queue,
            self._run,
            lambda _, look: self.timers.append(look),
            lambda: self.room,
            self.failures.append,
        )
        self.running: list[tuple[Callable[[], object], Done]] = []
        self._journal = Journal(b"q", LargeFiles(path))

    def _run(self, work: Callable[[], object], done: Done) -> None:
        assert not self.running
        self.running.append((work, done))

    def commit(self) -> None:
        batch = self.queue.seal()
        if batch is not None:
            self._journal.write(batch, False)
            self.queue.wrote(batch)
            self.trimmer.wrote(batch, self._journal)

    def put(self, size: int) -> None:
        self.queue.put(b"", size, 0, 0)
        self.commit()

    def take(self, consumer: Consumer | None = None) -> None:
        assert self.queue.take(consumer or self.queue.own) is not None
        self.settle()

    def rest(self) -> None:
        """Do all there is to do in the background."""
        while self.running:
            self.finish()

    @property
    def left(self) -> int:
        """Bytes of the items that are not deleted."""
        return self._journal.size()

    def wait(self) -> None:
        """A second goes by."""
        timers, self.timers = self.timers, []
        for look in timers:
            look()
        self.settle()

    def settle(self) -> None:
        """Write what it asks for, which is two full marks."""
        while self.queue.batch is not None:
            self.commit()

    def finish(self) -> None:
        work, done = self.running.pop()
        result: Any = work()
        done(result, None)
        self.settle()


def test_what_is_confirmed_during_a_trim_is_trimmed_after_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(5):
        bench.put(17 * MIB)
    bench.take()
    bench.settle()
    assert bench.running
    for _ in range(4):
        bench.take()
    while bench.running:
        bench.finish()
    assert (bench.trimmer.trims, bench.trimmer.compactions) == (2, 1)


def test_a_drained_queue_that_is_left_alone_is_trimmed_and_compacted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for size in (17 * MIB, 100, 100):
        bench.put(size)
    bench.take()
    bench.settle()
    bench.finish()
    assert (bench.trimmer.trims, bench.trimmer.compactions) == (1, 0)
    bench.take()
    bench.take()
    bench.wait()
    assert not bench.running  # it was used
    bench.wait()
    while bench.running:
        bench.finish()
    assert (bench.trimmer.trims, bench.trimmer.compactions) == (2, 1)
    bench.wait()
    assert not bench.running


def test_a_drained_queue_in_use_is_left_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(5):
        bench.put(2 * MIB)
        bench.take()
        assert bench.timers
        bench.put(1)
        bench.take()
        bench.wait()
        assert not bench.running
    bench.wait()
    assert bench.running


def test_nothing_is_touched_once_it_is_halted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put(2 * MIB)
    bench.take()
    bench.trimmer.halt()
    bench.wait()
    assert not bench.running


def test_little_is_not_worth_a_trim(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(100):
        bench.put(1000)
        bench.take()
    bench.commit()
    assert not bench.running
    assert not bench.timers


def test_what_is_confirmed_behind_a_held_item_is_trimmed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put(5)
    assert bench.queue.open(bench.queue.own) is not None
    for _ in range(40):
        bench.put(MIB)
        bench.take()
        bench.rest()
    assert bench.trimmer.trims == 2
    bench.wait()
    bench.wait()
    bench.rest()
    assert bench.left == 5


def test_a_consumer_far_behind_causes_no_trims_in_vain(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    audit = bench.queue.consumer(b"audit")
    for _ in range(100):
        bench.put(MIB)
        bench.take()
        assert not bench.running
    for _ in range(100):
        bench.take(audit)
        bench.rest()
    assert 5 <= bench.trimmer.trims <= 7
    bench.wait()
    bench.wait()
    bench.rest()
    assert bench.left == 0


def test_when_the_slowest_consumer_is_dropped_all_that_it_kept_is_trimmed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    audit = bench.queue.consumer(b"audit")
    for _ in range(20):
        bench.put(MIB)
        bench.take()
    assert not bench.running
    bench.queue.drop(audit)
    bench.settle()
    bench.rest()
    assert bench.left == 0


def test_consumers_that_confirm_different_items_cause_no_endless_trims(tmp_path: Path) -> None:
    """Each has confirmed what the other has not: nothing can be deleted, however much that is."""
    bench = Bench(tmp_path)
    audit = bench.queue.consumer(b"audit")
    for only in (audit, bench.queue.own):
        for _ in range(40):
            bench.queue.put(b"", MIB, 0, 0, only=only)
            bench.commit()
            bench.rest()
    assert bench.trimmer.trims <= 5
    for _ in range(5):
        bench.wait()
        bench.rest()
    trims = bench.trimmer.trims
    for _ in range(5):
        bench.wait()
        bench.rest()
    assert bench.trimmer.trims == trims
    assert bench.left == 80 * MIB


def test_where_there_is_little_room_little_is_left_lying_about(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.room = 32 * MIB
    bench.trimmer.restart(0, Habits())
    bench.put(5)
    assert bench.queue.open(bench.queue.own) is not None
    for _ in range(20):
        bench.put(MIB)
        bench.take()
        bench.rest()
        assert bench.left <= 6 * MIB
    assert bench.trimmer.compactions >= 2


def test_what_was_there_before_a_restart_is_given_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put(100)
    bench.take()
    bench.trimmer.restart(3 * MIB, Habits())
    bench.wait()
    bench.rest()
    assert (bench.trimmer.trims, bench.trimmer.compactions) == (1, 1)
    bench.wait()
    assert not bench.running


def test_a_trim_that_failed_makes_the_journal_useless(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put(17 * MIB)
    bench.take()
    bench.settle()
    _, done = bench.running.pop()
    error = JournalError("no space")
    done(None, error)
    assert bench.failures == [error]
    assert bench.trimmer.trims == 0


def test_nothing_is_begun_once_it_is_halted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(5):
        bench.put(17 * MIB)
    bench.queue.take(bench.queue.own)
    bench.commit()  # wants two full marks
    bench.trimmer.halt()
    bench.settle()
    bench.put(1)
    assert not bench.running


def test_nothing_is_compacted_once_it_is_halted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(5):
        bench.put(17 * MIB)
    while bench.queue.take(bench.queue.own) is not None:
        pass
    bench.settle()
    assert bench.running
    bench.trimmer.halt()
    bench.finish()
    assert not bench.running
