"""The codec of Kestrel's text protocol: the same commands however the bytes are cut up."""

from collections.abc import Sequence
from random import Random

from darnerpy.protocol import kestrel_verbs
from darnerpy.protocol.commands import Command, Group, GroupedPut, GroupEnd, Refused
from darnerpy.protocol.kestrel import KestrelCodec
from darnerpy.protocol.text import MAX_INLINE, MAX_LINE, CodecLimits
from tests.fuzz.engine import Target
from tests.fuzz.memcache import mutate_lines, outcomes
from tests.fuzz.mutations import cut
from tests.fuzz.words import ENDS, WORDS

__all__ = ["TARGET"]


def make_text_stream(random: Random) -> bytes:
    stream = b"".join(make_text_command(random) for _ in range(random.randint(1, 6)))
    return mutate_lines(random, stream) if random.random() < 0.5 else stream


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


def check_text_codec(random: Random, data: bytes) -> set[str]:
    whole = say_text([data])
    pieces = cut(random, data)
    assert say_text(pieces) == whole, f"cut up as {[len(piece) for piece in pieces]}"
    if len(data) < 20_000:
        assert say_text([data[at : at + 1] for at in range(len(data))]) == whole, "byte by byte"
    return outcomes(whole)


TARGET = Target(
    "kestrel_text",
    "whole, cut up and byte by byte it says the same, raises nothing and keeps little",
    make_text_stream,
    check_text_codec,
    mutate_lines,
    weight=3,
)
