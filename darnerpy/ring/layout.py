"""The bytes of a ring: where what is, and the check that everything read from it has to pass.

Owns the format (docs/ring.md), and the one rule that makes it safe without locks and without any promise
of the processor's about order: bytes are copied first and proved afterwards. What does not pass was torn, is
not visible yet, or is damaged; which of them, others find out. Knows no file, no map and no time.
"""

from collections.abc import Callable, Iterator
from struct import Struct, pack, unpack_from
from typing import Final
from zlib import adler32

from ..checksums import crc32

__all__ = [
    "DATA",
    "FORMAT",
    "HEAD",
    "HEAD_SIZE",
    "LEAST_SIZE",
    "MOST_SIZE",
    "STATE",
    "STATES",
    "WRITER",
    "Place",
    "Seeds",
    "State",
    "is_intact",
    "latest",
    "pack_beginning",
    "pack_head",
    "pack_state",
    "pack_table",
    "unpack_frames",
    "unpack_messages",
    "unpack_title",
]

FORMAT: Final = 1

DATA: Final = 4096
"""Where the frames begin. Before them the title, at 0, and the two states, side by side."""

LEAST_SIZE: Final = 4096
MOST_SIZE: Final = 4 << 30

HEAD: Final = Struct(">QHIII")
"""Before each frame: the sequence of its first message, how many messages it has, how many bytes follow,
and their check, a CRC-32 and an Adler-32."""

HEAD_SIZE: Final[int] = HEAD.size

Seeds = tuple[int, int]
"""What the two halves of all checks of a ring begin with, chosen by chance.

So nothing passes that was made for another ring, or made up by whoever sends what is published.
"""

Place = tuple[int, int]
"""A sequence, and the position of the frame that begins with it.

A position counts all bytes ever written: the byte is at its remainder by the size.
"""

State = tuple[int, Place, Place, bool]
"""How a ring stands: generation, oldest message, next message, whether it is closed.

Frames come first and are told of later: more may be there than the state says, never less.
"""

_MAGIC: Final = b"DARNRING"
_TITLE: Final = Struct(">8sIIQII")
_CHECK: Final = Struct(">II")
_STATE: Final = Struct(">QQQQQII")
"""Twice the generation, one more if it is closed; oldest; next; check. The later is greater as bytes, too."""

_STATE_BODY: Final = 40
_FIRST: Final = slice(64, 64 + _STATE.size)
_SECOND: Final = slice(_FIRST.stop, _FIRST.stop + _STATE.size)

STATE: Final = (_FIRST, _SECOND)
"""Where a state is in the file, by whether its generation is even or odd."""

STATES: Final = slice(_FIRST.start, _SECOND.stop)
"""The two states. They are written in turn, so that one is whole whenever the writer dies."""

WRITER: Final = slice(192, 200)
"""The writer's pid, for people."""

# All that is published passes by these; the types are said for mypyc, too.
_crc32: Final = crc32
_adler32: Final = adler32
_pack_head: Final = HEAD.pack
_unpack_head: Final[Callable[[bytes, int], tuple[int, int, int, int, int]]] = HEAD.unpack_from


def pack_head(sequence: int, count: int, data: bytes, seeds: Seeds) -> bytes:
    """What stands before a frame of that data.

    Two CRCs with different seeds would be 32 bits, however long: for data of one length they differ by a
    constant. So the other half of the check is a sum. Together they cost a third of the cheapest hash of 64
    bits that the standard library has.
    """
    crc_seed, sum_seed = seeds
    crc = _crc32(data, sequence ^ (count << 16) ^ crc_seed)  # of which the lower 32 bits count
    return _pack_head(sequence, count, len(data), crc, _adler32(data, sum_seed))


def is_intact(sequence: int, count: int, data: bytes, seeds: Seeds, crc: int, adler: int) -> bool:
    """Whether a frame was written with that head."""
    crc_seed, sum_seed = seeds
    return (
        _crc32(data, sequence ^ (count << 16) ^ crc_seed) == crc
        and _adler32(data, sum_seed) == adler
    )


def pack_table(lengths: list[int]) -> bytes:
    """What a frame of several messages begins with: their lengths."""
    return pack(f">{len(lengths)}I", *lengths)


def unpack_messages(count: int, data: bytes) -> Iterator[bytes]:
    """The messages of a frame that is intact."""
    if count == 1:
        yield data
        return
    start = 4 * count
    for length in unpack_from(f">{count}I", data):
        yield data[start : start + length]
        start += length


def unpack_frames(first: int, block: bytes, seeds: Seeds) -> tuple[list[bytes], int, int] | None:
    """The messages of the intact frames that a block begins with, from that sequence on, the sequence behind
    them, and where they end. None if it does not even begin with the head of that frame.
    """
    messages: list[bytes] = []
    sequence, at, last_head = first, 0, len(block) - HEAD_SIZE
    while at <= last_head:
        found, count, length, crc, adler = _unpack_head(block, at)
        if found != sequence:
            if at == 0:
                return None
            break
        begin = at + HEAD_SIZE
        data = block[begin : begin + length]
        if len(data) < length or not is_intact(sequence, count, data, seeds, crc, adler):
            break
        if count == 1:
            messages.append(data)
        else:
            messages += unpack_messages(count, data)
        sequence += count
        at = begin + length
    return messages, sequence, at


def pack_beginning(size: int, seeds: Seeds) -> bytes:
    """How the file of a new ring begins: with a title, which never changes, and a state."""
    body = _TITLE.pack(_MAGIC, FORMAT, 0, size, *seeds)
    title = body + _CHECK.pack(crc32(body), adler32(body))
    return title.ljust(_FIRST.start, b"\0") + pack_state(0, (0, 0), (0, 0), seeds)


def unpack_title(data: bytes) -> tuple[int, int, Seeds] | None:
    """Format, size and seeds; None if it is no title."""
    body, end = data[: _TITLE.size], data[_TITLE.size : _TITLE.size + _CHECK.size]
    if len(end) < _CHECK.size or end != _CHECK.pack(crc32(body), adler32(body)):
        return None
    magic, number, _, size, *seeds = _TITLE.unpack(body)
    return (number, size, (seeds[0], seeds[1])) if magic == _MAGIC else None


def pack_state(
    generation: int, oldest: Place, following: Place, seeds: Seeds, *, closed: bool = False
) -> bytes:
    """How the ring stands, and the check of that."""
    marked = 2 * generation + closed
    body = _STATE.pack(marked, *oldest, *following, 0, 0)[:_STATE_BODY]
    return body + _CHECK.pack(crc32(body, seeds[0]), adler32(body, seeds[1]))


def latest(states: bytes, seeds: Seeds) -> State | None:
    """The later of two states if it is whole, else the other; None if neither is."""
    first, second = states[: _STATE.size], states[_STATE.size :]
    for state in (first, second) if first > second else (second, first):
        marked, oldest, oldest_at, following, following_at, crc, adler = _STATE.unpack(state)
        body = state[:_STATE_BODY]
        if crc32(body, seeds[0]) == crc and adler32(body, seeds[1]) == adler:
            return marked >> 1, (oldest, oldest_at), (following, following_at), bool(marked & 1)
    return None
