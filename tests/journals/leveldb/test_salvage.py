"""Every item that damage has not hit is served, whatever it did to what lies around it.

An item is hit where its own bytes are, or the head of its block, which its checksum covers too. What is
told at once when the journal is opened, what is then read, a second opening and `check` must agree.
Of the bytes of an index `make test` damages a part; `make thorough` every one.
"""

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darnerpy.errors import JournalError, NewerFormatError
from darnerpy.inspection.check import check_queue
from darnerpy.journals.leveldb import opening, plyvel, quarantine, salvage
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.journals.leveldb.finding import find_items, items_of
from darnerpy.journals.leveldb.format import FOOTER_BYTES, TRAILER_BYTES, index_handle
from darnerpy.journals.leveldb.tables import read_table
from darnerpy.journals.records import LOST_KEY, encode_blocks, mark_key
from darnerpy.queues.batches import Batch
from darnerpy.queues.items import Item
from tests.inspection.queues import only
from tests.journals.kept import Kept
from tests.sampling import sampled

COUNT = 240
_HEAD, _CRC, _BLOCK_HEAD = 17, 4, 21


class Sample(NamedTuple):
    """A queue on disk. items: by id. confirmed: ids that its consumer has had. extents: by id, where in
    the damaged file the item lies, and where the head of its block does."""

    directory: Path
    file: Path
    items: dict[int, bytes]
    confirmed: set[int]
    extents: dict[int, tuple[range, range]]

    def __repr__(self) -> str:
        return f"<{self.file.name}>"

    def hit_by(self, damage: range) -> set[int]:
        return {
            n
            for n, extents in self.extents.items()
            if any(e.start < damage.stop and damage.start < e.stop for e in extents)
        }

    def with_batches(self, hit: set[int]) -> set[int]:
        """A batch is written whole, or it is not."""
        torn = {self.extents[n][1] for n in hit}
        return {n for n, (_, head) in self.extents.items() if head in torn}


def make(
    directory: Path, in_table: bool, size: int = 60, count: int = COUNT, compress: bool = False
) -> Sample:
    """Items in batches of one to thirty, which do not compress, and some of them confirmed."""
    chance = random.Random(7)
    kept = Kept(
        directory / "queues" / "work", LevelDbEngine(), compression="snappy" if compress else "off"
    )
    items: dict[int, bytes] = {}
    blocks: dict[int, int] = {}
    while len(items) < count:
        batch = chance.choice([1, 1, 2, 5, 30])
        first = len(items) + 1
        items |= {first + n: chance.randbytes(8 + chance.randrange(size)) for n in range(batch)}
        blocks |= {first + n: first for n in range(batch)}
        kept.put(*(items[first + n] for n in range(batch)))
        if chance.random() < 0.2:
            kept.take(1)
    confirmed = {n for n in items if kept.queue.own.positions.is_confirmed(n)}
    if in_table:
        kept.journal._db.compact_range(start=b"", stop=b"\xff" * 9)  # type: ignore[attr-defined]
    kept.close()
    file = only(directory, "leveldb/*.ldb" if in_table else "leveldb/*.log")
    return Sample(directory, file, items, confirmed, extents_in(file.read_bytes(), items, blocks))


def extents_in(
    data: bytes, items: dict[int, bytes], blocks: dict[int, int]
) -> dict[int, tuple[range, range]]:
    places: dict[int, range] = {}
    for n, item in items.items():
        at = data.find(item[:8])
        assert at > 0
        # A log has heads of fragments in it at every 32 KiB, also in the middle of items.
        crossed = 7 if at // 32768 != (at + len(item)) // 32768 else 0
        places[n] = range(at - _HEAD - crossed, at + len(item) + _CRC + crossed)
    heads = {n: range(places[n].start - _BLOCK_HEAD, places[n].start) for n in set(blocks.values())}
    return {n: (places[n], heads[blocks[n]]) for n in items}


class Outcome(NamedTuple):
    served: dict[int, bytes | None]
    lost: int
    reported: bool


def serve(directory: Path) -> Outcome:
    """Open and read all there is, as under `always`; after an error it is opened again."""
    for _ in range(2):
        with suppress(JournalError):
            return serve_once(directory)
    return serve_once(directory)


