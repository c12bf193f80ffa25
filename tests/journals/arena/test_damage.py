"""Cuts and flipped bits of a small arena: what was not hit is served, and the rest is reported.

`make test` tries them at every few bytes; `make thorough` at every one.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from darnerpy.config import QueueSettings
from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.arena.format import BLOCK, HEAD_BYTES, ITEM, MARK, RECORD_BYTES
from darnerpy.journals.arena.journal import ArenaJournal
from darnerpy.journals.arena.scan import END, Scanner
from darnerpy.journals.arena.segments import find_segments
from darnerpy.journals.contract import Block
from darnerpy.journals.large import LargeFiles
from darnerpy.journals.records import ITEM_BYTES
from darnerpy.testing.simulation.pages import PageDisk, PageFiles
from tests.journals.kept import Kept
from tests.sampling import is_thorough

pytestmark = [pytest.mark.usefixtures("small_blocks"), pytest.mark.timeout(600)]

HEAD_FIELDS = 96  # with the queue's name, and a checksum
SETTINGS = QueueSettings(arena_size=4096)
FOLDER = Path("/nonexistent/darnerpy/arena")


class Sample(NamedTuple):
    """An arena that was closed. items: what waits, by id. hit: by file, for each byte, the ids that damage
    there may cost, None where it may cost none and need not be told.
    """

    files: dict[str, bytes]
    items: dict[int, bytes]
    hit: dict[str, list[set[int] | None]]


class Outcome(NamedTuple):
    """served: by id. told: whether anything was reported."""

    served: dict[int, bytes | None]
    told: bool


def make() -> Sample:
    """Batches of one to seven items in several segments, some of them confirmed."""
    chance = random.Random(5)
    disk = PageDisk(chance)
    kept = Kept(FOLDER.parent, ArenaEngine(disk.folder), arena_size=4096)
    items: dict[int, bytes] = {}
    for count in (1, 2, 3, 7, 1, 1, 5, 2, 1, 9, 1, 4):
        first = len(items) + 1
        sizes = [chance.choice((0, 5, 40, 200, 420)) for _ in range(count)]
        items |= {first + n: chance.randbytes(size) for n, size in enumerate(sizes)}
        kept.put(*(items[first + n] for n in range(count)), sync=True)
        if count == 3:
            kept.take(2)
    kept.journal.sync()
    kept.close()
    files = disk.folder(FOLDER)
    confirmed = {i for i in items if kept.queue.own.positions.is_confirmed(i)}
    assert len(find_segments(files).segments) > 2
    assert confirmed == {1, 2}
    return Sample(
        {s.name: bytes(files.files[s.name].data) for s in find_segments(files).segments},
        {i: data for i, data in items.items() if i not in confirmed},
        {segment.name: what_is_hit(files, segment) for segment in find_segments(files).segments},
    )


def what_is_hit(files: PageFiles, segment: object) -> list[set[int] | None]:
    found = next(s for s in find_segments(files).segments if s.name == segment.name)  # type: ignore[attr-defined]
    hit: list[set[int] | None] = [None] * found.size
    hit[:HEAD_FIELDS] = [set()] * HEAD_FIELDS
    scanner = Scanner(files.open(found.name), found.identity, HEAD_BYTES, found.size)
    while scanner.step() != END:
        record = scanner.record
        assert record is not None
        ids = set(range(record.id, record.id + record.count))
        hit[record.start : record.stop] = [ids] * (record.stop - record.start)
        # One wrong bit of its head is put right; but it has to be told.
        hit[record.start : record.start + RECORD_BYTES] = [set()] * RECORD_BYTES
        payload = record.start + RECORD_BYTES
        if record.kind == MARK:
            hit[payload : record.stop] = [set()] * (record.stop - payload)
        padding = record.stop - 8 - (payload + record.length)
        hit[record.stop - 8 - padding : record.stop - 8] = [None] * padding
        assert record.kind in (ITEM, BLOCK, MARK)
    return hit


def on_disk(files: dict[str, bytes]) -> PageDisk:
    disk = PageDisk(random.Random(1))
    folder = disk.folder(FOLDER)
    for name, data in files.items():
        folder.make(name, len(data)).write(0, data)
    return disk


def serve(disk: PageDisk) -> Outcome:
    """As a broker would, up to the end."""
    journal = ArenaEngine(disk.folder).open(
        FOLDER.parent, b"work", LargeFiles(FOLDER / "large"), 0, SETTINGS
    )
    found = journal.recover()
    told = bool(found.damage)
    served: dict[int, bytes | None] = {}
    at = found.positions.get(b"")
    first = at.position if at else 1
    while first < found.next_id:
        piece = journal.read(first, found.next_id, 300)
        served |= {i.id: i.data for i in piece.items if not (at and at.is_confirmed(i.id))}
        told = told or bool(piece.lost)
        first = piece.stop
    journal.close()
    return Outcome(served, told)


def check(disk: PageDisk) -> bool:
    """Whether looking at all of it finds anything."""
    journal = ArenaJournal(disk.folder(FOLDER), b"", LargeFiles(FOLDER / "large"), as_it_is=True)
    damaged = bool(journal.recover().damage)
    for entry in journal.contents():
        damaged = damaged or bool(entry.wrong)
        if isinstance(entry, Block):
            damaged = damaged or len(entry.items) < entry.stop - entry.first
    journal.close()
    return damaged


def places(data: bytes, step: int) -> Iterator[int]:
    """Bytes of what was written, and some behind it."""
    end = len(data.rstrip(b"\0"))
    yield from range(0, end + 16, step)
    yield from range(end + 16, len(data), 61)


def flips(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    for at in places(data, step):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        yield at, bytes(damaged)


def steps(sample: Sample) -> Iterator[tuple[str, bytes, int]]:
    """Files, and of how many bytes one is tried: of the last file more; all of them take minutes."""
    last = max(sample.files)
    for name, data in sample.files.items():
        yield name, data, 1 if is_thorough() else 5 if name == last else 17


def test_a_flipped_bit_costs_no_more_than_it_hits() -> None:
    sample = make()
    for name, data, step in steps(sample):
        hit = sample.hit[name]
        for at, damaged in flips(data, step):
            files = {**sample.files, name: damaged}
            where = f"byte {at} of {name}"
            assert check(on_disk(files)) or hit[at] is None, f"{where} is not told"
            disk = on_disk(files)
            outcome = serve(disk)
            for each, found in outcome.served.items():
                if each in sample.items:
                    assert found == sample.items[each], f"{where} makes another item {each}"
                # A confirmation that is lost repeats an item.
                assert each in sample.items or each in (1, 2), where
            lost = sample.items.keys() - outcome.served.keys()
            assert lost <= (hit[at] or set()), f"{where} costs {lost}"
            assert outcome.told or not lost, f"{where} costs {lost} and nobody is told"
            if at % 7 == 0:
                assert serve(disk).served == outcome.served, f"{where}: another opening differs"


def test_a_file_cut_anywhere_serves_what_is_before_and_is_told() -> None:
    sample = make()
    for name, data, step in steps(sample):
        hit = sample.hit[name]
        for size in places(data, step):
            where = f"{name} of {size} bytes"
            files = {**sample.files, name: data[:size]}
            outcome = serve(on_disk(files))
            behind = {i for ids in hit[size:] for i in ids or ()}
            torn = {i for i in behind if any(i in (ids or ()) for ids in hit[:size])}
            lost = sample.items.keys() - outcome.served.keys()
            assert lost <= behind, f"{where} costs {lost}"
            assert behind - torn - {1, 2} <= lost, where
            # Nothing at all may be what a power cut leaves of one that was just made.
            assert check(on_disk(files)) or not size, f"{where} is not told"
            for each, found in outcome.served.items():
                assert sample.items.get(each, found) == found, where


def test_a_file_that_is_gone_is_told() -> None:
    sample = make()
    for name in list(sample.files)[:-1]:
        files = {n: data for n, data in sample.files.items() if n != name}
        outcome = serve(on_disk(files))
        lost = sample.items.keys() - outcome.served.keys()
        assert lost <= {i for ids in sample.hit[name] for i in ids or ()}
        assert outcome.told or not lost


def test_items_of_a_block_are_hit_alone() -> None:
    sample = make()
    assert ITEM_BYTES  # each has a checksum of its own
    blocks = 0
    for name, data in sample.files.items():
        disk = on_disk(sample.files)
        found = next(s for s in find_segments(disk.folder(FOLDER)).segments if s.name == name)
        scanner = Scanner(disk.folder(FOLDER).open(name), found.identity, HEAD_BYTES, found.end)
        while scanner.step() != END:
            record = scanner.record
            assert record is not None
            if record.kind != BLOCK or record.value < 2 or record.id < 3:
                continue
            for each in range(record.id, record.id + record.value):
                if len(sample.items[each]) < 5:
                    continue
                at = data.index(sample.items[each], record.start)
                damaged = bytearray(data)
                damaged[at + 2] ^= 4
                outcome = serve(on_disk({**sample.files, name: bytes(damaged)}))
                assert sample.items.keys() - outcome.served.keys() == {each}
                blocks += 1
    assert blocks > 3
