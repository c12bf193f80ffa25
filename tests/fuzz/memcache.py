"""The memcache codec, which faces strangers: the same commands however the bytes are cut up."""

from collections.abc import Sequence
from functools import partial
from random import Random

from darnerpy.protocol import text
from darnerpy.protocol.commands import Chunk, Command, Refused, Upload, UploadEnd
from darnerpy.protocol.item_commands import Put
from darnerpy.protocol.text import MAX_GET_LINE, MAX_INLINE, CodecLimits, TextCodec
from darnerpy.protocol.verbs import MAX_LINE, VERBS
from tests.fuzz.engine import Target, kind_of
from tests.fuzz.mutations import cut, mutate
from tests.fuzz.words import BITS, ENDS, WORDS

__all__ = ["TARGET", "outcomes"]

MAX_KEPT = MAX_GET_LINE + MAX_LINE + 2
mutate_lines = partial(mutate, bits=BITS)


FOREIGN = (b"*", b"\x16", b"\x80", b"\x80\x01" + bytes(10) + b"opaq" + bytes(8))


def make_stream(random: Random) -> bytes:
    stream = random.choice(FOREIGN) if random.random() < 0.03 else b""
    stream += b"".join(make_command(random) for _ in range(random.randint(1, 6)))
    return mutate_lines(random, stream) if random.random() < 0.5 else stream


def make_command(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.45:
        return make_store(random)
    if kind < 0.48:
        # Around the limit of a line.
        return b"x" * (MAX_LINE + random.randint(-2, 3)) + random.choice(ENDS)
    if kind < 0.55:
        return make_long_get(random)
    words = [random.choice(list(VERBS)), *random.choices(WORDS, k=random.randint(0, 5))]
    return random.choice([b" ", b" ", b"  "]).join(words) + random.choice(ENDS)


def make_long_get(random: Random) -> bytes:
    """Around the limit of other lines, or of its own."""
    size = random.choice([MAX_LINE, MAX_LINE, 2 * MAX_LINE])
    if random.random() < 0.003:
        size = MAX_GET_LINE
    unit = random.choice([b"k ", b"key ", b" ", b"q/open ", b"q+c ", b"q/"])
    few = b" ".join(random.choices([*WORDS, b"HTTP/1.1", b"q/t=1"], k=random.randint(0, 3)))
    line = random.choice([b"get ", b"gets ", b" Get ", b"get"]) + unit * (size // len(unit))
    place = random.choice([0, len(line), random.randrange(len(line))])
    line = line[: max(4, place)] + few + line[max(4, place) :]
    return line[: size + random.randint(-2, 3)] + random.choice(ENDS)


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
        keys = 0 if codec._long is None else codec._long.kept
        kept = len(codec._line) + len(codec._block) + keys
        assert kept <= MAX_KEPT, f"{kept} bytes are kept"
        assert len(codec._block) + keys <= codec.reserved <= MAX_GET_LINE + 1, (
            "it says what it keeps"
        )
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
        if isinstance(command, Refused) and command.reply[:1] not in (b"", b"\x81", b"\x15"):
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


def check_codec(random: Random, data: bytes) -> set[str]:
    whole = say([data])
    pieces = cut(random, data)
    assert say(pieces) == whole, f"cut up as {[len(piece) for piece in pieces]}"
    if len(data) < 20_000:
        single = [data[at : at + 1] for at in range(len(data))]
        assert say(single) == whole, "byte by byte"
    low = without_uploads(say(pieces, inline=random.choice([0, 2, 100])))
    assert low == without_uploads(whole), "when memory is short"
    assert len(text._remembered) <= 4096
    return outcomes(whole)


def outcomes(commands: list[Command]) -> set[str]:
    refusals = (command.reply for command in commands if isinstance(command, Refused))
    return {type(command).__name__ for command in commands} | {
        kind_of(reply.decode(errors="replace")).partition(":")[0] for reply in refusals
    }


TARGET = Target(
    "codec",
    "whole, cut up and byte by byte it says the same, raises nothing and keeps little",
    make_stream,
    check_codec,
    mutate_lines,
    weight=5,
)
