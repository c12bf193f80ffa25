"""What the embedded queue `bigqueue` is tested for, and where it fails, asked of an arena.

It keeps messages in memory-mapped arenas of a size one sets, at most so many of them mapped. Each case of
its own tests is here in our terms, and each fault that was found in it.
"""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from darnerpy.brokers.datadir import DataDir
from darnerpy.config import load
from darnerpy.errors import ConfigError, DataDirError, JournalError
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.arena.format import HEAD_BYTES, extent
from darnerpy.queues.consumer import Consumer
from darnerpy.queues.items import Item
from tests.journals.kept import Kept, read_all

PAGE = 4096
MIB = 1 << 20

Open = Callable[..., Kept]


@pytest.fixture
def open_queue(tmp_path: Path) -> Iterator[Open]:
    """Opens a queue with settings; one after the other on the same directory."""
    made: list[Kept] = []

    def opened(**settings: Any) -> Kept:
        for each in made:
            each.close()
        made.append(Kept(tmp_path / "work", ArenaEngine(), **settings))
        return made[-1]

    yield opened
    for each in made:
        each.close()


def arena_files(kept: Kept) -> list[Path]:
    return sorted((kept.directory / "arena").glob("*.segment"))


def mapped(kept: Kept) -> int:
    """How many of its segments are mapped, as the kernel has it."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return len({line.split()[5] for line in maps if str(kept.directory / "arena") in line})


def take(kept: Kept, consumer: Consumer | None = None) -> bytes | None:
    queue = kept.queue
    consumer = consumer or queue.own
    while (missing := consumer.missing(queue.written)) is not None and not consumer.loaded:
        piece = kept.journal.read(*missing, 1)
        queue.loaded(consumer, piece.items, missing[0], piece.stop)
    item = queue.take(consumer)
    kept.commit()
    return None if item is None else item.data


# -- its cases -------------------------------------------------------------------------------------


def test_it_is_empty_and_not_empty_by_turns(open_queue: Open) -> None:
    kept = open_queue(arena_size=8192)
    own = kept.queue.own
    for number in range(3):
        assert kept.queue.is_empty(own)
        kept.put(b"%d" % number)
        assert not kept.queue.is_empty(own)
        assert take(kept) == b"%d" % number
    assert kept.queue.is_empty(own)


def test_taking_from_an_empty_queue_does_nothing_else(open_queue: Open) -> None:
    kept = open_queue()
    size = kept.journal.size()
    assert [take(kept) for _ in range(3)] == [None] * 3
    kept.put(b"then")
    assert take(kept) == b"then"
    assert kept.journal.size() == size


@pytest.mark.parametrize("less", [0, 1, 7, 8, 9, 16, 88, 96])
def test_a_message_that_fills_an_arena_or_nearly(open_queue: Open, less: int) -> None:
    """And the next one begins where that has ended, also in the middle of what it begins with."""
    kept = open_queue(arena_size=PAGE)
    room = PAGE - HEAD_BYTES - extent(0)
    first = os.urandom(room - less)
    for data in (first, b"", b"after", first):
        kept.put(data)
    kept.reopen()
    assert [take(kept) for _ in range(5)] == [first, b"", b"after", first, None]


def test_ten_messages_of_one_to_two_arenas(open_queue: Open) -> None:
    chance = random.Random(1)
    kept = open_queue(arena_size=8192)
    messages = [chance.randbytes(chance.randint(8192, 16384)) for _ in range(10)]
    for data in messages:
        kept.put(data)
    assert kept.reopen().damage == []
    assert kept.waiting == messages
    # None of them crosses a segment: each has one that is made for it.
    assert len(arena_files(kept)) >= 10


def test_a_message_of_no_bytes_is_one(open_queue: Open) -> None:
    kept = open_queue()
    kept.put(b"")
    kept.put(b"", b"x", b"")
    kept.reopen()
    assert [take(kept) for _ in range(5)] == [b"", b"", b"x", b"", None]


def test_messages_of_half_arenas_with_a_reopen_between_each(open_queue: Open) -> None:
    half = PAGE
    expected = []
    for number in range(1, 8):
        kept = open_queue(arena_size=2 * half)
        data = os.urandom(number * half - 8)
        kept.put(data)
        expected.append(data)
        assert kept.waiting == expected
    kept = open_queue(arena_size=2 * half)
    assert [take(kept) for _ in range(8)] == [*expected, None]


@pytest.mark.parametrize("size", [2 * PAGE, 4096, 5000, 12345, 65536, 3 * PAGE + 1])
def test_arenas_of_many_sizes(open_queue: Open, size: int) -> None:
    """Also of one page, and of what is no multiple of a page."""
    chance = random.Random(size)
    messages = [chance.randbytes(chance.choice((8, 64, 500, 4000))) for _ in range(300)]
    kept = open_queue(arena_size=size)
    for at in range(0, 300, 3):
        kept.put(*messages[at : at + 3])
        if at % 60 == 0:
            assert kept.reopen().damage == []
    assert kept.waiting == messages
    assert max(path.stat().st_size for path in arena_files(kept)) <= max(size, 12_000 + 2 * PAGE)


@pytest.mark.parametrize("size", ["4095", "1", str(2**63 - 1), "2GiB"])
def test_an_arena_below_a_page_or_of_no_sense_is_refused(tmp_path: Path, size: str) -> None:
    file = tmp_path / "darnerpy.toml"
    file.write_text(f'[queues."*"]\narena_size = "{size}"\n')
    with pytest.raises(
        ConfigError, match=r"arena_size: expected a size .* at least 4KiB, at most 1GiB"
    ):
        load(os.fspath(file), {}, {})


@pytest.mark.parametrize("most", ["0", "1"])
def test_fewer_than_two_arenas_in_memory_are_refused(tmp_path: Path, most: str) -> None:
    file = tmp_path / "darnerpy.toml"
    file.write_text(f'[queues."*"]\nmax_arenas_in_memory = {most}\n')
    with pytest.raises(
        ConfigError, match="max_arenas_in_memory: expected a whole number, at least 2"
    ):
        load(os.fspath(file), {}, {})


def test_another_arena_size_holds_for_what_is_written_from_then_on(open_queue: Open) -> None:
    messages = [os.urandom(3000) for _ in range(60)]
    for part, size in enumerate((8192, 65536, 4096)):
        kept = open_queue(arena_size=size)
        for data in messages[part * 20 : part * 20 + 20]:
            kept.put(data)
        assert kept.waiting == messages[: part * 20 + 20]
    sizes = {path.stat().st_size for path in arena_files(kept)}
    assert {4096, 8192, 65536} <= sizes


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "not" / "yet" / "there", ArenaEngine())
    kept.put(b"x")
    assert kept.reopen().next_id == 2
    kept.close()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "arena").write_text("in the way")
    with pytest.raises(JournalError, match="cannot open the journal"):
        Kept(tmp_path / "work", ArenaEngine())


@pytest.mark.parametrize("most", [2, 3, 5, 10])
@pytest.mark.parametrize("length", [100, 3500, 6000])
def test_no_more_arenas_are_mapped_than_may_be(open_queue: Open, most: int, length: int) -> None:
    """Eleven in, five out, five in, opened again, seven out and in, eleven out; all of them looked at."""
    settings = {"arena_size": PAGE, "max_arenas_in_memory": most}
    kept = open_queue(**settings)
    expected: list[bytes] = []
    number = 0

    def put(count: int) -> None:
        nonlocal number
        for _ in range(count):
            data = (b"%d " % number) * (length // 4)
            number += 1
            kept.put(data)
            expected.append(data)
            look()

    def out(count: int) -> None:
        for _ in range(count):
            assert take(kept) == expected.pop(0)
            look()

    def look() -> None:
        at = kept.queue.own.positions.position
        for item in read_all(kept, at, kept.queue.next_id):
            assert bytes(kept.journal.view(item)) == item.data
        assert mapped(kept) <= most

    put(11)
    out(5)
    put(5)
    kept = open_queue(**settings)
    assert mapped(kept) <= 1
    out(7)
    put(7)
    out(11)
    assert take(kept) is None


def test_strings_across_arenas_and_a_reopen(open_queue: Open) -> None:
    kept = open_queue(arena_size=PAGE)
    words = ["wörter", "", "日本語" * 500, "a\0b", "x" * 5000]
    for _ in range(10):
        kept.put(*(word.encode() for word in words))
    kept.reopen()
    assert [data.decode() for data in kept.waiting if data is not None] == words * 10


def test_a_new_consumer_sees_what_the_queue_itself_took_while_it_is_there(
    open_queue: Open,
) -> None:
    """By `start = "head"` and by a copy of another consumer; it does so for others' sake only."""
    kept = open_queue(arena_size=PAGE)
    audit = kept.queue.consumer(b"audit")
    kept.commit()
    for number in range(50):
        kept.put(b"%d" % number * 100)
    assert [take(kept) for _ in range(10)] == [b"%d" % n * 100 for n in range(10)]
    kept.trim()
    assert take(kept, audit) == b"0" * 100


