"""The format: what stands in the file, byte by byte, and that nothing else passes for it."""

import os
import random
import struct
from pathlib import Path
from zlib import adler32, crc32

import pytest

from darnerpy.ring import Ring
from darnerpy.ring.layout import (
    DATA,
    HEAD,
    HEAD_SIZE,
    Seeds,
    is_intact,
    latest,
    pack_beginning,
    pack_head,
    pack_state,
    pack_table,
    unpack_messages,
    unpack_title,
)

SEEDS = (0x89ABCDEF, 0x12345678)
OTHERS = [(0x89ABCDEE, 0x12345678), (0x89ABCDEF, 0x12345679)]


def test_the_bytes_are_those_of_the_manual(path: Path) -> None:
    with Ring.create(path, 4096) as writer:
        writer.publish(b"one")
        writer.publish_many([b"two", b"three"])
    file = path.read_bytes()
    assert len(file) == 4096 + 4096

    magic, number, unused, size, crc_seed, sum_seed = struct.unpack(">8sIIQII", file[:32])
    assert (magic, number, unused, size) == (b"DARNRING", 1, 0, 4096)
    assert struct.unpack(">II", file[32:40]) == (crc32(file[:32]), adler32(file[:32]))

    # Begun, taken over by its writer, closed: 0 to 2.
    states = [struct.unpack(">QQQQQII", file[at : at + 48]) for at in (64, 112)]
    assert [state[:5] for state in states] == [(2 * 2 + 1, 0, 0, 3, 63), (2 * 1, 0, 0, 0, 0)]
    for at, state in zip((64, 112), states, strict=True):
        body = file[at : at + 40]
        assert state[5:] == (crc32(body, crc_seed), adler32(body, sum_seed))
    assert int.from_bytes(file[192:200], "big") == os.getpid()

    first = struct.unpack(">QHIII", file[4096:4118])
    seed = crc_seed ^ 0 ^ 1 << 16
    assert first == (0, 1, 3, crc32(b"one", seed), adler32(b"one", sum_seed))
    assert file[4118:4121] == b"one"
    second = struct.unpack(">QHIII", file[4121:4143])
    seed = crc_seed ^ 1 ^ 2 << 16
    body = struct.pack(">II", 3, 5) + b"twothree"
    assert second == (1, 2, 16, crc32(body, seed), adler32(body, sum_seed))
    assert file[4143:4159] == body
    assert file[4159:] == b"\0" * (8192 - 4159)


def test_a_title_says_what_it_was_given() -> None:
    title = pack_beginning(12345, SEEDS)
    assert unpack_title(title) == (1, 12345, SEEDS)
    for length in range(40):
        assert unpack_title(title[:length]) is None
    for bit in range(8 * 40):
        assert unpack_title(flipped(title, bit)) is None
    assert unpack_title(b"\0" * DATA) is None


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_bit_of_a_state_can_change() -> None:
    for closed in (False, True):
        state = pack_state(9, (3, 100), (7, 900), SEEDS, closed=closed)
        other = pack_state(8, (1, 2), (3, 4), SEEDS)
        assert latest(state + other, SEEDS) == (9, (3, 100), (7, 900), closed)
        for bit in range(8 * len(state)):
            assert latest(flipped(state, bit) + other, SEEDS) == (8, (1, 2), (3, 4), False)
            assert latest(other + flipped(state, bit), SEEDS) == (8, (1, 2), (3, 4), False)
            assert latest(flipped(state, bit) + bytes(48), SEEDS) is None
        for others in OTHERS:
            assert latest(state + other, others) is None


def test_the_later_state_counts_wherever_it_stands() -> None:
    for generation in (0, 1, 255, 256, 2**31, 2**60):
        earlier = pack_state(generation, (5, 5), (9, 9), SEEDS, closed=True)
        later = pack_state(generation + 1, (5, 5), (8, 8), SEEDS)
        assert latest(earlier + later, SEEDS) == latest(later + earlier, SEEDS)
        found = latest(earlier + later, SEEDS)
        assert found is not None
        assert found[0] == generation + 1


def passes(frame: bytes, sequence: int, seeds: Seeds = SEEDS) -> bool:
    found, count, length, crc, adler = HEAD.unpack_from(frame)
    if found != sequence or length > len(frame) - HEAD_SIZE:
        return False
    return is_intact(sequence, count, frame[HEAD_SIZE : HEAD_SIZE + length], seeds, crc, adler)


@pytest.mark.parametrize("messages", [[b""], [b"\0"], [b"payload " * 5], [b"", b"ab", b"c" * 70]])
def test_no_bit_of_a_frame_can_change(messages: list[bytes]) -> None:
    data = b"".join(messages)
    if len(messages) > 1:
        data = pack_table(list(map(len, messages))) + data
    frame = pack_head(77, len(messages), data, SEEDS) + data
    assert passes(frame, 77)
    assert list(unpack_messages(len(messages), data)) == messages
    for bit in range(8 * len(frame)):
        assert not passes(flipped(frame, bit), 77)
    assert not passes(frame, 78)
    for others in OTHERS:
        assert not passes(frame, 77, others)
    assert not passes(b"\0" * len(frame), 0)


def test_no_mixture_of_two_frames_passes_for_either() -> None:
    """What a reader would see that copies while another lap is written."""
    chance = random.Random(1)
    for turn in range(300):
        length = chance.choice([1, 8, 20, 64, 200])
        old, new = chance.randbytes(length), chance.randbytes(length)
        if turn % 2:  # much alike, as readings of a sensor are
            new = old[: length // 2] + bytes([old[length // 2] ^ 1]) + old[length // 2 + 1 :]
        lap = chance.randrange(1, 10**6)
        frames = [pack_head(n, 1, data, SEEDS) + data for n, data in ((5, old), (5 + lap, new))]
        for at in range(1, len(frames[0])):
            for first, second in (frames, frames[::-1]):
                mixed = first[:at] + second[at:]
                if mixed not in frames:
                    assert not passes(mixed, 5)
                    assert not passes(mixed, 5 + lap)
