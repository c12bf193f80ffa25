"""Bytes that are not what was written: never handed out, told, and counted to the message."""

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from darnerpy.errors import ClosedError, DamageError, Lagged
from darnerpy.queue_errors import Empty
from darnerpy.ring import Ring, RingReader, RingWriter
from darnerpy.ring.layout import DATA, HEAD_SIZE, STATE, STATES
from tests.ring.others import Process, message, number_of

OVERWRITES = """
import itertools, mmap, random, sys, time
chance = random.Random(5)
with open(sys.argv[1], "r+b") as file:
    map = mmap.mmap(file.fileno(), 0)
print("ready", flush=True)
first, last = int(sys.argv[2]), int(sys.argv[3])
for turn in itertools.count():
    if turn % 4 == 0:
        time.sleep(0.001)  # for the others to come to something
    at = chance.randrange(first, last)
    length = min(chance.choice([1, 8, 64]), last - at)
    other = chance.randrange(first, last - length + 1)
    # A bit, noise, zeros, or what belongs elsewhere.
    map[at:at + length] = chance.choice([
        bytes([map[at] ^ 1 << chance.randrange(8)]) + map[at + 1:at + length],
        chance.randbytes(length), bytes(length), map[other:other + length]])
"""

PUBLISHES = """
import select, sys
from darnerpy import Ring
from tests.ring.others import message
path, length = sys.argv[1], int(sys.argv[2])
with Ring.create(path, "64KiB") as ring:
    print("ready", flush=True)
    number = 0
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        for number in range(number, number + 10, 5):
            ring.publish(message(number, length))
            ring.publish_many([message(number + each, length) for each in range(1, 5)])
        number += 5
print(number)
"""


def damage(writer: RingWriter, at: int, change: bytes) -> None:
    """Overwrite bytes of the ring's data, as any process could that may write to the file."""
    with Path(writer.path).open("r+b") as file:
        file.seek(DATA + at)
        file.write(change)


def flip(writer: RingWriter, at: int) -> None:
    damage(writer, at, bytes([Path(writer.path).read_bytes()[DATA + at] ^ 0x10]))


def read_all(reader: RingReader) -> tuple[list[bytes], int]:
    """All that can be read without waiting, and how often damage was told."""
    found, told = [], 0
    while True:
        try:
            found += reader.read_many(1000, timeout=0)
        except DamageError:
            told += 1
        except Lagged:
            pass
        except (Empty, ClosedError):
            return found, told


COUNT_AND_LENGTH = range(8, 14)
"""Where in a head is what tells where the next one is."""


@pytest.mark.parametrize("at", sorted({*range(HEAD_SIZE + 5)} - {*COUNT_AND_LENGTH}))
def test_one_damaged_message_is_told_and_costs_that_one(
    writer: RingWriter, reader: RingReader, at: int
) -> None:
    for number in range(6):
        writer.publish(b"data%d" % number)
    flip(writer, 2 * (HEAD_SIZE + 5) + at)
    assert reader.read_many(9) == [b"data0", b"data1"]
    with pytest.raises(DamageError) as caught:
        reader.read()
    assert str(caught.value) == f"{writer.path}: message 2 is damaged; 1 message lost"
    assert (reader.sequence, reader.missed) == (3, 1)
    assert reader.read_many(9) == [b"data3", b"data4", b"data5"]
    writer.publish(b"more")
    assert reader.read() == b"more"


@pytest.mark.parametrize("at", COUNT_AND_LENGTH)
@pytest.mark.parametrize("closes", [False, True])
def test_where_the_next_message_is_not_found_it_is_told_with_the_next_state(
    writer: RingWriter, reader: RingReader, at: int, closes: bool
) -> None:
    for number in range(6):
        writer.publish(b"data%d" % number)
    flip(writer, 2 * (HEAD_SIZE + 5) + at)
    assert reader.read_many(9) == [b"data0", b"data1"]
    with pytest.raises(Empty):  # the next message might as well not be published yet
        reader.read(timeout=0)
    if closes:
        writer.close()
    else:
        for number in range(6, 60):
            writer.publish(b"data%d" % number)
    published = writer.sequence
    with pytest.raises(DamageError, match=f"{writer.path}: message 2 is damaged; "):
        reader.read()
    assert reader.sequence == reader.missed + 2
    found, told = read_all(reader)
    assert found == [b"data%d" % number for number in range(2 + reader.missed, published)]
    assert told == 0
    assert 1 < reader.missed < published - 2 or closes