def test_offsets_of_consumers_are_their_own_and_outlive_a_reopen(open_queue: Open) -> None:
    kept = open_queue(arena_size=PAGE)
    names = [b"c%d" % n for n in range(200)]
    for name in names:
        kept.queue.consumer(name)
    kept.commit()
    messages = [b"%d" % n * 50 for n in range(250)]
    for at in range(0, 250, 10):
        kept.put(*messages[at : at + 10])
    for number, name in enumerate(names):
        consumer = kept.queue.consumers[name]
        for expected in messages[: number % 7]:
            assert take(kept, consumer) == expected
    kept.trim()
    assert kept.reopen().damage == []
    assert kept.queue.consumers.keys() == {b"", *names}
    for number, name in enumerate(names):
        assert take(kept, kept.queue.consumers[name]) == messages[number % 7]


def test_twenty_threads_of_ten_times_two_thousand(tmp_path: Path) -> None:
    """One writes at a time, as the contract has it; who reads does so beside it."""
    kept = Kept(tmp_path / "work", ArenaEngine(), arena_size=65536)
    lock = threading.Lock()
    wrong: list[object] = []

    def work(thread: int) -> None:
        for number in range(200):
            data = b"%d:%d" % (thread, number)
            with lock:
                item_id = kept.queue.next_id
                kept.put(*(data for _ in range(10)))
            items = kept.journal.read(item_id, item_id + 10, MIB).items
            if [item.data for item in items] != [data] * 10:
                wrong.append((data, items))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
    kept.reopen()
    seen: dict[bytes, list[int]] = {}
    for item in read_all(kept, 1, 40_001):
        assert item.data is not None
        thread, _, number = item.data.partition(b":")
        seen.setdefault(thread, []).append(int(number))
    assert all(numbers == [n for n in range(200) for _ in range(10)] for numbers in seen.values())
    assert len(seen) == 20
    kept.close()


