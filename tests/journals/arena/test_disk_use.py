"""What an arena takes of the disk and of the system: little more than what somebody is still to get."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.errors import JournalError
from darnerpy.journals.arena import active, trimming
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.arena.format import OVERHEAD
from darnerpy.queues.open_reads import OpenRead
from tests.journals.kept import Kept, read_all

ARENA = 64 * 1024
SMALL = 4096


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A queue whose segments begin with a page, so that little goes a long way."""
    monkeypatch.setattr(active, "SMALLEST", SMALL)
    monkeypatch.setattr(trimming, "SMALLEST", SMALL)
    keeper = Kept(tmp_path / "work", ArenaEngine(), arena_size=ARENA)
    yield keeper
    keeper.close()


def on_disk(kept: Kept) -> int:
    """Bytes of its segments, as the file system has it."""
    return sum(path.stat().st_blocks * 512 for path in (kept.directory / "arena").glob("*.segment"))


def live(kept: Kept) -> int:
    """Bytes of what is not confirmed by everyone."""
    queue = kept.queue
    places = [each.positions for each in queue.consumers.values()]
    needed = [
        item
        for item in read_all(kept, 1, queue.next_id)
        if not all(at.is_confirmed(item.id) for at in places)
    ]
    return sum(item.size + OVERHEAD for item in needed)


def hold(kept: Kept) -> OpenRead:
    kept.load()
    read = kept.queue.open(kept.queue.own)
    assert read is not None
    return read


@pytest.mark.parametrize("every", [7, 50, 400])
def test_items_that_are_held_pin_little_more_than_themselves(kept: Kept, every: int) -> None:
    held: list[OpenRead] = []
    for number in range(3000):
        kept.put(b"%d:" % number + bytes(number % 700))
        if number % every == 0:
            held.append(hold(kept))
        else:
            kept.take(1)
        if number % 250 == 249:
            older = kept.commit_full()
            kept.commit_full()
            kept.journal.trim(older, thorough=False)
            assert on_disk(kept) <= 2 * live(kept) + 4 * ARENA
    kept.trim()
    assert on_disk(kept) <= 2 * live(kept) + 4 * SMALL
    assert kept.reopen().damage == []
    expected = [b"%d:" % n + bytes(n % 700) for n in range(0, 3000, every)]
    assert kept.waiting == expected


def test_a_consumer_that_lags_keeps_what_it_has_not_had(kept: Kept) -> None:
    audit = kept.queue.consumer(b"audit")
    kept.commit()
    for number in range(400):
        kept.put(b"%d" % number * 300)
    kept.take(400)
    kept.trim()
    assert on_disk(kept) <= 2 * live(kept) + 4 * ARENA
    assert len(read_all(kept, 1, 401)) == 400
    kept.queue.flush(audit)
    kept.commit()
    kept.trim()
    assert on_disk(kept) <= SMALL


def test_a_queue_that_was_drained_is_small_again_and_grows_anew(kept: Kept) -> None:
    for _ in range(3):
        for _ in range(300):
            kept.put(os.urandom(1000))
        sizes = [
            path.stat().st_size for path in sorted((kept.directory / "arena").glob("*.segment"))
        ]
        assert sizes[0] == SMALL
        assert sizes[-1] == ARENA
        kept.take(300)
        kept.trim()
        assert on_disk(kept) == SMALL
        assert kept.reopen().damage == []


def test_a_batch_larger_than_an_arena_does_not_make_the_next_ones_larger(kept: Kept) -> None:
    kept.put(os.urandom(5 * ARENA))
    for _ in range(100):
        kept.put(os.urandom(100))
    sizes = [path.stat().st_size for path in sorted((kept.directory / "arena").glob("*.segment"))]
    assert sizes[1] > 5 * ARENA
    assert sizes[2] <= 4 * SMALL


def test_what_is_damaged_is_not_moved_and_not_forgotten(kept: Kept) -> None:
    for number in range(200):
        kept.put(b"number %d " % number * 20)
    held = [hold(kept) for _ in range(3)]
    path = min((kept.directory / "arena").glob("*.segment"))
    data = bytearray(path.read_bytes())
    data[data.index(b"number 1 number 1") + 30] ^= 1
    path.write_bytes(data)
    kept.take(197)
    kept.trim()
    piece = kept.journal.read(1, 4, 1 << 20)
    assert [item.id for item in piece.items] == [1, 3]
    assert not piece.lost[0][1].missing
    for read in held:
        kept.queue.close(read)
    kept.commit()
    kept.trim()
    assert on_disk(kept) == SMALL


def test_a_reader_is_not_misled_by_what_is_moved_under_it(kept: Kept) -> None:
    """Reads run beside trims: whatever is replaced meanwhile, they find the items."""
    chance = random.Random(1)
    held = []
    for number in range(600):
        kept.put(b"%d:" % number * 30)
        read = hold(kept)
        if number % 10 == 0:
            held.append(read)
        else:
            kept.queue.close(read)
    kept.commit()
    state = kept.journal._state  # type: ignore[attr-defined]
    rename = state.files.rename
    seen = 0

    def renaming(name: str, new: str) -> None:
        nonlocal seen
        rename(name, new)
        seen += 1

    def look() -> None:
        for read in chance.sample(held, 10):
            [item] = kept.journal.read(read.item.id, read.item.id + 1, 1).items
            assert item.data == b"%d:" % (item.id - 1) * 30

    look()
    state.files.rename = renaming
    kept.trim()
    assert seen
    look()
    assert len(read_all(kept, 1, 601)) == len(held)


def test_it_takes_four_descriptors_at_most_and_none_while_it_rests(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def maps() -> int:
        return Path("/proc/self/maps").read_text().count(os.fspath(tmp_path))

    before = descriptors()
    kept = Kept(tmp_path / "work", ArenaEngine(), arena_size=ARENA)
    for number in range(400):
        kept.put(b"%d" % number * 200, sync=number % 10 == 0)
        assert descriptors() <= before + 4
    kept.take(100)
    assert kept.journal.can_rest
    for number in range(10):
        kept.journal.rest()
        assert (descriptors(), maps()) == (before, 0)
        what = number % 5
        if what == 0:
            kept.put(b"after a rest")
        elif what == 1:
            assert len(read_all(kept, 101, 401)) == 300
        elif what == 2:
            kept.journal.sync()
        elif what == 3:
            kept.trim()
        else:
            assert bytes(kept.journal.view(read_all(kept, 150, 151)[0])) == b"149" * 200
        assert descriptors() <= before + 4
    kept.journal.rest()
    assert kept.reopen().damage == []
    assert len(kept.waiting) == 302
    kept.close()
    assert (descriptors(), maps()) == (before, 0)


def test_what_was_written_before_a_rest_is_synced_after_it(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "work", ArenaEngine(), arena_size=ARENA)
    kept.put(b"1")
    kept.journal.rest()
    kept.journal.sync()
    segment = kept.journal._state.segments[-1]  # type: ignore[attr-defined]
    assert not segment.unsynced
    kept.put(b"2")
    assert segment.unsynced
    kept.close()


def test_a_journal_whose_files_were_taken_away_says_so(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "work", ArenaEngine())
    kept.put(b"1", sync=True)
    (tmp_path / "work").rename(tmp_path / "away")
    with pytest.raises(JournalError, match="work was taken away"):
        kept.put(b"2", sync=True)
    kept.journal.rest()
    with pytest.raises(JournalError, match="cannot write the journal: No such file"):
        kept.put(b"3")
    kept.close()
