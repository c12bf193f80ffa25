"""What every journal promises, whatever the engine."""

import os
import sys
import threading
from functools import partial

import pytest

from darnerpy.errors import JournalError
from darnerpy.queues.batches import Batch, Mark
from darnerpy.queues.items import bare
from darnerpy.queues.positions import Span
from tests.journals.kept import Kept, read_all

VARIED = [b"", b"x", b"\x00\r\n" * 100, b"y" * 70_000, b"z" * 200_000, bytes(range(256))]


def test_what_was_written_is_read_as_it_was(kept: Kept) -> None:
    for number, data in enumerate(VARIED):
        kept.queue.put(data, len(data), 2**32 - 1 - number, 2**63 * (number % 2))
        kept.queue.put(b"beside", 6, number, 0)
        batch = kept.queue.batch
        assert batch is not None
        written = batch.items
        kept.commit()
        first = written[0].id
        assert kept.journal.read(first, first + 2, 1 << 20).items == written


def test_what_was_written_can_be_viewed(kept: Kept) -> None:
    kept.put(*VARIED)
    for data in VARIED:
        kept.put(data)
    kept.put_large(b"large" * 100_000)
    for item in read_all(kept, 1, 2 * len(VARIED) + 2):
        expected = b"large" * 100_000 if item.large else VARIED[(item.id - 1) % len(VARIED)]
        for each in (item, bare(item)):
            view = kept.journal.view(each)
            assert view.readonly
            assert view == expected


def test_a_view_outlives_its_item_and_its_journal(kept: Kept) -> None:
    kept.put(b"v" * 100_000)
    kept.put_large(b"L" * 300_000)
    small, large = (kept.journal.view(item) for item in read_all(kept, 1, 3))
    kept.queue.lose(Span(1, 3, 0, 400_000), keep=False)
    kept.trim()
    kept.put(b"more" * 20_000)
    kept.close()
    assert small == b"v" * 100_000
    assert large == b"L" * 300_000


def test_a_batch_over_the_block_size_is_read_in_order(kept: Kept) -> None:
    items = [bytes([n]) * 20_000 for n in range(30)]
    kept.put(*items)
    assert [item.data for item in read_all(kept, 1, 31, max_bytes=1)] == items


def test_every_range_of_ids_can_be_read(kept: Kept) -> None:
    for size in (1, 3, 2, 4):
        kept.put(*(b"%d" % n for n in range(size)))
    for first in range(1, 11):
        for stop in range(first + 1, 12):
            ids = [item.id for item in read_all(kept, first, stop)]
            assert ids == list(range(first, stop))


def test_a_read_stops_when_it_has_enough_but_gives_one_item_at_least(kept: Kept) -> None:
    for _ in range(10):
        kept.put(b"x" * 1000)
    assert len(kept.journal.read(1, 11, 1).items) == 1
    assert 3 <= len(kept.journal.read(1, 11, 3000).items) <= 4


def test_what_is_not_there_is_said_to_be_missing(kept: Kept) -> None:
    kept.put(b"a", b"b")
    lost = []
    first = 1
    while first < 5:
        piece = kept.journal.read(first, 5, 1000)
        first = piece.stop
        lost += piece.lost
    [(span, damage)] = lost
    assert (span.first, span.stop) == (3, 5)
    assert damage.missing


def test_trimming_takes_what_is_below_and_leaves_the_rest(kept: Kept) -> None:
    for n in range(50):
        kept.put(b"%d" % n, b"%d!" % n)
    kept.take(61)
    kept.trim()
    assert [item.id for item in read_all(kept, 62, 101)] == list(range(62, 101))
    assert not [item for item in read_all(kept, 1, 60) if item.id < 60]


def test_trimming_spares_the_kept_spans(kept: Kept) -> None:
    for n in range(31):
        kept.put(b"%d" % n)
    kept.take(30)
    kept.queue.kept = [Span(5, 8, 0, 0), Span(20, 21, 0, 0)]
    kept.trim()
    assert [item.id for item in read_all(kept, 1, 32)] == [5, 6, 7, 20, 31]


def test_trimming_gives_the_space_back(kept: Kept) -> None:
    empty = kept.journal.size()
    for _ in range(64):
        kept.put(os.urandom(65_536))
    assert kept.journal.size() - empty > 4_000_000
    kept.take(64)
    kept.trim()
    assert kept.journal.size() - empty < 100_000


def test_a_large_item_is_a_file_until_it_is_trimmed(kept: Kept) -> None:
    kept.put(b"before")
    kept.put_large(b"L" * 1_000_000)
    [item] = kept.journal.read(2, 3, 1 << 16).items
    assert (item.size, item.data) == (1_000_000, None)
    assert kept.journal.size() >= 1_000_000

    kept.queue.lose(Span(1, 3, 0, 1_000_006), keep=False)
    handle = kept.large.open(item)
    kept.trim()
    assert os.pread(handle, 2_000_000, 0) == b"L" * 1_000_000  # who reads it may finish
    os.close(handle)
    with pytest.raises(JournalError, match="large item 2"):
        kept.large.open(item)
    assert kept.large.size() == 0


def test_a_large_item_in_a_kept_span_keeps_its_file(kept: Kept) -> None:
    kept.put_large(b"L" * 300_000)
    [item] = kept.journal.read(1, 2, 1 << 16).items
    kept.queue.lose(Span(1, 2, 0, 300_000), keep=True)
    kept.trim()
    os.close(kept.large.open(item))


def test_an_upload_can_be_read_before_it_is_published(kept: Kept) -> None:
    upload = kept.large.upload()
    upload.write([b"half", b"and half"])
    upload.finish(False)
    kept.queue.put(None, 12, 0, 0, large=upload.number)
    item = kept.queue.peek(kept.queue.own)
    assert item is not None
    handle = kept.large.open(item)
    kept.commit()
    again = kept.large.open(item)
    assert os.pread(handle, 99, 0) == os.pread(again, 99, 0) == b"halfand half"
    os.close(handle)
    os.close(again)


def test_a_discarded_upload_leaves_nothing(kept: Kept) -> None:
    upload = kept.large.upload()
    upload.write([b"x" * 100_000])
    assert kept.large.size() == 100_000
    upload.discard()
    assert kept.large.size() == 0


def test_trimming_runs_beside_writing_and_reading(
    kept: Kept, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)
    for n in range(2100):
        kept.put(b"%d" % n)

    def trim() -> None:
        for stop in range(2, 2001):
            full = Batch(1)
            full.marks, full.full = [Mark(b"", stop, 0, [], True)], True
            kept.journal.trim(full, thorough=False)

    trimmer = threading.Thread(target=trim)
    trimmer.start()
    while trimmer.is_alive():
        kept.put(b"beside")
        newest = kept.queue.next_id - 1
        items = kept.journal.read(newest - 50, newest + 1, 1 << 16).items
        assert [item.id for item in items] == list(range(newest - 50, newest + 1))
    trimmer.join()
    stop = kept.queue.next_id
    assert [item.id for item in read_all(kept, 2000, stop)] == list(range(2000, stop))