def serve_once(directory: Path) -> Outcome:
    kept = Kept(directory / "queues" / "work", LevelDbEngine())
    try:
        at = kept.queue.own.positions
        lost = sum(
            piece.stop - piece.first
            for span, _ in kept.found.lost
            for piece in at.unconfirmed(span)
        )
        served: dict[int, bytes | None] = {}
        first = at.position
        missing: set[int] = set()
        while first < kept.queue.next_id:
            piece = kept.journal.read(first, kept.queue.next_id, 1 << 12)
            served |= {i.id: i.data for i in piece.items if not at.is_confirmed(i.id)}
            for span, _ in piece.lost:
                missing |= {n for n in range(*span[:2]) if not at.is_confirmed(n)}
            assert piece.stop > first
            first = piece.stop
        assert len(missing) == lost, "what is told at once is what is then found"
        return Outcome(served, lost, bool(kept.found.damage))
    finally:
        kept.close()


def judge(sample: Sample, directory: Path, hit: set[int], again: bool = True) -> None:
    """Serve what is left of a sample."""
    with_check = check_queue(directory / "queues" / "work", lambda done, total: None, synced=False)
    outcome = serve(directory)
    wrong = {n for n, data in outcome.served.items() if sample.items.get(n) != data}
    assert not wrong, "items that were never put"
    gone = set(sample.items) - sample.confirmed - set(outcome.served)
    assert gone <= hit, f"{sorted(gone - hit)} were not hit"
    if sample.file.suffix == ".ldb":  # the end of a log may be a power cut's
        # Of the last batch only what is left of it tells how many items it had.
        last = sample.with_batches({len(sample.items)})
        untold = last - {min(last)} if last <= gone else set()
        assert len(gone - untold) <= outcome.lost <= len(gone)
    assert with_check.refused == ""
    assert with_check.items == len(outcome.served)
    assert with_check.damaged + with_check.missing == outcome.lost
    if again:
        assert serve(directory)[:2] == outcome[:2]
        after = check_queue(directory / "queues" / "work", lambda done, total: None, synced=False)
        assert after.items == len(outcome.served)
        assert after.damaged + after.missing == outcome.lost


