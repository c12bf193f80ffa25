"""Which journal is closed for another: by what that costs whoever uses the queues."""

import resource
from collections.abc import Callable

import pytest

from darnerpy.brokers.descriptors import (
    JOURNAL_DESCRIPTORS,
    awake_possible,
    connections_possible,
    journals_possible,
    raise_limit,
)
from darnerpy.brokers.open_journals import OpenJournals, journals_by_default

FIT = 64


class Handle:
    """Counts how often its journal had to be opened. idle: it may be closed. rests: so it can, and has to be
    woken instead.
    """

    def __init__(self, journals: OpenJournals) -> None:
        self.last_used = 0
        self.idle = True
        self.openings = 0
        self.is_open = False
        self.rests = False
        self._journals = journals

    def ask(self) -> None:
        self._journals.turn += 1
        if self.is_open:
            self.last_used = self._journals.turn
        else:
            self.openings += 1
            self.is_open = True
            if self.rests:
                self._journals.woke(self)
            else:
                self._journals.add(self)

    def shut(self) -> None:
        assert not self.rests
        self.is_open = False
        self._journals.remove(self)

    def rest(self) -> None:
        assert self.rests
        assert self.idle
        self.is_open = False


class Later:
    """Calls back when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, seconds: float, callback: Callable[[], None]) -> None:
        self.waiting.append(callback)

    def pass_by(self) -> None:
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


def handles(count: int) -> tuple[OpenJournals, list[Handle]]:
    journals = OpenJournals(FIT, 1, Later())
    return journals, [Handle(journals) for _ in range(count)]


@pytest.mark.parametrize(("count", "share"), [(FIT, 0.01), (66, 0.15), (80, 0.6)])
def test_going_round_a_few_more_queues_than_fit_opens_few(count: int, share: float) -> None:
    journals, queues = handles(count)
    rounds = 200
    for _ in range(rounds):
        for queue in queues:
            queue.ask()
            assert len(journals) <= FIT
    opened = sum(queue.openings for queue in queues)
    assert opened / (rounds * count) < share


def test_a_queue_that_is_always_used_stays_open() -> None:
    _, queues = handles(1000)
    busy, *others = queues
    for queue in others * 3:
        busy.ask()
        queue.ask()
    assert busy.openings == 1


def test_what_is_worked_on_is_not_closed() -> None:
    journals, queues = handles(FIT + 20)
    for queue in queues[:FIT]:
        queue.ask()
        queue.idle = False
    for queue in queues[FIT:]:
        queue.ask()
    assert all(queue.openings == 1 and queue.is_open for queue in queues[:FIT])
    for queue in queues[:FIT]:
        queue.idle = True
    queues[-1].shut()
    queues[-1].ask()
    assert len(journals) == FIT


def test_those_that_can_rest_are_woken_and_do_not_count_as_open() -> None:
    journals = OpenJournals(FIT, FIT, Later())
    queues = [Handle(journals) for _ in range(1000)]
    for number, queue in enumerate(queues):
        queue.rests = number % 2 == 0
    busy = queues[0]
    for queue in queues * 2:
        busy.ask()
        queue.ask()
        assert len(journals) <= 2 * FIT
    assert busy.openings == 1
    assert sum(queue.is_open for queue in queues if queue.rests) == FIT
    assert sum(queue.is_open for queue in queues if not queue.rests) == FIT


def test_those_that_are_left_alone_rest() -> None:
    later = Later()
    journals = OpenJournals(FIT, FIT, later)
    queues = [Handle(journals) for _ in range(10)]
    for queue in queues:
        queue.rests = True
        queue.ask()
    used, worked_on, *others = queues
    worked_on.idle = False
    assert len(later.waiting) == 1
    for _ in range(2):  # of the time before the first one nobody knows when it was used
        used.ask()
        later.pass_by()
    assert [queue for queue in queues if queue.is_open] == [used, worked_on]
    worked_on.idle = True
    journals.remove(used)
    later.pass_by()
    assert len(journals) == 0
    assert not later.waiting  # nobody to watch
    others[0].ask()
    assert len(later.waiting) == 1


def test_thousands_that_are_left_alone_rest_a_few_at_a_time() -> None:
    later = Later()
    journals = OpenJournals(FIT, 5000, later)
    queues = [Handle(journals) for _ in range(1000)]
    for queue in queues:
        queue.rests = True
        queue.ask()
    later.pass_by()
    before, most = len(journals), 0
    while len(journals):
        later.pass_by()
        most, before = max(most, before - len(journals)), len(journals)
        assert len(later.waiting) == bool(before)
    assert 0 < most < 100


def test_the_first_journals_get_much_memory_and_many_get_little() -> None:
    journals, queues = handles(200)
    lent = [journals.lend(queue) for queue in queues]
    assert lent[0] == 1 << 20
    assert lent[-1] == 1 << 17
    assert sum(lent) <= 64 << 20
    assert journals.lend(queues[0]) == 1 << 20  # opened again without having been closed
    queues[0].shut()
    assert journals.lend(queues[-1]) == 1 << 20
    assert journals.lend(queues[0]) == 1 << 17


def test_descriptors_are_shared_out() -> None:
    for limit in (64, 256, 1024, 16384, 1 << 20):
        journals = journals_possible(limit)
        connections = connections_possible(limit, min(160, journals))
        assert 1 <= journals * JOURNAL_DESCRIPTORS <= max(limit // 4, JOURNAL_DESCRIPTORS)
        assert 1 <= awake_possible(limit) <= max(1, limit // 64)
        assert 1 <= connections <= limit
    assert journals_possible(1024) == 42
    assert connections_possible(16384, 160) > 11_000
    assert 1000 < awake_possible(1 << 30) < 10_000


def test_the_limit_is_raised_as_far_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        assert journals_by_default() == 8
        raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        assert journals_by_default() == min(160, journals_possible(hard))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
