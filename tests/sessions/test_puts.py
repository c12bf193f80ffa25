"""Requests that put items: nothing of one that is cut off stays behind, wherever it is cut off."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from darnerpy.brokers.stored import StoredQueue
from darnerpy.sessions.requests.puts import Traits, put
from darnerpy.sessions.requests.takes import take
from tests.brokers.conftest import every_engine
from tests.brokers.house import House, until
from tests.sessions.desk import host_of
from tests.sessions.driver import Client, drive

__all__ = ["every_engine"]

pytestmark = pytest.mark.asyncio


class Body:
    """All of it has come."""

    inline = 4096

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    @property
    def ended(self) -> bool:
        return not self._data

    def take(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def more(self, then: Callable[[], None]) -> None:
        then()


def list_files(stored: StoredQueue) -> list[str]:
    directory = stored.directory / "large"
    return os.listdir(directory) if directory.exists() else []


@pytest.mark.parametrize("cut", range(4))
async def test_a_large_one_that_is_cut_off_leaves_nothing(tmp_path: Path, cut: int) -> None:
    """In particular between the end of its file and the moment when the request takes notice."""
    async with House(tmp_path) as house:
        await house.put(b"work", b"one")
        stored = await house.usable(b"work")
        steps = put(host_of(house), b"work", Body(b"L" * 300_000), Traits())
        for _ in range(cut):
            happened = asyncio.Event()
            wait = next(steps)
            assert wait is not None
            wait(happened.set)
            await happened.wait()
        steps.close()
        put_after_all = stored.queue.next_id == 3  # it was with the queue already
        await until(lambda: house.broker.idle and len(list_files(stored)) == put_after_all)
        assert stored._handle.uploads == 0


class Slow(Body):
    """There is more to come, when `go_on` says so."""

    def __init__(self, data: bytes, rest: bytes) -> None:
        super().__init__(data)
        self.size += len(rest)
        self._rest = rest
        self._then: list[Callable[[], None]] = []

    @property
    def ended(self) -> bool:
        return not (self._data or self._rest)

    def more(self, then: Callable[[], None]) -> None:
        self._then.append(then)

    def go_on(self) -> None:
        self._data, self._rest = self._rest, b""
        for then in self._then:
            then()


@pytest.mark.parametrize("rest", [10, 300_000])
@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.usefixtures("every_engine")
async def test_a_slow_one_does_not_take_the_queue_of_another_away(
    tmp_path: Path, rest: int, ends: bool
) -> None:
    """Meanwhile somebody has waited in vain in the same new queue, and somebody has put an item."""
    async with House(tmp_path) as house:
        host, body = host_of(house), Slow(b"abc", b"x" * rest)
        putting = asyncio.ensure_future(drive(put(host, b"q", body, Traits())))
        await asyncio.sleep(0)
        assert await drive(take(host, Client(), b"q", b"", 1, 10)) == []
        assert await drive(put(host, b"q", Body(b"hello"), Traits())) == 1
        if ends:
            body.go_on()
            assert await putting == 2
        else:
            putting.cancel()
            await asyncio.wait([putting])
        await until(lambda: house.broker.idle)
        assert await drive(put(host, b"q", Body(b"last"), Traits())) == 2 + ends
        later = [b"abc" + b"x" * rest] if ends else []
        assert await house.drain(b"q") == [b"hello", *later, b"last"]


@pytest.mark.usefixtures("every_engine")
async def test_a_large_one_in_a_new_queue_in_which_somebody_waits_in_vain(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host, body = host_of(house), Slow(b"x" * 300_000, b"y")
        putting = asyncio.ensure_future(drive(put(host, b"q", body, Traits())))
        await asyncio.sleep(0)
        assert await drive(take(host, Client(), b"q", b"", 1, 10)) == []
        body.go_on()
        assert await putting == 1
        assert await house.drain(b"q") == [b"x" * 300_000 + b"y"]


@pytest.mark.usefixtures("every_engine")
async def test_a_queue_whose_journal_was_opened_for_nothing_is_made_anew(tmp_path: Path) -> None:
    async with House(tmp_path) as house:
        host = host_of(house)
        stored = house.broker.create(b"q")
        stored.begin_upload()
        stored.end_upload()
        house.broker.forget(stored)
        assert await drive(put(host, b"q", Body(b"hello"), Traits())) == 1
        await until(lambda: house.broker.idle)
        assert await house.drain(b"q") == [b"hello"]
