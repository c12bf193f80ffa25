"""The simulation finds nothing in this server, and something in one that is broken on purpose."""

from collections.abc import Callable
from typing import Any

import pytest

from darnerpy.brokers import trimmer
from darnerpy.journals.arena import journal as arena
from darnerpy.journals.contract import Habits
from darnerpy.journals.leveldb import journal as leveldb
from darnerpy.journals.leveldb import trimming
from darnerpy.journals.leveldb.journal import LevelDbJournal
from darnerpy.journals.replay import Confirmed, confirmed_by
from darnerpy.queues.batches import Batch
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.log import Log
from darnerpy.queues.positions import Positions
from darnerpy.queues.queue import Queue
from darnerpy.sessions.slots import Slots
from darnerpy.testing.simulation import disk
from darnerpy.testing.simulation.run import simulate

ENOUGH = 400
"""Histories within which each of the broken servers is found out."""


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
@pytest.mark.parametrize("first", range(0, 120, 40))
def test_nothing_is_found(first: int, engine: str) -> None:
    for seed in range(first, first + 40):
        outcome = simulate(seed, engine=engine)
        assert not outcome.findings, f"seed {seed}: {outcome.findings[0]}"
        assert outcome.counts["commands"] > 0


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trimming and rewriting at every turn: histories are too small for what is usual."""
    monkeypatch.setattr(trimmer, "_COMPACT_BYTES", 500)
    habits = Habits(200, 20, 50, 3, 0.02)
    monkeypatch.setattr(leveldb, "Habits", lambda: habits)
    monkeypatch.setattr(arena, "_HABITS", habits)
    for name, value in (
        ("_LEFT_WASTE", 20),
        ("_STEP_KEYS", 3),
        ("_STEP_BYTES", 100),
        ("_REST_S", 0),
    ):
        monkeypatch.setattr(trimming, name, value)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("engine", ["leveldb", "arena"])
@pytest.mark.parametrize("first", range(200, 300, 50))
def test_nothing_is_found_while_it_trims(first: int, engine: str) -> None:
    for seed in range(first, first + 50):
        outcome = simulate(seed, engine=engine)
        assert not outcome.findings, f"seed {seed}: {outcome.findings[0]}"


@pytest.mark.usefixtures("small_steps")
def test_a_server_that_trims_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_of_it(full: Batch) -> Confirmed:
        _, done = confirmed_by(full)
        return Confirmed(Positions(full.next_id, full.next_offset), done)

    monkeypatch.setattr(leveldb, "confirmed_by", all_of_it)
    assert any(simulate(seed).findings for seed in range(ENOUGH))


def test_the_same_seed_gives_the_same_history() -> None:
    once, again, other = (simulate(seed).history.to_json() for seed in (7, 7, 8))
    assert once == again != other


def _without(method: Callable[..., Any], spoilt: Callable[..., Any]) -> Callable[..., Any]:
    def broken(self: Any, *args: Any, **more: Any) -> Any:
        return spoilt(method, self, *args, **more)

    return broken


def _reply_at_once(add: Callable[..., Any], self: Slots, commit: Any, reply: Any) -> None:
    add(self, None, reply)


def _confirm_unseen(
    confirm: Callable[..., Any], self: Log, consumer: Consumer, item: Any, *about: Any
) -> Any:
    batch = confirm(self, consumer, item, *about)
    consumer.moved = False
    return batch


def _return_last(put_back: Callable[..., Any], self: Consumer, item: Any) -> None:
    if self.window:
        self.window.append(item)
        self.loaded += item.size + 200
    else:
        put_back(self, item)


def _always_empty(is_empty: Callable[..., Any], self: Log, consumer: Consumer) -> bool:
    return not consumer.window and not consumer.returned


def _nothing(method: Callable[..., Any], *args: Any) -> None:
    pass


def _short_founding(found: Callable[..., Any], self: Log, name: bytes) -> Consumer:
    consumer: Consumer = found(self, name)
    assert self.batch is not None
    self.batch.lasting = False
    consumer.founded = 0
    return consumer


def _unsynced(write: Callable[..., Any], self: LevelDbJournal, batch: Any, sync: bool) -> None:
    write(self, batch, False)


def _forget_expiry(has_expired: Callable[..., Any], self: Consumer, item: Any, now: int) -> bool:
    return False


BROKEN: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "STORED is said before the item is written": (Slots, "add", _reply_at_once),
    "what is confirmed is not written": (Log, "_confirm", _confirm_unseen),
    "what comes back goes to the end": (Consumer, "put_back", _return_last),
    "END is said while items are on disk": (Log, "is_empty", _always_empty),
    "a new consumer does not outlive a power cut": (Log, "_found", _short_founding),
    "nothing is synced": (LevelDbJournal, "write", _unsynced),
    "expired items are delivered": (Consumer, "has_expired", _forget_expiry),
    "what is held is not returned": (Queue, "abort", _nothing),
    "a disk that syncs nothing": (disk._Handle, "sync", _nothing),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_server_is_found_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, spoilt = BROKEN[what]
    monkeypatch.setattr(owner, name, _without(getattr(owner, name), spoilt))
    for seed in range(ENOUGH):
        if simulate(seed).findings:
            return
    pytest.fail(f"{ENOUGH} histories show nothing wrong")