# -- its faults ------------------------------------------------------------------------------------


def test_consumed_arenas_are_deleted(open_queue: Open) -> None:
    """Bigqueue: 21 MB before a drain and after it."""
    kept = open_queue()
    empty = kept.journal.size()
    for _ in range(200):
        kept.put(os.urandom(100_000))
    assert kept.journal.size() > 20 * MIB
    kept.take(200)
    kept.trim()
    assert kept.journal.size() <= empty + 65536
    assert sum(path.stat().st_size for path in arena_files(kept)) <= 65536


def test_two_processes_cannot_have_one_directory(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    program = (
        "import sys; from pathlib import Path\n"
        "from darnerpy.brokers.datadir import DataDir\n"
        "DataDir(Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, os.fspath(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode
    assert f"in use by another darnerpy (process {os.getpid()})" in done.stderr
    with pytest.raises(DataDirError):
        DataDir(tmp_path)
    data.close()


def flip(kept: Kept, data: bytes, at: int = 0) -> None:
    [(path, place)] = [
        (path, whole.index(data))
        for path in arena_files(kept)
        if data in (whole := path.read_bytes())
    ]
    with path.open("r+b") as file:
        file.seek(place + at)
        byte = file.read(1)
        file.seek(place + at)
        file.write(bytes([byte[0] ^ 16]))


def test_a_flipped_payload_is_not_returned(open_queue: Open) -> None:
    kept = open_queue()
    kept.put(b"before")
    kept.put(b"payload that is flipped")
    kept.put(b"behind")
    flip(kept, b"payload that is flipped", 3)
    found = kept.reopen()
    assert [(each.first, each.stop) for each in found.damage] == [(2, 3)]
    piece = kept.journal.read(1, 4, MIB)
    assert [item.data for item in piece.items] == [b"before", b"behind"]
    with pytest.raises(JournalError, match="item 2 has a wrong checksum"):
        kept.journal.view(Item(2, 23, None, 0, 0, 0, 6))


def test_a_bad_length_ends_nothing(open_queue: Open) -> None:
    kept = open_queue()
    kept.put(b"before")
    kept.put(b"its length is wrong")
    kept.put(b"behind")
    [path] = arena_files(kept)
    at = path.read_bytes().index(b"its length is wrong") - 80
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff\xff\xff\x7f")
    found = kept.reopen()
    assert found.damage
    piece = kept.journal.read(1, 4, MIB)
    assert [item.data for item in piece.items] == [b"before", b"behind"]
    assert [(span.first, span.stop) for span, _ in piece.lost] == [(2, 3)]


def test_an_arena_that_was_cut_is_no_crash(tmp_path: Path) -> None:
    """Bigqueue: SIGBUS. In a process of its own, since that would be the end of it."""
    kept = Kept(tmp_path / "work", ArenaEngine())
    for number in range(100):
        kept.put(b"%d" % number * 200)
    kept.close()
    [path] = arena_files(kept)
    os.truncate(path, 20_000)
    program = (
        "import sys; from pathlib import Path\n"
        "from darnerpy.journals.arena.engine import ArenaEngine\n"
        "from tests.journals.kept import Kept, read_all\n"
        "kept = Kept(Path(sys.argv[1]), ArenaEngine())\n"
        "assert 'has 20000 bytes, 65536 were expected' in kept.found.damage[0].what\n"
        "items = read_all(kept, 1, kept.queue.next_id)\n"
        "assert 20 < len(items) < 100, len(items)\n"
        "assert all(i.data == b'%d' % (i.id - 1) * 200 for i in items)\n"
        "kept.put(b'goes on'); print(len(items), kept.reopen().next_id)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, os.fspath(tmp_path / "work")],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_close_is_harmless(open_queue: Open) -> None:
    kept = open_queue()
    kept.put(b"x")
    kept.close()
    kept.close()
    assert kept.open().next_id == 2


def test_no_limit_of_maps_is_ever_met(open_queue: Open) -> None:
    """Bigqueue maps all unless told otherwise, and dies at 65 530 maps: here one of hundreds is mapped."""
    kept = open_queue(arena_size=PAGE)
    for _ in range(300):
        kept.put(os.urandom(3500))
    assert len(arena_files(kept)) > 100
    assert mapped(kept) == 1
    descriptors = len(os.listdir("/proc/self/fd"))
    assert sum(item.size for item in read_all(kept, 1, 301)) == 300 * 3500
    assert mapped(kept) == 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1


def test_views_pin_what_they_show_and_copies_are_given_beyond_a_thousand(open_queue: Open) -> None:
    kept = open_queue(arena_size=PAGE, max_arenas_in_memory=2)
    for number in range(1200):
        kept.put(b"%d:" % number * 200)
    views = [kept.journal.view(item) for item in read_all(kept, 1, 1201)]
    assert mapped(kept) <= 1001
    kept.take(1200)
    kept.trim()
    assert [bytes(view) for view in views] == [b"%d:" % n * 200 for n in range(1200)]
    del views
    assert mapped(kept) <= 2
