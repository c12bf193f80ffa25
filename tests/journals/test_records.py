"""The bytes of a journal: what is encoded is decoded, and damage is never taken for an item."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.errors import DamageError, NewerFormatError
from darnerpy.journals.marks import decode_mark, encode_mark
from darnerpy.journals.records import (
    decode_block,
    decode_item,
    encode_blocks,
    item_seed,
    record_size,
    split_key,
)
from darnerpy.queues.batches import Batch, Lease, Mark, Returned
from darnerpy.queues.items import DEAD, EXPIRED, Item, Origin
from darnerpy.queues.positions import Span

U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
NAMES = st.binary(max_size=250)
Origins = st.builds(Origin, NAMES, NAMES, U64, st.sampled_from([EXPIRED, DEAD]), U64)
Returns = st.lists(st.builds(Returned, U64, U32, U64, st.just(0)), max_size=5)
Leases = st.lists(st.builds(Lease, U64, U64, U64, U64), max_size=3)
Spans = st.lists(st.builds(Span, U64, U64, U64, U64), max_size=5)


def batch_of(items: list[bytes], first: int = 7, offset: int = 1000) -> Batch:
    batch = Batch(3, 1_700_000_000_000)
    for n, data in enumerate(items):
        batch.items.append(Item(first + n, len(data), data, n, batch.created, n * 2, offset))
        offset += len(data)
        batch.size += len(data)
    batch.next_id = first + len(items)
    batch.next_offset = offset
    return batch


def decoded(batch: Batch) -> list[Item]:
    found: list[Item] = []
    for key, value in encode_blocks(batch):
        items, stop, wrong = decode_block(key, value)
        assert not wrong
        assert stop == items[-1].id + 1
        found += items
    return found


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_items_come_back_as_they_were(items: list[bytes]) -> None:
    batch = batch_of(items)
    assert decoded(batch) == batch.items


def test_many_bytes_make_many_blocks() -> None:
    batch = batch_of([b"x" * 30_000] * 10)
    assert len(list(encode_blocks(batch))) == 5
    assert decoded(batch) == batch.items


def test_a_large_item_is_a_reference() -> None:
    batch = batch_of([b"small"])
    batch.items.append(Item(8, 5_000_000, None, 9, batch.created, 0, 1005, 42))
    assert decoded(batch) == batch.items


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.none() | Origins, st.booleans()), min_size=1),
)
def test_where_an_item_was_moved_from_comes_back(
    wanted: list[tuple[bytes, Origin | None, bool]],
) -> None:
    batch = batch_of([data for data, _, _ in wanted])
    for item, (_, origin, is_large) in zip(batch.items, wanted, strict=True):
        item.origin = origin
        if is_large:
            item.data, item.large = None, item.id
    assert decoded(batch) == batch.items


Times = st.just(0) | st.integers(1, 2**41) | U64


@given(
    st.lists(
        st.tuples(st.binary(max_size=40), st.none() | Origins, st.booleans(), Times, Times),
        min_size=1,
    ),
)
def test_times_of_its_own_come_back_whatever_else_an_item_has(
    wanted: list[tuple[bytes, Origin | None, bool, int, int]],
) -> None:
    batch = batch_of([data for data, *_ in wanted])
    for item, (_, origin, is_large, created, due) in zip(batch.items, wanted, strict=True):
        item.origin, item.created, item.due = origin, created, due
        if is_large:
            item.data, item.large = None, item.id
    assert decoded(batch) == batch.items
    [(key, value)] = encode_blocks(batch)
    first, at = batch.items[0], len(value)
    for item in reversed(batch.items):
        at -= record_size(item, first.created)
        found = decode_item(value, at, item_seed(key, value), item.id, first.created)
        assert found is not None
        found[0].offset = item.offset
        assert found[0] == item
    assert at == 21


def test_an_item_with_no_time_of_its_own_is_as_small_as_ever() -> None:
    batch = batch_of([b"x" * 64] * 10)
    [(_, value)] = encode_blocks(batch)
    assert len(value) == 21 + 10 * (64 + 21)
    batch.items[3].due = 1
    batch.items[4].created += 1
    [(_, value)] = encode_blocks(batch)
    assert len(value) == 21 + 10 * (64 + 21) + 2 * 8


# As the last darnerpy of format 1 wrote them.
OLD_KEY = bytes.fromhex("000000000000000701")
OLD_BLOCK = bytes.fromhex(
    "01020000000068e5cf8b010000e80300000000000000000000000500000000000000000000006669"
    "72737473cfc679020100000000000000020000000000000002110000000000000000806e87740100"
    "000405776f726b61756469745ec922ee"
)
OLD_MARK_KEY = bytes.fromhex("0000000000000009000000000000000003")
OLD_MARK = bytes.fromhex(
    "01010900000000000000ed0300000000000005000000000000000100000000000007000000000000"
    "00e80300000000000001010000000100000008000000000000000900000000000000ed0300000000"
    "0000ed030000000000000700000000000000020000000068e5cf8b0100009cd472db"
)


def test_format_1_is_read_as_it_was() -> None:
    items, stop, wrong = decode_block(OLD_KEY, OLD_BLOCK)
    assert (stop, wrong) == (9, "")
    origin = Origin(b"work", b"audit", 17, DEAD, 1_600_000_000_000)
    created = 1_700_000_000_000
    assert items == [
        Item(7, 5, b"first", 0, created, 0, 1000),
        Item(8, 0, b"", 1, created, 2, 1005, 0, origin),
    ]
    mark = decode_mark(OLD_MARK_KEY, OLD_MARK)
    assert (mark.full, mark.paused, mark.next_id, mark.trimmed) == (True, 0, 9, 5)
    back = [Returned(7, 2, 1_700_000_000_000)]
    assert mark.marks == [Mark(b"", 7, 1000, [Span(8, 9, 1005, 1005)], True, back)]


@given(
    st.lists(st.builds(Mark, NAMES, U64, U64, Spans, st.booleans(), Returns, Leases)),
    Spans,
    U64,
    st.integers(0, 3),
    st.lists(st.tuples(U64, U64), max_size=4),
)
def test_marks_come_back_as_they_were(
    marks: list[Mark],
    kept: list[Span],
    trimmed: int,
    paused: int,
    delays: list[tuple[int, int]],
) -> None:
    batch = batch_of([b"x"])
    batch.marks, batch.kept, batch.full, batch.paused = marks, kept, bool(marks), paused
    batch.delays = delays
    key, value = encode_mark(batch, trimmed)
    mark = decode_mark(key, value)
    assert (mark.full, mark.next_id, mark.next_offset) == (bool(marks), 8, 1001)
    assert (mark.trimmed, mark.marks, mark.kept) == (trimmed, marks, kept)
    assert (mark.paused, mark.delays) == (paused, delays)


def test_keys_ascend_in_the_order_of_writing() -> None:
    keys = []
    for first in (1, 3, 200):
        batch = batch_of([b"a", b"b"], first)
        keys += [key for key, _ in encode_blocks(batch)]
        keys += [encode_mark(batch, 1)[0]]
    assert keys == sorted(keys)
    assert [split_key(key)[0] for key in keys] == [1, 3, 3, 5, 200, 202]


BATCH = batch_of([b"first", b"", b"third " * 3, b"moved", b""])
BATCH.items[3].origin = Origin(b"work", b"audit", 17, DEAD, 1_600_000_000_000)
BATCH.items[4].origin = Origin(b"work", b"", 18, EXPIRED, 1_600_000_000_001)
BATCH.items[1].due = 1_700_000_500_000
BATCH.items[2].created = BATCH.items[4].created = 1_700_000_000_777
BATCH.items[4].due = 1
[(KEY, VALUE)] = encode_blocks(BATCH)


@pytest.mark.parametrize("size", range(len(VALUE)))
def test_a_cut_block_gives_the_items_before_the_cut(size: int) -> None:
    try:
        items, stop, wrong = decode_block(KEY, VALUE[:size])
    except DamageError:
        return
    assert wrong
    assert stop == 12
    assert items == BATCH.items[: len(items)]


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_costs_items_and_never_makes_one(bit: int) -> None:
    for at in range(len(VALUE)):
        damaged = bytearray(VALUE)
        damaged[at] ^= 1 << bit
        try:
            items, _, wrong = decode_block(KEY, bytes(damaged))
        except DamageError:
            continue
        assert wrong, f"bit {bit} of byte {at}"
        for item in items:
            true = BATCH.items[item.id - 7]
            item.offset = true.offset  # the sum of the sizes before it, of which one is damaged
            assert item == true


@pytest.mark.parametrize("right", [b"first", b"third", b"work", b"audit", b"moved"])
def test_damage_to_data_or_origin_costs_one_item_only(right: bytes) -> None:
    items, stop, wrong = decode_block(KEY, VALUE.replace(right, right.upper(), 1))
    assert len(items) == len(BATCH.items) - 1
    assert all(item in BATCH.items for item in items)
    assert stop == 12
    assert "wrong checksum" in wrong


def test_damage_names_the_item() -> None:
    damaged = VALUE.replace(b"first", b"First")
    items, stop, wrong = decode_block(KEY, damaged)
    assert [item.id for item in items] == [8, 9, 10, 11]
    assert stop == 12
    assert "item 7 at byte" in wrong


def test_an_item_is_not_taken_for_another() -> None:
    [(other, _)] = encode_blocks(batch_of([b"x"], first=70))
    with pytest.raises(DamageError, match="item 70 at byte"):
        decode_block(other, VALUE)


def test_a_damaged_mark_is_not_believed() -> None:
    BATCH.marks = [
        Mark(b"", 7, 1000, [Span(8, 9, 1005, 1005)], True, [Returned(7, 2, 1_700_000_000_000)]),
        Mark(b"audit", 7, 1000, [], False, [Returned(9, 1, 0), Returned(10, 3, 1)]),
        Mark(b"held", 7, 1000, [], False, [], [Lease(9, 1, 2**64 - 1, 1_700_000_000_000)]),
    ]
    key, value = encode_mark(BATCH, 5)
    for at in range(len(value)):
        for bit in range(8):
            damaged = bytearray(value)
            damaged[at] ^= 1 << bit
            with pytest.raises(DamageError, match="checksum"):
                decode_mark(key, bytes(damaged))
        with pytest.raises(DamageError, match="checksum"):
            decode_mark(key, value[:at])


def test_a_later_format_is_told_from_damage() -> None:
    with pytest.raises(NewerFormatError):
        decode_block(KEY, b"\x03" + b"quite another layout")


@pytest.mark.parametrize(
    "key",
    [b"", b"x", b"\x00" * 8, b"\x00" * 10, b"\x00" * 18, b"\x00" * 9, b"\x01" * 17, b"\x02" * 9],
)
def test_a_key_of_another_length_or_kind_is_damage(key: bytes) -> None:
    with pytest.raises(DamageError, match="key"):
        split_key(key)
