"""What is done in the background, one thing after another, and what is held while something waits for it."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from darnerpy.brokers import store
from darnerpy.brokers.background import Background, Job
from darnerpy.errors import JournalError
from darnerpy.journals.workers import Workers
from darnerpy.units import SyncPolicy
from tests.brokers.house import PATIENCE, House, until

AWAKE = 3
QUEUES = [b"q%d" % n for n in range(40)]
ENOUGH = bytes(40_000)
"""Once it is confirmed, an arena that is left alone is trimmed."""


class Bench:
    """A background with a real thread, whose results the test hands over; done: in which order."""

    def __init__(self) -> None:
        self._soon: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self.background = Background(Workers(1, self._call_soon, "background"))
        self.done: list[str] = []

    def _call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self._soon.put((callback, args))

    def job(self, name: str) -> Job:
        return Job(lambda: name, lambda result, error: self.done.append(result or str(error)))

    def end_one(self) -> None:
        callback, args = self._soon.get(timeout=PATIENCE)
        callback(*args)


def test_one_thing_after_another_in_the_order_they_came() -> None:
    bench = Bench()
    background = bench.background
    begun: list[str] = []

    def begin(name: str, job: Job | None) -> Callable[[], Job | None]:
        def turn() -> Job | None:
            begun.append(name)
            return job

        return turn

    background.submit(*bench.job("first"))
    background.when_free(begin("second", bench.job("second")))
    background.when_free(begin("needs nothing any more", None))
    background.submit(*bench.job("third"))
    assert not begun
    bench.end_one()
    assert (bench.done, begun) == (["first"], ["second"])
    bench.end_one()
    assert begun == ["second", "needs nothing any more"]
    assert background.busy
    bench.end_one()
    assert bench.done == ["first", "second", "third"]
    assert not background.busy
    background.when_free(begin("fourth", bench.job("fourth")))
    bench.end_one()
    assert bench.done[-1] == "fourth"
    background.close()


def test_what_comes_with_a_turn_waits_for_its_own() -> None:
    bench = Bench()
    background = bench.background

    def begin() -> Job:
        background.submit(*bench.job("second"))
        return bench.job("first")

    background.when_free(begin)
    bench.end_one()
    assert background.busy
    bench.end_one()
    assert (bench.done, background.busy) == (["first", "second"], False)
    background.close()


def test_it_goes_on_after_errors_of_the_work_and_of_who_is_told() -> None:
    bench = Bench()

    def told(result: object, error: BaseException | None) -> None:
        raise ValueError(error)

    bench.background.submit(lambda: 1 // 0, told)
    bench.background.submit(*bench.job("next"))
    with pytest.raises(ValueError, match="division"):
        bench.end_one()
    bench.end_one()
    assert bench.done == ["next"]
    bench.background.close()


def test_what_was_submitted_is_done_when_it_is_closed_and_nobody_gets_his_turn() -> None:
    bench = Bench()
    gate = threading.Event()
    done: list[int] = []
    bench.background.submit(gate.wait, lambda *_: None)
    bench.background.when_free(lambda: bench.job("never"))
    for number in range(3):
        bench.background.submit(partial(done.append, number), lambda *_: None)
    gate.set()
    bench.background.close()
    assert done == [0, 1, 2]


@pytest.mark.asyncio
async def test_an_arena_rests_while_it_waits_to_be_trimmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(House, "engine", "arena")
    monkeypatch.setattr(store, "awake_by_default", lambda: AWAKE)
    gate = threading.Event()
    async with House(tmp_path, sync=SyncPolicy(always=False)) as house:
        shared = house.broker._store
        shared.background.submit(lambda: gate.wait(PATIENCE), lambda *_: None)
        for name in QUEUES:
            await house.put(name, ENOUGH, b"later")
            assert await house.take(name) == ENOUGH
        trimmers = [stored._trimmer for stored in house.broker.queues.values()]
        await until(lambda: all(trimmer._busy for trimmer in trimmers))
        assert len(shared.journals) <= AWAKE
        assert house.broker.idle
        assert not house.faults.calls["trim"]
        gone, failing, *others = QUEUES
        await house.delete(gone)
        house.broker.queues[failing]._handle.fail(JournalError("made to fail"))
        gate.set()
        await until(lambda: all(house.broker.queues[name].trims for name in others))
        assert len(shared.journals) <= AWAKE
        assert house.faults.calls["trim"] == len(others)
        await until(lambda: house.broker.queues[failing].ready)
        for name in [failing, *others]:
            assert await house.take(name) == b"later"


@pytest.mark.asyncio
async def test_what_waits_to_be_trimmed_is_closed_as_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(House, "engine", "arena")
    gate = threading.Event()
    async with House(tmp_path, sync=SyncPolicy(always=False)) as house:
        house.broker._store.background.submit(lambda: gate.wait(PATIENCE), lambda *_: None)
        for name in QUEUES:
            await house.put(name, ENOUGH, b"later")
            assert await house.take(name) == ENOUGH
        trimmers = [stored._trimmer for stored in house.broker.queues.values()]
        await until(lambda: all(trimmer._busy for trimmer in trimmers))
        before = house.faults.calls["close"]
        threading.Timer(0.1, gate.set).start()
    assert house.faults.calls["close"] - before == len(QUEUES)
    assert not house.faults.calls["trim"]
    async with House(tmp_path) as house:
        house.broker.load()
        for name in QUEUES:
            assert await house.take(name) == b"later"