def with_damage(sample: Sample, target: Path, data: bytes) -> Path:
    shutil.copytree(sample.directory, target)
    (target / sample.file.relative_to(sample.directory)).write_bytes(data)
    return target


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return make(tmp_path_factory.mktemp("log"), in_table=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return make(tmp_path_factory.mktemp("table"), in_table=True, size=600)


@pytest.fixture(params=["log", "table"])
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.getfixturevalue(request.param)
    return found


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(place=st.integers(0, 1 << 30), bit=st.integers(0, 7))
def test_a_flipped_bit(
    sample: Sample, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    whole = bytearray(sample.file.read_bytes())
    at = place % len(whole)
    whole[at] ^= 1 << bit
    directory = with_damage(sample, tmp_path_factory.mktemp("flip") / "data", bytes(whole))
    judge(sample, directory, sample.hit_by(range(at, at + 1)))
    shutil.rmtree(directory.parent)


def test_a_wrong_size_of_a_block_in_a_table_costs_nothing(table: Sample, tmp_path: Path) -> None:
    """Too small, it leaves the last items behind the value; too large, it takes in what follows."""
    whole = table.file.read_bytes()
    ends: dict[range, int] = {}
    for item, head in table.extents.values():
        ends[head] = max(ends.get(head, 0), item.stop)
    longest = sorted(ends, key=lambda head: ends[head] - head.start)[-2:]
    for head in longest:
        size = ends[head] - head.start
        at = whole.rindex(bytes([size & 0x7F | 0x80, size >> 7]), head.start - 20, head.start)
        for bit in range(16):
            damaged = bytearray(whole)
            damaged[at + bit // 8] ^= 1 << bit % 8
            directory = with_damage(table, tmp_path / "data", bytes(damaged))
            judge(table, directory, set(), again=bit % 4 == 0)
            shutil.rmtree(directory)


@pytest.mark.parametrize("compress", [False, True])
def test_a_bit_in_what_tells_whether_a_block_is_compressed_costs_nothing(
    tmp_path: Path, compress: bool
) -> None:
    kept = Kept(
        tmp_path / "queues" / "work",
        LevelDbEngine(),
        compression="snappy" if compress else "off",
    )
    chance = random.Random(7)
    for _ in range(40):
        kept.put(*(chance.randbytes(8) + b"compressible" * 40 for _ in range(20)))
    kept.journal._db.compact_range(start=b"", stop=b"\xff" * 9)  # type: ignore[attr-defined]
    kept.close()
    whole = only(tmp_path, "leveldb/*.ldb").read_bytes()
    parts = list(read_table(whole))
    kinds = [whole.index(part.stored) + len(part.stored) - TRAILER_BYTES for part in parts]
    assert {whole[at] for at in kinds} == {int(compress)}
    assert len(kinds) > 10
    for at in kinds:
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            found = [part.entries() for part in read_table(bytes(damaged))]
            assert found == [part.entries() for part in parts]


@pytest.mark.parametrize("bit", [0x01, 0x40])
@pytest.mark.parametrize("compress", [False, True])
def test_a_bit_in_the_index_or_the_footer_of_a_table_costs_nothing(
    tmp_path: Path, bit: int, compress: bool
) -> None:
    sample = make(tmp_path / "made", in_table=True, size=600, count=900, compress=compress)
    whole = sample.file.read_bytes()
    index = index_handle(whole[-FOOTER_BYTES:])
    # Where it is compressed one bit changes much behind it.
    assert whole[index.offset + index.size] == compress
    for at in sampled(range(index.offset - 30, len(whole)), 73 if bit == 1 else 83):
        damaged = bytearray(whole)
        damaged[at] ^= bit
        directory = with_damage(sample, tmp_path / f"{at}", bytes(damaged))
        judge(sample, directory, sample.hit_by(range(at, at + 1)), again=False)
        shutil.rmtree(directory)


@pytest.mark.parametrize("compress", [False, True])
def test_every_block_is_found_whatever_bit_of_the_index_or_the_footer_is_wrong(
    tmp_path: Path, compress: bool
) -> None:
    whole = make(tmp_path, in_table=True, size=600, compress=compress).file.read_bytes()
    blocks = [part.stored for part in read_table(whole)]
    end = index_handle(whole[-FOOTER_BYTES:]).offset
    assert len(blocks) > 10
    for at in sampled(range(end, len(whole)), 3):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        found = [part.stored for part in read_table(bytes(damaged))]
        assert found[: len(blocks) - 1] == blocks[:-1], f"byte {at - end} of the index"
        damaged[end // 2] ^= 0x40  # and a block beside it
        found = [part.stored for part in read_table(bytes(damaged))]
        assert len(set(blocks[:-1]) - set(found)) == 1, f"byte {at - end} of the index"


@pytest.mark.parametrize("size", [512, 4096])
def test_a_sector_of_nuls(sample: Sample, tmp_path: Path, size: int) -> None:
    whole = sample.file.read_bytes()
    step = size if len(whole) < 25 * size else len(whole) // 25 // size * size
    for at in range(0, len(whole), step):
        nulled = whole[:at] + bytes(min(size, len(whole) - at)) + whole[at + size :]
        directory = with_damage(sample, tmp_path / f"{at}", nulled)
        hit = sample.hit_by(range(at, at + size))
        if at + size >= len(whole):  # nothing comes behind, as after a power cut
            hit = sample.with_batches(hit)
        judge(sample, directory, hit, again=at % (4 * step) == 0)
        shutil.rmtree(directory)


def test_a_file_that_was_cut(sample: Sample, tmp_path: Path) -> None:
    whole = sample.file.read_bytes()
    for size in range(0, len(whole), len(whole) // 40):
        directory = with_damage(sample, tmp_path / f"{size}", whole[:size])
        hit = sample.with_batches(sample.hit_by(range(size, len(whole))))
        judge(sample, directory, hit, again=False)
        shutil.rmtree(directory)


@pytest.mark.parametrize("everything", [False, True])
def test_killed_anywhere_on_the_way_it_is_begun_anew(
    tmp_path: Path, log: Sample, everything: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends at each step that is seen on disk; the next opening comes to the same."""
    whole = bytearray(log.file.read_bytes())
    whole[len(whole) // 2] ^= 0x40

    class Killed(BaseException):
        pass

    steps = [
        (quarantine, "sync_directory"),
        (os, "rename"),
        (os, "link"),
        (salvage, "encode_blocks"),
        (salvage, "note_lost"),
        (opening, "finish"),
    ]
    for module, name in steps:
        for number in range(3):
            directory = with_damage(log, tmp_path / f"{name}-{number}", bytes(whole))
            if everything:
                (directory / "queues/work/leveldb.repair").write_text("a read failed")
            real, left = getattr(module, name), number

            def step(*args: Any, real: Any = real, **others: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return real(*args, **others)

            with monkeypatch.context() as patch:
                patch.setattr(module, name, step)
                with suppress(Killed):
                    serve(directory)
            judge(log, directory, log.hit_by(range(len(whole) // 2, len(whole) // 2 + 1)))
            database = directory / "queues/work/leveldb"
            assert not quarantine.unfinished(database)
            assert len(list((directory / "queues/work/damaged").glob("[0-9]*"))) == 1
            shutil.rmtree(directory)


def test_a_mending_that_was_cut_off_when_all_was_won_back_is_told_all_the_same(
    tmp_path: Path, log: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bytearray(log.file.read_bytes())
    at = next(at for at in range(len(whole) // 2, len(whole)) if not log.hit_by(range(at, at + 1)))
    whole[at] ^= 0x40
    directory = with_damage(log, tmp_path / "data", bytes(whole))
    queue = directory / "queues" / "work"

    class Killed(BaseException):
        pass

    def killed(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(opening, "finish", killed)
        with pytest.raises(Killed):
            Kept(queue, LevelDbEngine())
    kept = Kept(queue, LevelDbEngine())
    assert "put aside in damaged/1" in kept.found.damage[0].what
    assert kept.found.quarantine == "damaged/1"
    kept.close()
    assert (queue / "damaged/1/DONE").exists()
    assert (queue / "damaged/1" / log.file.name).read_bytes() == whole


@pytest.mark.parametrize("name", ["sync_logs", "win_back"])
def test_what_a_kill_leaves_is_no_damage_though_looking_at_it_is_cut_off_as_well(
    tmp_path: Path, table: Sample, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = with_damage(table, tmp_path / "data", table.file.read_bytes())
    queue = directory / "queues" / "work"
    shutil.copyfile(queue / "leveldb" / table.file.name, queue / "leveldb" / "000999.ldb")

    class Killed(BaseException):
        pass

    def killed(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(opening.Database if name == "sync_logs" else opening, name, killed)
        with pytest.raises(Killed):
            Kept(queue, LevelDbEngine())
    assert quarantine.unfinished(queue / "leveldb")
    kept = Kept(queue, LevelDbEngine())
    assert (kept.found.damage, kept.found.quarantine) == ([], "")
    kept.close()
    assert not list((queue / "damaged").glob("[0-9]*"))


@pytest.mark.parametrize("key", [mark_key(301, 999), LOST_KEY], ids=["mark", "lost"])
@pytest.mark.parametrize("in_table", [False, True])
def test_what_a_later_version_wrote_is_refused_before_anything_is_mended(
    tmp_path: Path, key: bytes, in_table: bool
) -> None:
    queue, raw = tmp_path / "work", tmp_path / "raw"
    kept = Kept(queue, LevelDbEngine())
    body = b"\x03 who knows what a later version writes here"
    value = body + crc32(body, crc32(key)).to_bytes(4, "little")
    database = kept.journal._db  # type: ignore[attr-defined]
    if in_table:
        database.put(key, value)
        database.compact_range(start=b"", stop=b"\xff" * 9)
    for n in range(1, 301):
        kept.put(b"%d" % n * 100)
        kept.take(1)
    if not in_table:
        database.put(key, value)
    kept.close()
    log = only(queue, "leveldb/*.log")
    whole = bytearray(log.read_bytes())
    whole[1000] ^= 0x40
    log.write_bytes(whole)
    shutil.copytree(queue / "leveldb", raw)
    with plyvel.DB(os.fspath(raw)) as copy:
        before = list(copy.iterator())
    for _ in range(2):
        with pytest.raises(NewerFormatError, match="format 3"):
            kept.open()
    with plyvel.DB(os.fspath(queue / "leveldb")) as found:
        assert list(found.iterator()) == before
    assert quarantine.unfinished(queue / "leveldb")


def test_only_the_newest_folders_stay_and_only_with_what_is_damaged(
    tmp_path: Path, table: Sample
) -> None:
    directory = with_damage(table, tmp_path / "data", table.file.read_bytes())
    queue = directory / "queues" / "work"
    for _ in range(7):
        kept = Kept(queue, LevelDbEngine())
        assert not kept.found.damage
        kept.put(b"one", b"two")
        kept.put(b"three")
        kept.close()
        log = only(queue / "leveldb", "*.log")
        data = bytearray(log.read_bytes())
        data[20] ^= 1
        log.write_bytes(data)
        kept = Kept(queue, LevelDbEngine())
        assert "put aside in damaged/" in kept.found.damage[0].what
        assert kept.found.lost == []
        kept.close()
    folders = sorted(path.name for path in (queue / "damaged").iterdir())
    assert folders == ["3", "4", "5", "6", "7"]
    assert not list((queue / "damaged").rglob("*.ldb"))


def test_a_power_cut_in_the_last_record_is_no_damage(tmp_path: Path, log: Sample) -> None:
    whole = log.file.read_bytes()
    for end in (whole[:-9], whole[:-9] + bytes(9), whole[:-9] + bytes(50_000), whole + bytes(512)):
        directory = with_damage(log, tmp_path / "data", end)
        outcome = serve(directory)
        assert (outcome.lost, outcome.reported) == (0, False)
        assert not (directory / "queues/work/damaged").exists()
        shutil.rmtree(directory)


def table_of_text(directory: Path, compress: bool) -> Sample:
    kept = Kept(
        directory / "queues" / "work", LevelDbEngine(), compression="snappy" if compress else "off"
    )
    items = {n: b"the item of number %06d, " % n * 3 for n in range(1, 2001)}
    for data in items.values():
        kept.put(data)
    kept.journal._db.compact_range(start=b"", stop=b"\xff" * 9)  # type: ignore[attr-defined]
    kept.close()
    file = only(directory, "leveldb/*.ldb")
    assert (file.stat().st_size < sum(map(len, items.values()))) == compress
    return Sample(directory, file, items, set(), {})


@pytest.mark.parametrize(
    ("compress", "most"), [(False, 1), (True, 50)], ids=["an item", "a block if compressed"]
)
def test_a_bit_in_a_table_of_text_costs_at_most(tmp_path: Path, compress: bool, most: int) -> None:
    sample = table_of_text(tmp_path / "made", compress)
    whole = sample.file.read_bytes()
    end = index_handle(whole[-FOOTER_BYTES:]).offset
    for at in (*range(0, len(whole), len(whole) // 15), *range(end - 600, end, 97)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        directory = with_damage(sample, tmp_path / f"{at}", bytes(damaged))
        outcome = serve(directory)
        assert all(sample.items[n] == data for n, data in outcome.served.items())
        assert len(outcome.served) + outcome.lost == len(sample.items), f"byte {at - end}"
        assert outcome.lost <= most, f"byte {at} of {len(whole)}"
        shutil.rmtree(directory)


def test_ids_that_were_lost_at_the_end_of_a_table_are_not_given_again(tmp_path: Path) -> None:
    sample = table_of_text(tmp_path / "made", compress=True)
    whole = sample.file.read_bytes()
    damaged = bytearray(whole)
    damaged[index_handle(whole[-FOOTER_BYTES:]).offset - 367] ^= 0x10
    directory = with_damage(sample, tmp_path / "data", bytes(damaged))
    assert serve(directory).lost > 1
    for new in (2001, 2002):
        kept = Kept(directory / "queues" / "work", LevelDbEngine())
        assert kept.queue.next_id == new
        kept.put(b"new")
        kept.close()
    outcome = serve(directory)
    assert len(outcome.served) + outcome.lost == 2002
    assert outcome.served[2001] == outcome.served[2002] == b"new"


def test_items_with_times_of_their_own_are_found_behind_damage() -> None:
    batch = Batch(1)
    for n in range(20):
        data = b"item %02d" % n * 3
        due = 1_800_000_000_000 + n if n % 3 == 0 else 0
        created = 1_700_000_000_000 + n % 2
        batch.items.append(Item(5 + n, len(data), data, n, created, 0, 21 * n, due=due))
    [(key, value)] = encode_blocks(batch)
    for at in range(21, len(value), 7):
        damaged = bytearray(value)
        damaged[at] ^= 0x10
        found = items_of(key, bytes(damaged)).items
        missing = [item.id for item in batch.items if item.id not in {each.id for each in found}]
        assert len(missing) == 1, at
        times = {item.id: (item.data, item.created, item.due) for item in batch.items}
        assert all(times[each.id] == (each.data, each.created, each.due) for each in found)
    head = bytearray(value)
    head[0] ^= 0x40
    assert items_of(key, bytes(head)).items == batch.items
    [found_in] = find_items(b"?" * 50 + value + b"?" * 50, 5, 30)
    assert found_in.items == batch.items
