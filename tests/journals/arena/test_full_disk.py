"""No room: items are refused, and all that waits can be taken, however much it is and little is left."""

import random
from pathlib import Path

import pytest

from darnerpy.errors import JournalError
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.queues.open_reads import OpenRead
from darnerpy.testing.simulation.pages import PageDisk
from tests.journals.kept import Kept

DIRECTORY = Path("/nonexistent/darnerpy")


def fill(kept: Kept, disk: PageDisk, size: int) -> int:
    """Put until it is refused; how many were put. Then others take what room there is."""
    count = 0
    while True:
        try:
            kept.put(b"x" * size)
            count += 1
        except JournalError as error:
            told = str(error)
            break
    assert "No space left on device" in told
    assert "bytes for 0" in told
    disk.room = disk.used
    kept.reopen()
    assert kept.queue.count(kept.queue.own) == count
    return count


@pytest.mark.parametrize("size", [1, 100, 3000])
@pytest.mark.parametrize("room", [100_000, 300_000, 1_000_000])
def test_all_that_waits_can_be_taken_one_by_one(room: int, size: int) -> None:
    disk = PageDisk(random.Random(1), room)
    kept = Kept(DIRECTORY, ArenaEngine(disk.folder))
    count = fill(kept, disk, size)
    for number in range(count):
        assert kept.take(1) == [b"x" * size]
        assert disk.used <= disk.room
        if number % 97 == 0:
            assert not kept.reopen().damage
            assert kept.queue.count(kept.queue.own) == count - number - 1
        if number % 501 == 0:  # a put that is refused takes nothing away
            with pytest.raises(JournalError):
                kept.put(b"y" * 70_000)
            kept.reopen()
    assert kept.waiting == []
    kept.trim()
    kept.put(b"works again" * 1000)
    assert kept.reopen().damage == []
    assert kept.waiting[-1] == b"works again" * 1000


@pytest.mark.parametrize("room", [1_000_000, 3_333_333, 20_000_000])
def test_room_for_a_small_segment_is_used_where_there_is_none_for_a_large_one(room: int) -> None:
    disk = PageDisk(random.Random(1), room)
    kept = Kept(DIRECTORY, ArenaEngine(disk.folder))
    with pytest.raises(JournalError, match="65536 bytes for 0"):  # noqa: PT012
        while True:
            kept.put(b"x" * 3000)
    assert disk.room - disk.used < 65_536
    kept.reopen()
    disk.room = 1 << 30
    for _ in range(100):  # and where there is room again, they grow again
        kept.put(b"x" * 30_000)
    assert max(s.size for s in kept.journal._state.segments[-3:]) > 500_000  # type: ignore[attr-defined]


def close(kept: Kept, read: OpenRead | None) -> None:
    assert read is not None
    kept.queue.close(read)
    kept.commit()


def test_items_that_many_hold_can_be_closed_in_any_order() -> None:
    disk = PageDisk(random.Random(2), 400_000)
    kept = Kept(DIRECTORY, ArenaEngine(disk.folder))
    count = fill(kept, disk, 50)
    kept.load()
    chance, held = random.Random(3), []
    for _ in range(count):
        held.append(kept.queue.open(kept.queue.own))
        if len(held) > 150:
            close(kept, held.pop(chance.randrange(150)))
    for read in held:
        close(kept, read)
    assert not kept.reopen().damage
    assert kept.waiting == []


def test_a_directory_is_not_taken_for_full_for_long() -> None:
    """What a power cut or a kill leaves of the spares is used, or made again."""
    disk = PageDisk(random.Random(4), 200_000)
    kept = Kept(DIRECTORY, ArenaEngine(disk.folder))
    count = fill(kept, disk, 60)
    for _ in range(count // 2):
        kept.take(1)
    kept.reopen()
    disk.room = 1 << 30
    kept.reopen()
    names = disk.folder(DIRECTORY / "arena").names()
    assert {"1.spare", "2.spare"} <= set(names)
    kept.put(b"more")
    assert len(kept.waiting) == count - count // 2 + 1
