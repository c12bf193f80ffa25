"""A queue whose first log a power cut has taken, and only that: nothing of it is in order any more."""

import os
from pathlib import Path

import pytest

from darnerpy.config import SyncPolicy
from darnerpy.journals.leveldb import plyvel
from darnerpy.journals.records import block_key
from tests.brokers.house import House

pytestmark = pytest.mark.asyncio

NEVER = SyncPolicy(always=False)


async def test_what_lies_behind_a_lost_beginning_is_not_served(tmp_path: Path) -> None:
    async with House(tmp_path, sync=NEVER) as house:
        for n in range(1, 10):
            await house.put(b"q", b"%d" % n)
        await house.take(b"q")  # so that a mark comes after all that
    database = plyvel.DB(os.fspath(tmp_path / "queues" / "q" / "leveldb"))
    with database.iterator(start=block_key(1)[:-1], stop=block_key(5), include_value=False) as keys:
        for key in list(keys):
            database.delete(key)
    database.close()
    async with House(tmp_path, sync=NEVER) as house:
        assert await house.drain(b"q") == []