def test_the_last_message_is_damaged(writer: RingWriter, reader: RingReader) -> None:
    writer.publish(b"first")
    writer.publish(b"last")
    flip(writer, 2 * HEAD_SIZE + 5)
    assert reader.read() == b"first"
    with pytest.raises(Empty):  # as long as it is the last, it might as well be half written
        reader.read(timeout=0)
    writer.publish(b"later")
    with pytest.raises(DamageError, match="message 1 is damaged; 1 message lost"):
        reader.read(timeout=0)
    assert reader.read() == b"later"
    flip(writer, 2 * (HEAD_SIZE + 5) + HEAD_SIZE)
    writer.publish(b"damaged")
    flip(writer, 3 * (HEAD_SIZE + 5))
    writer.close()
    with pytest.raises(DamageError, match="message 3 is damaged; 1 message lost"):
        reader.read()
    with pytest.raises(ClosedError):
        reader.read()
    assert (reader.sequence, reader.missed) == (4, 2)


def test_messages_published_together_are_lost_together(
    writer: RingWriter, reader: RingReader
) -> None:
    writer.publish_many([b"a", b"b", b"c"])
    writer.publish(b"d")
    flip(writer, HEAD_SIZE + 12)
    with pytest.raises(DamageError, match="message 0 is damaged; 3 messages lost"):
        reader.read()
    assert (reader.read(), reader.missed) == (b"d", 3)


def test_skipping_what_was_overwritten_does_not_hide_damage(writer: RingWriter) -> None:
    with Ring.open(writer.path, on_lag="skip") as reader:
        writer.publish_many([b"a"])
        writer.publish(b"b")
        flip(writer, HEAD_SIZE)
        with pytest.raises(DamageError):
            reader.read()
        for _ in range(500):
            writer.publish(b"lap")
        assert len(read_all(reader)[0]) + reader.missed == 502


def test_damage_before_what_was_asked_for_is_nobodys(writer: RingWriter) -> None:
    for number in range(6):
        writer.publish(b"data%d" % number)
    flip(writer, 2 * (HEAD_SIZE + 5) + HEAD_SIZE)
    with Ring.open(writer.path, 4) as reader:
        assert reader.read_many(9) == [b"data4", b"data5"]
        assert reader.missed == 0


@pytest.mark.parametrize("taken_over", [False, True])
@pytest.mark.parametrize("length", [7, 300])
@pytest.mark.parametrize("at", [None, *COUNT_AND_LENGTH])
def test_a_writer_goes_round_over_damage(
    path: Path, taken_over: bool, length: int, at: int | None
) -> None:
    """All of it, or only what tells a writer where the next message is."""

    def data(number: int) -> bytes:
        return b"%07d" % number + bytes(length - 7)

    with ExitStack() as rings:
        writer = rings.enter_context(Ring.create(path, 4096))
        reader = rings.enter_context(Ring.open(path))
        several = 2200 // (HEAD_SIZE + length)
        for number in range(several):
            writer.publish(data(number))
        if at is None:
            damage(writer, 0, random.Random(1).randbytes(4096))
        else:
            flip(writer, 3 * (HEAD_SIZE + length) + at)
        late = rings.enter_context(Ring.open(path, "oldest"))
        if taken_over:
            writer.close()
            writer = rings.enter_context(Ring.create(path, 4096))
        for number in range(writer.sequence, 1000):
            writer.publish(data(number))
        for each in (reader, late):
            found, _ = read_all(each)
            assert found == [data(number) for number in range(1000 - len(found), 1000)]
            assert len(found) * (HEAD_SIZE + length) > 2000


def test_zeros_over_everything_are_no_messages(writer: RingWriter, reader: RingReader) -> None:
    for number in range(100):
        writer.publish(b"data%d" % number)
    damage(writer, 0, bytes(4096))
    assert read_all(reader) == ([], 1)
    assert 60 < reader.missed <= 100
    damage(writer, STATES.start - DATA, bytes(96))
    with pytest.raises(DamageError, match="both states"):
        reader.read()
    for number in range(100, 150):  # which brings a new state
        writer.publish(b"data%d" % number)
    found, _ = read_all(reader)
    assert found == [b"data%d" % number for number in range(reader.missed, 150)]
    assert 100 <= reader.missed < 150


