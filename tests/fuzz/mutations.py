"""Small damage to bytes, as disks, networks and mistakes make it, and ways to cut bytes up."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

__all__ = ["cut", "mutate"]

BITS = (
    *(b"\r", b"\n", b"\r\n", b" ", b"\x00", b"\xff", b"/", b"+", b"-", b"0", b'"', b"]", b"\\"),
    *(b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 9 + b"\x01", b"\xff" * 300, b"9" * 30),
)


def mutate(random: Random, data: bytes, bits: Sequence[bytes] = BITS) -> bytes:
    """The data with a few changes; bits: what is put in."""
    for _ in range(random.choice([1, 1, 1, 2, 5])):
        at = random.randint(0, len(data))
        until = min(len(data), at + random.choice([1, 1, 2, 10, 100, 1000]))
        match random.randint(0, 7):
            case 0 | 1 if data:
                at %= len(data)
                flipped = data[at] ^ (1 << random.randint(0, 7))
                data = data[:at] + bytes([flipped]) + data[at + 1 :]
            case 2:
                data = data[:at] + data[until:]
            case 3:
                data = data[:at] + random.choice(bits) + data[at:]
            case 4:
                data = data[:until] + data[at:]
            case 5:
                bit = random.choice(bits)
                data = data[:at] + bit + data[at + len(bit) :]
            case 6:
                to = random.randint(0, len(data))
                data = data[:to] + data[at:until] + data[to:]
            case _ if random.random() < 0.3:
                data = data[:at]
    return data


def cut(random: Random, data: bytes) -> list[bytes]:
    """The same bytes in pieces."""
    places = sorted(random.randint(0, len(data)) for _ in range(random.randint(1, 12)))
    # Next to a line end is where it matters.
    places += [at + 1 for at in places if data[at : at + 1] in (b"\r", b"\n")]
    places = sorted({0, *places, len(data)})
    return [data[a:b] for a, b in pairwise(places)]
