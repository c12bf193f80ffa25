"""Throw bytes at the codecs and at what reads a journal: `python -m tests.fuzz --minutes N`.

Inputs are made of words from the tables of verbs, then mutated. A codec must never raise, say the
same however its input is cut up, keep no more than it may, and say nothing once it is closed. What
reads records must raise nothing but what it promises. A finding is made as small as possible and
printed so that it can be pasted into a test; it ends the run with code 1.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random, SystemRandom

from darnerpy.errors import DamageError, NewerFormatError
from darnerpy.journals import records
from darnerpy.protocol import kestrel_verbs, text
from darnerpy.protocol.commands import (
    Chunk,
    Command,
    Group,
    GroupedPut,
    GroupEnd,
    Put,
    Refused,
    Upload,
    UploadEnd,
)
from darnerpy.protocol.kestrel import KestrelCodec
from darnerpy.protocol.options import MAX_WAIT_MS
from darnerpy.protocol.text import MAX_INLINE, MAX_LINE, CodecLimits, TextCodec
from darnerpy.protocol.verbs import VERBS
from darnerpy.queues.batches import Batch, Mark
from darnerpy.queues.items import Item
from darnerpy.queues.positions import Span

WORDS = [
    *VERBS,
    *(verb.upper() for verb in VERBS),
    *(b"q", b"work+audit", b"a+b+c", b"+", b"..", b"q" * 250, b"q" * 251, b"\xff\x80", b"\x00"),
    *(b"q/open", b"q/close/open", b"q/t=5", b"q/t=%d" % (MAX_WAIT_MS + 1), b"q/abort", b"q/peek"),
    *(b"q/close=7", b"q/abort=7", b"q/close=7/open", b"q/close=0", b"q/abort=%d" % 2**63),
    *(b"q/sync", b"q//", b"/", b"q/t=", b"q/x\x1b", b"noreply", b"HTTP/1.1"),
    *(b"0", b"1", b"2", b"10", b"-1", b"4294967295", b"4294967296", b"%d" % MAX_INLINE),
    *(b"%d" % (MAX_INLINE + 1), b"9" * 40, b"9" * 1500, b"5x", b"\xb2", b"1e3", b"0x10", b"+1"),
]
ENDS = [b"\r\n"] * 6 + [b"\n"] * 3 + [b"\r", b"", b"\r\r\n", b"x\r\n", b" \r\n", b"\n\n"]
BITS = [b"\r", b"\n", b"\r\n", b" ", b"\x00", b"/", b"+", b"x" * MAX_LINE, b"noreply"]
MAX_KEPT = MAX_INLINE + MAX_LINE + 2


# --- Making input


def make_stream(random: Random) -> bytes:
    stream = b"".join(make_command(random) for _ in range(random.randint(1, 6)))
    return mutate(random, stream) if random.random() < 0.5 else stream


def make_command(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.45:
        return make_store(random)
    if kind < 0.48:
        # Around the limit of a line.
        return b"x" * (MAX_LINE + random.randint(-2, 3)) + random.choice(ENDS)
    words = [random.choice(list(VERBS)), *random.choices(WORDS, k=random.randint(0, 5))]
    return random.choice([b" ", b" ", b"  "]).join(words) + random.choice(ENDS)


def make_store(random: Random) -> bytes:
    size = random.choice([0, 0, 1, 2, 5, 10, 10, 50, random.randint(0, 3000)])
    if random.random() < 0.003:
        size = MAX_INLINE + random.randint(-1, 2)
    if random.random() < 0.5:
        return b"set q 0 0 %d\r\n%b\r\n" % (size, make_body(random, size))
    verb = random.choice([b"set", b"set", b"set", b"add", b"cas", b"ms"])
    name, flags, exptime = random.choice(WORDS), b"0", b"0"
    if random.random() < 0.2:
        flags, exptime = random.choices(WORDS, k=2)
    head = [verb, name] if verb == b"ms" else [verb, name, flags, exptime]
    tail = random.choices(WORDS, k=random.choice([0, 0, 0, 1, 2]))
    line = b" ".join([*head, b"%d" % size, *tail])
    return line + random.choice(ENDS) + make_body(random, size) + random.choice(ENDS)


def make_body(random: Random, size: int) -> bytes:
    """Often one that would do something if it were taken for commands."""
    unit = random.choice([b"x", b"\r\n", b"\n", b"quit\r\n", b"get q\r\n", b"set q 0 0 1\r\n"])
    return (unit * (size // len(unit) + 1))[:size]


def mutate(random: Random, data: bytes) -> bytes:
    for _ in range(random.choice([1, 1, 2, 5])):
        at = random.randint(0, len(data))
        until = min(len(data), at + random.choice([1, 1, 2, 10, 100]))
        match random.randint(0, 4):
            case 0 if data:
                at %= len(data)
                flipped = data[at] ^ (1 << random.randint(0, 7))
                data = data[:at] + bytes([flipped]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[until:]
            case 2:
                data = data[:at] + random.choice([*BITS, *WORDS]) + data[at:]
            case 3:
                data = data[:until] + data[at:]
            case _:
                data = data[:at]
    return data


def cut(random: Random, data: bytes) -> list[bytes]:
    places = sorted(random.randint(0, len(data)) for _ in range(random.randint(1, 12)))
    # Next to a line end is where it matters.
    places += [at + 1 for at in places if data[at : at + 1] in (b"\r", b"\n")]
    places = sorted({0, *places, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


# --- The codec


def say(segments: Sequence[bytes], inline: int = MAX_INLINE) -> list[Command]:
    """All that a codec makes of it, chunks joined, its promises checked on the way."""
    codec = TextCodec(CodecLimits(inline))
    out: list[Command] = []
    for segment in segments:
        closed = codec.closed
        for command in codec.feed(segment):
            assert not closed, "a closed codec says nothing"
            if isinstance(command, Chunk) and isinstance(out[-1], Chunk):
                out[-1] = Chunk(out[-1].data + command.data)
            else:
                out.append(command)
        kept = len(codec._line) + len(codec._block)
        assert kept <= MAX_KEPT, f"{kept} bytes are kept"
        assert len(codec._block) <= codec.reserved <= MAX_INLINE, "it says what it keeps"
    check(out, codec.closed)
    return out


def check(out: list[Command], closed: bool) -> None:
    uploading = False
    left = 0
    for command in out:
        if isinstance(command, Upload):
            uploading, left = True, command.store.size
        elif isinstance(command, Chunk):
            assert uploading
            left -= len(command.data)
        elif isinstance(command, UploadEnd):
            assert uploading
            assert left == 0, "all bytes of an upload come before its end"
            uploading = False
        else:
            assert not uploading or (isinstance(command, Refused) and command.fatal)
        if isinstance(command, Put):
            assert len(command.body) == command.store.size
            assert command.store.refusal is None
        if isinstance(command, Refused) and command.reply:
            assert command.reply.endswith(b"\r\n")
            assert command.reply[:-2].decode().isprintable()
    fatal = [isinstance(command, Refused) and command.fatal for command in out]
    assert sum(fatal) == closed, "it closes with the first fatal refusal, and only then"
    assert not any(fatal[:-1]), "and that is the last it says"


def without_uploads(out: list[Command]) -> list[Command]:
    """The same with each complete upload as a put, and without one that broke off."""
    plain: list[Command] = []
    body = b""
    for command in out:
        match command:
            case Upload(store):
                upload, body = store, b""
            case Chunk(data):
                body += data
            case UploadEnd():
                plain.append(Put(upload, body))
            case _:
                plain.append(command)
    return plain


def check_codec(random: Random, data: bytes) -> None:
    whole = say([data])
    pieces = cut(random, data)
    assert say(pieces) == whole, f"cut up as {[len(piece) for piece in pieces]}"
    if len(data) < 20_000:
        single = [data[at : at + 1] for at in range(len(data))]
        assert say(single) == whole, "byte by byte"
    low = without_uploads(say(pieces, inline=random.choice([0, 2, 100])))
    assert low == without_uploads(whole), "when memory is short"
    assert len(text._remembered) + len(text._remembered_chunks) <= 8192


# --- The codec of Kestrel's text protocol


def make_text_stream(random: Random) -> bytes:
    stream = b"".join(make_text_command(random) for _ in range(random.randint(1, 6)))
    return mutate(random, stream) if random.random() < 0.5 else stream


def make_text_command(random: Random) -> bytes:
    end = random.choice([b"\n", b"\r\n"])
    verb = random.choice(list(kestrel_verbs.VERBS))
    line = b" ".join([verb, *random.choices(WORDS, k=random.randint(0, 3))])
    if random.random() < 0.5:
        return line + random.choice([end, end, *ENDS])
    head = random.choice([b"put q:", b"put q 5:", b"put q+c -1:", line + b":"])
    long = MAX_INLINE if random.random() < 0.003 else MAX_LINE
    bodies = [b"x", b"quit", b"\r", b"a:", b"\xff\x00", b"x" * (long + random.randint(-2, 2))]
    return end.join([head, *random.choices(bodies, k=random.randint(0, 5)), b"", b""])


def say_text(segments: Sequence[bytes]) -> list[Command]:
    codec = KestrelCodec(CodecLimits())
    out: list[Command] = []
    for segment in segments:
        closed = codec.closed
        said = codec.feed(segment)
        assert not (closed and said), "a closed codec says nothing"
        out += said
        assert len(codec._line) <= MAX_INLINE + 1, f"{len(codec._line)} bytes are kept"
        assert codec.reserved in (0, len(codec._line)), "it says what it keeps"
    check_text(out, codec.closed)
    return out


def check_text(out: list[Command], closed: bool) -> None:
    group: Group | None = None
    for command in out:
        if isinstance(command, GroupedPut):
            assert group in (None, command.group), "an item is of the group that has begun"
            group = command.group
            assert 0 < len(command.body) <= MAX_INLINE
            assert b"\n" not in command.body
        elif isinstance(command, GroupEnd):
            assert group in (None, command.group)
            group = None
        else:
            assert group is None or (isinstance(command, Refused) and command.fatal)
        if isinstance(command, Refused):
            assert command.reply[:1] == b"-"
            assert command.reply.endswith(b"\n")
            assert command.reply[:-1].decode().isprintable()
    fatal = [isinstance(command, Refused) and command.fatal for command in out]
    assert sum(fatal) == closed, "it closes with the first fatal refusal, and only then"
    assert not any(fatal[:-1]), "and that is the last it says"


def check_text_codec(random: Random, data: bytes) -> None:
    whole = say_text([data])
    pieces = cut(random, data)
    assert say_text(pieces) == whole, f"cut up as {[len(piece) for piece in pieces]}"
    if len(data) < 20_000:
        assert say_text([data[at : at + 1] for at in range(len(data))]) == whole, "byte by byte"


# --- The records


def make_batch(random: Random) -> Batch:
    batch = Batch(random.randint(1, 9), random.getrandbits(40))
    first, offset = random.choice([1, 7, 2**40]), random.choice([0, 1000])
    for at in range(random.randint(1, 6)):
        size = random.choice([0, 1, 20, 300, 70_000 if random.random() < 0.02 else 5])
        large = random.choice([0, 0, 0, 3])
        data = None if large else random.randbytes(size)
        batch.items.append(Item(first + at, size, data, 7, batch.created, 0, offset, large))
        batch.size += 0 if large else size
        offset += size
    spans = [Span(*(random.getrandbits(8) for _ in range(4))) for _ in range(random.randint(0, 3))]
    batch.marks = [Mark(name, first, 0, spans, random.random() < 0.5) for name in (b"", b"audit")]
    batch.full = random.random() < 0.5
    batch.kept = spans if batch.full else []
    batch.next_id, batch.next_offset = first + len(batch.items), offset
    return batch


def check_records(random: Random, data: bytes) -> None:
    """data: only what the random choices depend on, so that a finding can be repeated."""
    random = Random(data)
    batch = make_batch(random)
    blocks = records.encode_blocks(batch)
    assert [item for block in blocks for item in records.decode_block(*block)[0]] == batch.items
    mark_key, mark = records.encode_mark(batch, 1)
    found = records.decode_mark(mark_key, mark)
    assert (found.marks, found.kept, found.full) == (batch.marks, batch.kept, batch.full)
    true = {item.id: item for item in batch.items}
    for key, value in (*blocks, (mark_key, mark)):
        bad_key = mutate(random, key) if random.random() < 0.3 else key
        bad_value = mutate(random, value)
        try:
            if records.split_key(bad_key)[1] == records.MARK:
                again = records.decode_mark(bad_key, bad_value)
                assert (bad_key, bad_value, again) == (mark_key, mark, found), "believed"
            else:
                items, stop, wrong = records.decode_block(bad_key, bad_value)
                for item in items:
                    assert item.id < stop
                    assert (item.data, item.size, item.large) == (
                        true[item.id].data, true[item.id].size, true[item.id].large
                    ), "an item that was never put"  # fmt: skip
                assert wrong or items[-1].id + 1 == stop
        except (DamageError, NewerFormatError):
            pass


# --- Running it


@dataclass
class Target:
    name: str
    make: Callable[[Random], bytes]
    check: Callable[[Random, bytes], None]
    runs: int = 0


TARGETS = (
    Target("codec", make_stream, check_codec),
    Target("text codec", make_text_stream, check_text_codec),
    Target("records", lambda random: random.randbytes(8), check_records),
)


def fails(target: Target, data: bytes, seed: int) -> str | None:
    """The traceback, None if all is well. What is random in a check depends on the seed only."""
    try:
        target.check(Random(seed), data)
    except Exception:
        return traceback.format_exc(limit=-2)
    return None


def shrink(target: Target, data: bytes, seed: int) -> bytes:
    """Leave out what is not needed for it to fail, in ever smaller portions."""
    portion = len(data) // 2
    patience = time.monotonic() + 20
    while portion and time.monotonic() < patience:
        at = 0
        while at < len(data) and time.monotonic() < patience:
            smaller = data[:at] + data[at + portion :]
            if any(fails(target, smaller, seed + n) for n in range(20)):
                data = smaller
            else:
                at += portion
        portion //= 2
    return data


def run(minutes: float, seed: int) -> int:
    random = Random(seed)
    deadline = time.monotonic() + minutes * 60
    total = 0
    while time.monotonic() < deadline:
        # The codecs are what faces strangers.
        (target,) = random.choices(TARGETS, (5, 3, 2))
        data, check_seed = target.make(random), random.getrandbits(32)
        target.runs += 1
        total += len(data)
        if fails(target, data, check_seed):
            small = shrink(target, data, check_seed)
            why = next(filter(None, (fails(target, small, check_seed + n) for n in range(20))), "")
            print(why)
            print(f"{target.name} fails with seed {seed} on its {target.runs}th input, made small:")
            print(repr(small))
            return 1
    counts = ", ".join(f"{target.runs} of the {target.name}" for target in TARGETS)
    print(f"nothing found in {minutes:g} minutes: {counts}, {total / 1e6:.1f} MB, seed {seed}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=SystemRandom().getrandbits(32))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    return run(args.minutes, args.seed)


if __name__ == "__main__":
    sys.exit(main())
