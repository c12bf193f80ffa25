"""What was refused may come back, for its outcome is not known; but only as what it was."""

from pathlib import Path

import pytest

from darnerpy.config import SyncPolicy
from darnerpy.errors import JournalError
from tests.brokers.house import House, kept, until

pytestmark = pytest.mark.asyncio


async def test_what_was_for_one_consumer_does_not_come_to_another(tmp_path: Path) -> None:
    async with House(tmp_path, sync=SyncPolicy(always=False)) as house:
        await house.put(b"q", b"1")
        stored = await house.usable(b"q")
        audit = stored.queue.consumer(b"audit")
        await house.put(b"q", b"2")
        house.faults.half_broken.add("write")
        with pytest.raises(JournalError):
            await kept(stored.queue.put(b"refused", 7, 0, 0, only=audit))
        house.faults.half_broken.clear()
        await until(lambda: stored.ready)
        await house.put(b"q", b"3")
        assert await house.drain(b"q") == [b"1", b"2", b"3"]
