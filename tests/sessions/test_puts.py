"""Requests that put items: nothing of one that is cut off stays behind, wherever it is cut off."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from darnerpy.brokers.stored import StoredQueue
from darnerpy.sessions.requests.puts import Traits, put
from tests.brokers.house import House, until
from tests.sessions.desk import host_of

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