def test_at_no_time_does_a_damaged_state_cost_anything(path: Path, writer: RingWriter) -> None:
    copy = path.with_name("copy")
    chance = random.Random(1)
    for number in range(300):
        writer.publish(b"%03d" % number * chance.choice([1, 1, 1, 1, 1, 30, 300, 680]))
        contents = bytearray(path.read_bytes())
        for place in STATE:
            kept = contents[place]
            contents[place] = b"\xff" * len(kept)
            copy.write_bytes(contents)
            contents[place] = kept
            with Ring.open(copy, "oldest") as reader:
                first = reader.sequence
                found, told = read_all(reader)
                assert [int(each[:3]) for each in found] == list(range(first, number + 1))
                assert (told, reader.missed) == (0, 0)


@pytest.mark.parametrize("which", [0, 1])
def test_one_damaged_state_costs_nothing(writer: RingWriter, which: int) -> None:
    for number in range(1000):
        writer.publish(b"data%03d" % number)
    damage(writer, STATES.start + 48 * which - DATA, random.Random(which).randbytes(48))
    with Ring.open(writer.path) as newest:
        assert newest.sequence == 1000
        with Ring.open(writer.path, "oldest") as oldest:
            first = oldest.sequence
            found, told = read_all(oldest)
            assert found == [b"data%03d" % number for number in range(first, 1000)]
            assert told == 0
            assert len(found) > 100
        writer.close()
        with pytest.raises(ClosedError):
            newest.read()


def replayed(old: bytes, new: bytes) -> list[bytes]:
    """The same file with one part of it as it was before, at every place where a write could be cut."""
    return [
        new[:at] + old[at : at + size] + new[at + size :]
        for at in range(0, 500, 7)
        for size in (8, 64)
    ]


def test_what_was_true_once_does_not_pass_for_what_is(path: Path) -> None:
    with Ring.create(path, 4096) as writer:
        for number in range(100):
            writer.publish(message(number, 40))
        old = path.read_bytes()[DATA:]
        for number in range(100, 300):
            writer.publish(message(number, 40))
        new = path.read_bytes()[DATA:]
        for mixed in replayed(old, new):
            damage(writer, 0, mixed)
            with Ring.open(path, 0, on_lag="skip") as reader:
                found, told = read_all(reader)
                assert len(found) + reader.missed == 300
                numbers = list(map(number_of, found))
                assert numbers == sorted(set(numbers))
                assert (told > 0) == (len(found) < 300 - min(reader_first(path), 300))
        damage(writer, 0, new)


def reader_first(path: Path) -> int:
    with Ring.open(path, "oldest") as reader:
        return reader.sequence


def test_a_forged_message_does_not_pass(path: Path) -> None:
    """One ring's messages, published in another at the very place and time where they would fit."""
    other = path.with_name("other")
    with Ring.create(other, 4096) as forger:
        forger.publish(b"x" * 26)
        forger.publish(b"forged")
        forged = other.read_bytes()[DATA + HEAD_SIZE + 26 :][: HEAD_SIZE + 6]
    with Ring.create(path, 4096) as writer, Ring.open(path) as reader:
        writer.publish(forged[:26])
        writer.publish(b"true..")
        writer.publish(b"after")
        damage(writer, HEAD_SIZE + 26, forged)
        assert reader.read() == forged[:26]
        with pytest.raises(DamageError):
            reader.read()
        assert reader.read() == b"after"


@pytest.mark.parametrize(("first", "last"), [(DATA, DATA + 65536), (0, DATA + 65536), (0, 200)])
def test_a_process_that_overwrites_everything_makes_no_message_wrong(
    path: Path, first: int, last: int
) -> None:
    """Hostile to messages, states and title alike, while they are written and read."""
    with Process(PUBLISHES, path, 100) as publisher:
        publisher.line()
        with Ring.open(path, 0) as reader, Process(OVERWRITES, path, first, last) as hostile:
            hostile.line()
            read = told = 0
            closed = False
            while not closed:
                try:
                    messages = reader.read_many(1000)
                except (DamageError, Lagged):
                    # Who has fallen behind may never see damage for long enough to be sure of it.
                    told += 1
                except ClosedError:
                    closed = True
                else:
                    read += len(messages)
                    end = reader.sequence
                    assert list(map(number_of, messages)) == list(range(end - len(messages), end))
                assert read + reader.missed == reader.sequence
                if read > 2000 and (told > 10 or last < DATA) and not hostile.ended:
                    hostile.kill()
                    publisher.tell("enough")
            assert str(reader.sequence) == publisher.result()
