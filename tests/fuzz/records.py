"""Entries of a journal: what is encoded is decoded, and damage is never taken for an item or a mark.

What an entry may say follows from its key alone, so that nothing else need be known to judge it. An
input is the length of a key (its high bit: checksums were put right after the damage, so that only
errors are judged), a key and a value.
"""

import zlib
from random import Random

from darnerpy.errors import DamageError, NewerFormatError
from darnerpy.journals import marks, records
from darnerpy.queues.batches import Batch, Lease, Mark, Returned
from darnerpy.queues.items import Item, Origin
from darnerpy.queues.positions import Span
from tests.fuzz.engine import Target, kind_of
from tests.fuzz.mutations import mutate

__all__ = ["TARGET"]

SEALED = 0x80


# --- What is true


def true_item(first: int, item_id: int, version: int = records.FORMAT) -> Item:
    """The item of an id in the block that begins with an id, of a format."""
    random = Random(item_id)
    size = random.choice([0, 1, 20, 20, 300])
    large = random.choice([0, 0, 0, 0, 3])
    origin = None
    if random.random() < 0.3:
        consumer = random.choice([b"", b"audit"])
        origin = Origin(b"work", consumer, random.getrandbits(64), random.choice([1, 2]), 9)
    data = None if large else random.randbytes(size)
    expiry, flags = random.getrandbits(40), random.getrandbits(32)
    created = Random(first).getrandbits(40)
    crc = item_id & 0xFFFFFFFF if large else 0
    item = Item(item_id, size, data, flags, created, expiry, 0, large, origin, crc)
    if version > 1 and item_id != first and random.random() < 0.3:
        item.created = random.getrandbits(40)
    if version > 1 and random.random() < 0.3:
        item.due = random.getrandbits(41)
    return item


def true_batch(first: int, number: int, count: int) -> Batch:
    random = Random(first * 31 + number)
    batch = Batch(number, true_item(first, first).created)
    offset = random.choice([0, 1000])
    for item_id in range(first, first + count):
        item = true_item(first, item_id)
        item.offset = offset
        offset += item.size
        batch.items.append(item)
        batch.size += 0 if item.large else item.size
    spans = [Span(*(random.getrandbits(8) for _ in range(4))) for _ in range(random.randint(0, 3))]
    returns = [Returned(random.getrandbits(64), 3, 0) for _ in range(random.randint(0, 2))]
    batch.marks = [
        Mark(name, first, 0, spans, random.random() < 0.5, returns) for name in (b"", b"audit")
    ]
    batch.full = random.random() < 0.5
    batch.kept = spans if batch.full else []
    batch.next_id, batch.next_offset = first + count, offset
    batch.paused = random.choice([0, 0, 1, 2, 3])
    for mark in batch.marks:
        numbers = [[random.getrandbits(64) for _ in range(4)] for _ in range(random.choice([0, 2]))]
        mark.leases = [Lease(*four) for four in numbers]
    ids = range(random.choice([0, 0, 3]))
    batch.delays = [(each, random.getrandbits(41)) for each in ids] if batch.full else []
    return batch


def true_mark(next_id: int, number: int, version: int = records.FORMAT) -> tuple[bytes, bytes]:
    batch = true_batch(next_id - 1, number, 1)
    if version == records.FORMAT:
        return marks.encode_mark(batch, 1)
    batch.paused, batch.delays = 0, []
    for mark in batch.marks:
        mark.leases = []
    key, value = marks.encode_mark(batch, 1)
    return key, seal(key, bytes([version]) + value[1:])


# --- Making input


def make_entry(random: Random) -> bytes:
    first, number = random.choice([1, 7, 2**40, 2**64 - 20]), random.randint(1, 9)
    if random.random() < 0.5:
        batch = true_batch(first, number, random.randint(1, 6))
        key, value = random.choice(records.encode_blocks(batch))
    else:
        key, value = true_mark(first + 1, number)
    choice = random.random()
    if choice < 0.4:
        value = mutate(random, value)
    elif choice < 0.5:
        key = mutate(random, key)[:SEALED]
    elif choice < 0.8:
        return bytes([len(key) | SEALED]) + key + seal(key, mutate(random, value))
    return bytes([len(key)]) + key + value


def seal(key: bytes, value: bytes) -> bytes:
    """A mark with its checksum put right, a block with that of its first item."""
    if len(key) > 8 and key[8] == records.MARK:
        body = value[:-4]
        return body + zlib.crc32(body, zlib.crc32(key)).to_bytes(4, "little")
    head, stop = value[:21], len(value) - 4
    item_id = int.from_bytes(key[:8], "big")
    crc = zlib.crc32(head, zlib.crc32(key)) + item_id & 0xFFFFFFFF
    return value[:stop] + zlib.crc32(value[21:stop], crc).to_bytes(4, "little")


# --- Judging


def check_records(random: Random, data: bytes) -> set[str]:
    check_whole(random)
    length = data[0] if data else 0
    key, value = data[1 : 1 + length % SEALED], data[1 + length % SEALED :]
    try:
        kind = records.split_key(key)[1]
        if kind == records.MARK:
            mark = marks.decode_mark(key, value)
            next_id, _, number = records.split_key(key)
            true_one = true_mark(next_id, number, value[0])
            assert length & SEALED or (key, value) == true_one, "a wrong mark"
            return {f"a mark of {len(mark.marks)}"}
        items, stop, wrong = records.decode_block(key, value)
    except (DamageError, NewerFormatError) as error:
        return {kind_of(str(error))}
    assert items, "no item and no error"
    assert wrong or items[-1].id + 1 == stop
    for item in items:
        assert item.id < stop
        item.offset = 0  # the sum of the sizes before it, of which one may be damaged
        first = records.split_key(key)[0]
        true = [true_item(first, item.id, version) for version in records.FORMATS]
        assert length & SEALED or item in true, "an item that was never put"
    return {kind_of(wrong) or "whole"}


def check_whole(random: Random) -> None:
    batch = true_batch(random.choice([1, 2**40]), random.randint(1, 9), random.randint(1, 5))
    blocks = records.encode_blocks(batch)
    assert [item for block in blocks for item in records.decode_block(*block)[0]] == batch.items
    found = marks.decode_mark(*marks.encode_mark(batch, 1))
    assert (found.marks, found.kept, found.full) == (batch.marks, list(batch.kept), batch.full)
    assert (found.paused, found.delays) == (batch.paused, batch.delays)


def mutate_entry(random: Random, data: bytes) -> bytes:
    return data[:1] + mutate(random, data[1:])


TARGET = Target(
    "records",
    "what is encoded is decoded; any bytes give right items or one of two errors",
    make_entry,
    check_records,
    mutate_entry,
)
