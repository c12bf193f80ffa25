"""Framing: the same commands however the bytes are cut up, in linear time and bounded memory."""

import re
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darnerpy.protocol.commands import Chunk, Command, GetMany, Refused, Upload, UploadEnd
from darnerpy.protocol.item_commands import Get, Put
from darnerpy.protocol.long_gets import reads_of
from darnerpy.protocol.options import parse_read_key
from darnerpy.protocol.text import MAX_GET_LINE, MAX_INLINE, CodecLimits, TextCodec
from darnerpy.protocol.verbs import MAX_LINE, VERBS, parse_line


def codec(inline: int = MAX_INLINE) -> TextCodec:
    return TextCodec(CodecLimits(inline))


def feed_all(codec: TextCodec, segments: Sequence[bytes]) -> list[Command]:
    """All commands, an upload's chunks joined: where those break is up to the segments."""
    out: list[Command] = []
    for segment in segments:
        for command in codec.feed(segment):
            if isinstance(command, Chunk) and isinstance(out[-1], Chunk):
                out[-1] = Chunk(out[-1].data + command.data)
            else:
                out.append(command)
    return out


def commands(data: bytes, inline: int = MAX_INLINE) -> list[Command]:
    return feed_all(codec(inline), [data])


def bodies(data: bytes) -> list[bytes]:
    return [command.body for command in commands(data) if isinstance(command, Put)]


def refusal(why: str, fatal: bool = True) -> Refused:
    return Refused(f"CLIENT_ERROR {why}\r\n".encode(), fatal)


VERSION = parse_line(b"version")
OPTIONS = "/t=ms /open /close[=id] /abort[=id] /peek[/offset=n]"


# --- Lines


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_ends_with_lf_or_crlf(end: bytes) -> None:
    assert commands(b"version" + end) == [VERSION]
    assert commands(b"version") == commands(b"version\r") == []


def test_a_bare_cr_ends_nothing() -> None:
    assert commands(b"version\rversion\n") == [Refused(b"ERROR\r\n")]
    assert commands(b"version\r\r\n") == [Refused(b"ERROR\r\n")]


def test_an_empty_line_is_an_error_but_not_the_end() -> None:
    assert commands(b"\r\n\nversion\n") == [Refused(b"ERROR\r\n")] * 2 + [VERSION]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_line_may_have_so_many_bytes_and_not_one_more(end: bytes, one_by_one: bool) -> None:
    for size, wanted in (
        (MAX_LINE, [Refused(b"ERROR\r\n"), VERSION]),
        (MAX_LINE + 1, [refusal("line too long")]),
    ):
        data = b"x" * size + end + b"version\n"
        assert feed_all(codec(), cut(data) if one_by_one else [data]) == wanted


def test_a_line_that_does_not_end_is_refused_as_soon_as_it_is_too_long() -> None:
    assert commands(b"x" * MAX_LINE) == commands(b"x" * MAX_LINE + b"\r") == []
    assert commands(b"x" * (MAX_LINE + 1)) == [refusal("line too long")]
    assert commands(b"x" * MAX_LINE + b"\r\r") == [refusal("line too long")]


@pytest.mark.parametrize(
    "line",
    [
        b"monitor q 10 5",
        b"confirm q 3",
        b"flush_expired q",
        b"flush_all_expired",
        b"dump_stats a b",
        b"dump_config",
        b"reload",
        b"shutdown",
        b"status",
        b"status readonly",
        b"status down",
        b"gets q/close=7/open/t=5",
        b"get q/abort=7",
        b"get q/close=0",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_is_the_same_whole_and_byte_by_byte(line: bytes, end: bytes) -> None:
    wanted = [parse_line(line), VERSION]
    data = line + end + b"version\n"
    assert commands(data) == wanted
    assert feed_all(codec(), cut(data)) == wanted


# --- Lines of many keys


def long_line(*keys: bytes, verb: bytes = b"get", filler: bytes = b"filler") -> bytes:
    """Over the limit of other lines, the keys at its end."""
    return b" ".join([verb, *[filler] * (MAX_LINE // len(filler)), *keys]) + b"\r\n"


@pytest.mark.parametrize(("verb", "cas"), [(b"get", False), (b"GETS", True), (b"  gets", True)])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_get_may_have_a_long_line(verb: bytes, cas: bool, one_by_one: bool) -> None:
    data = long_line(b"a/open", b"", b"b+c", verb=verb) + b"version\n"
    get, after = feed_all(codec(), cut(data) if one_by_one else [data])
    assert isinstance(get, GetMany)
    assert get.cas == cas
    keys = [key for key in data[:-10].split(b" ") if key][1:]
    assert list(reads_of(get.keys)) == [parse_read_key(key) for key in keys]
    assert after == VERSION


def test_a_long_line_of_one_key_is_a_get_of_one() -> None:
    assert commands(b"get " + b" " * 5000 + b"q \r\n") == [Get((parse_read_key(b"q"),), cas=False)]


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([b"q/bogus", b"q/t=5"], f"unknown option /bogus, one of {OPTIONS} expected"),
        ([b"q/t=5", b"q"], "only the first key of a get may wait"),
        ([b"q/t=5", b"q" * 251], "queue name is 251 bytes, at most 250 are allowed"),
        ([b"q" + b"/" * MAX_LINE, b"q"], "key too long, 2048 bytes with its options are allowed"),
        ([b"q\r", b"q"], "queue name may not contain byte 0x0d (at 1)"),
        ([b"q\r"], "queue name may not contain byte 0x0d (at 1)"),
    ],
)  # fmt: skip
def test_one_bad_key_refuses_a_long_line(keys: list[bytes], why: str, one_by_one: bool) -> None:
    data = long_line(*keys) + b"version\n"
    wanted = [refusal(why, fatal=False), VERSION]
    assert feed_all(codec(), cut(data) if one_by_one else [data]) == wanted


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("segment", [1 << 20, 4099])
def test_a_line_of_keys_may_have_so_many_bytes_and_not_one_more(end: bytes, segment: int) -> None:
    for over in (False, True):
        line = (b"get " + b"k " * MAX_GET_LINE)[: MAX_GET_LINE + over] + end + b"version\n"
        places = range(segment, len(line), segment)
        out = feed_all(codec(), cut(line, places))
        assert [type(each) for each in out] == ([Refused] if over else [GetMany, type(VERSION)])
        assert not over or out == [refusal("line too long")]


def test_a_long_http_request_is_one_all_the_same() -> None:
    for data in (b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\n", b"get " + b"a " * 3000 + b"HTTP/2\n"):
        wanted = [refusal("this is a memcache port, not HTTP")]
        assert commands(data) == feed_all(codec(), cut(data)) == wanted


def test_the_memory_of_an_unfinished_line_of_keys_is_announced() -> None:
    reader = codec()
    reader.feed(b"get " + b"key " * 1000)
    assert reader.reserved == 4000
    reader.feed(b"key")
    assert reader.reserved == 4003
    assert not reader.idle
    reader.feed(b"\n")
    assert reader.reserved == 0
    assert reader.idle
    reader.feed(b"get " + b"key " * 1000)
    reader.feed(b"key/bogus ")
    assert reader.reserved < 20, "nothing more is kept of what is refused"


def test_when_memory_is_short_a_line_of_keys_is_refused() -> None:
    reader = TextCodec(CodecLimits(keys=MAX_LINE))
    (refused, after) = feed_all(reader, cut(long_line(b"more") + b"version\n"))
    wanted = b"SERVER_ERROR memory is short, lines of at most 2048 bytes are taken\r\n"
    assert (refused, after) == (Refused(wanted), VERSION)


# --- Other protocols


@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_binary_protocol_is_told_so_with_its_opcode_and_opaque(one_by_one: bool) -> None:
    data = b"\x80\x0b" + bytes(10) + b"abcd" + bytes(8) + b"version\r\n"
    wanted = [Refused(b"\x81\x0b\0\0\0\0\0\x81\0\0\0\0abcd" + bytes(8), fatal=True)]
    assert feed_all(codec(), cut(data) if one_by_one else [data]) == wanted


def test_a_connection_that_has_said_nothing_is_idle() -> None:
    reader = codec()
    assert reader.idle
    assert reader.feed(b"") == []
    assert reader.idle
    assert reader.feed(b"\x80") == []
    assert not reader.idle


def test_what_is_known_by_heart_is_still_foreign() -> None:
    for _ in range(3):
        reader = codec()
        assert reader.feed(b"version\n") == [VERSION]
        assert list(reader.feed(b"*\r\n")) == [Refused(b"ERROR\r\n")]
    (refused,) = codec().feed(b"*\r\n")
    assert isinstance(refused, Refused)
    assert refused.fatal


# --- Blocks


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("body", [b"", b"hello", b"\r\n", b"quit\r\n", bytes(range(256))])
def test_a_block_is_taken_by_its_size(body: bytes, end: bytes) -> None:
    data = b"set q 0 0 %d\r\n%b%bversion\r\n" % (len(body), body, end)
    assert bodies(data) == [body]
    assert commands(data)[1:] == [VERSION]


@pytest.mark.parametrize("rest", [b"x\r\n", b"\rx\n", b"\r\r\n", b" \r\n"])
def test_a_block_not_followed_by_a_line_end_is_fatal(rest: bytes) -> None:
    assert commands(b"set q 0 0 2\r\nab" + rest) == [refusal("bad data chunk")]


def test_the_block_of_a_refused_store_is_swallowed() -> None:
    assert commands(b"add q 0 0 6\r\nquit\r\n\r\nversion\r\n") == [
        Refused(b"NOT_STORED\r\n"),
        VERSION,
    ]
    assert commands(b"set q/x 0 0 4 noreply\r\nquit\r\nversion\r\n") == [Refused(b""), VERSION]


def test_a_block_of_any_refused_size_is_swallowed_without_being_kept() -> None:
    reader = codec()
    assert reader.feed(b"add q 0 0 %d\r\n" % 10**30) == []
    assert reader.reserved == 0
    assert reader.feed(b"x" * 100_000) == []
    assert not reader.idle


# --- Large blocks


def test_a_large_block_passes_through_in_pieces() -> None:
    size = MAX_INLINE + 1
    reader = codec()
    upload, first = reader.feed(b"set q 5 0 %d\r\nab" % size)
    assert isinstance(upload, Upload)
    assert (upload.store.size, upload.store.flags) == (size, 5)
    assert first == Chunk(b"ab")
    assert reader.feed(b"c" * (size - 2)) == [Chunk(b"c" * (size - 2))]
    assert reader.feed(b"\r") == []
    assert reader.feed(b"\nversion\n") == [UploadEnd(), VERSION]


def test_a_block_just_not_large_is_a_put() -> None:
    assert bodies(b"set q 0 0 %d\r\n%b\r\n" % (MAX_INLINE, b"x" * MAX_INLINE)) == [
        b"x" * MAX_INLINE
    ]


def test_a_large_block_is_an_upload_even_if_it_comes_at_once() -> None:
    body = b"x" * (MAX_INLINE + 1)
    upload, chunk, end = commands(b"set q 0 0 %d\r\n%b\r\n" % (len(body), body))
    assert (type(upload), chunk, end) == (Upload, Chunk(body), UploadEnd())


def test_an_upload_may_break_off_too() -> None:
    size = MAX_INLINE + 1
    *_, last = commands(b"set q 0 0 %d\r\n%bjunk\r\n" % (size, b"x" * size))
    assert last == refusal("bad data chunk")


def test_when_memory_is_short_what_has_not_arrived_is_an_upload() -> None:
    reader = codec(inline=3)
    assert isinstance(reader.feed(b"set q 0 0 4\r\n")[0], Upload)
    assert commands(b"set q 0 0 4\r\nabc", inline=3)[1:] == [Chunk(b"abc")]
    assert bodies(b"set q 0 0 4\r\nabcd\r\n") == [b"abcd"]
    for end in (b"\r\n", b"\n"):
        (put,) = commands(b"set q 0 0 4\r\nabcd" + end, inline=3)
        assert isinstance(put, Put), "what is here already costs nothing to keep"


def test_the_memory_of_an_unfinished_block_is_announced() -> None:
    reader = codec()
    for data, reserved in ((b"set q 0 0 100\r\n", 100), (b"ab", 100), (b"x" * 98 + b"\r\n", 0)):
        reader.feed(data)
        assert reader.reserved == reserved
    reader.feed(b"set q 0 0 %d\r\n" % (MAX_INLINE + 1))
    assert reader.reserved == 0


def test_idle_is_between_commands() -> None:
    reader = codec()
    states = []
    for byte in cut(b"set q 0 0 0\n\nversion\r\n"):
        reader.feed(byte)
        states.append(reader.idle)
    assert [at for at, idle in enumerate(states) if idle] == [12, 21]


# --- The end


@pytest.mark.parametrize(
    "data", [b"set q 0 0 x\r\n", b"GET / HTTP/1.1\r\n", b"set q 0 0 0\r\nx", b"x" * 3000]
)
def test_a_closed_codec_says_nothing_more(data: bytes) -> None:
    reader = codec()
    *_, last = reader.feed(data + b"\nversion\n")
    assert isinstance(last, Refused)
    assert last.fatal
    assert reader.closed
    assert not reader.feed(b"version\r\n")
    assert not reader.feed(b"version\r\n"), "nor if it is asked what it knows by heart"


def test_one_codec_closing_does_not_close_another() -> None:
    for _ in range(2):
        reader = codec()
        assert reader.feed(b"set q 0 0 x\r\n") == [
            refusal("bad size 'x', a number of bytes expected")
        ]
        assert reader.closed


# --- The same however the bytes are cut up


def cut(data: bytes, at: Sequence[int] = ()) -> list[bytes]:
    """Cut into single bytes, or at these places."""
    places = sorted({0, len(data), *(at or range(len(data)))})
    return [data[a:b] for a, b in pairwise(places)]


sizes = st.sampled_from([0, 1, 5, 300, MAX_INLINE + 1])
ends = st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r", b"x"])
names = st.sampled_from(
    [b"q", b"q/t=1/open", b"q/close=7/open", b"q/abort=7", b"q/sync", b"a+b", b"q" * 251, b""]
)
words = st.sampled_from([b"0", b"5", b"noreply", b"-1", b"\xff"]) | names
lines = st.tuples(st.sampled_from(list(VERBS)), st.lists(words, max_size=6)).map(
    lambda parts: b" ".join([parts[0], *parts[1]])
)
stores = st.builds(
    lambda verb, name, size, tail, end, body_end: b"".join(
        (
            verb,
            b" ",
            name,
            b" 0 0 %d" % size,
            tail,
            end,
            bytes(i % 251 for i in range(size)),
            body_end,
        )
    ),
    st.sampled_from([b"set", b"set", b"SET", b"add", b"cas"]),
    names,
    sizes,
    st.sampled_from([b"", b" 1", b" noreply"]),
    ends,
    ends,
)
long_lines = st.builds(
    lambda verb, before, filler, keys, end: b"".join(
        (verb, b" ", b" ".join([*before, b"k " * filler, *keys]), end)
    ),
    st.sampled_from([b"get", b"gets", b" GET", b"set"]),
    st.lists(names | words, max_size=3),
    st.integers(900, 1200),
    st.lists(names | words | st.sampled_from([b"HTTP/1.1", b"q/" + b"/" * 2046]), max_size=3),
    ends,
)
streams = st.lists(
    stores | long_lines | st.tuples(lines, ends).map(b"".join) | st.binary(max_size=8), max_size=6
).map(b"".join)


@given(data=streams, at=st.lists(st.integers(0, 2000), max_size=10))
@example(data=b"x" * (MAX_LINE + 1) + b"\r\n", at=[MAX_LINE, MAX_LINE + 1])
@example(data=b"set q 0 0 1\r\nx\r\nversion\r\n", at=[13, 14])
def test_however_the_bytes_are_cut_up_the_commands_are_the_same(data: bytes, at: list[int]) -> None:
    whole, pieces = codec(), codec()
    wanted = feed_all(whole, [data])
    assert (
        feed_all(pieces, cut(data, [place for place in at if place < len(data)] or [0])) == wanted
    )
    if len(data) < 5000:
        single = codec()
        assert feed_all(single, cut(data)) == wanted
        assert single.closed == whole.closed
    assert pieces.closed == whole.closed
    assert (pieces.idle, pieces.reserved) == (whole.idle, whole.reserved)


@given(data=streams)
def test_a_low_limit_only_turns_puts_into_uploads(data: bytes) -> None:
    def plain(commands: list[Command]) -> list[object]:
        flat: list[object] = []
        for command in commands:
            match command:
                case Put(store, body):
                    flat += [store, *([body] if body else []), "end"]
                case Upload(store):
                    flat.append(store)
                case Chunk(data):
                    flat.append(data)
                case UploadEnd():
                    flat.append("end")
                case other:
                    flat.append(other)
        return flat

    low = plain(feed_all(codec(inline=2), cut(data) if len(data) < 5000 else [data]))
    usual = plain(commands(data))
    if "end" in low and low != usual:
        # Only an upload that breaks off was mentioned at all.
        assert low[: len(usual) - 1] == usual[:-1]
        assert low[-1] == usual[-1]


# --- Linear time, bounded memory


def drip(count: int) -> list[bytes]:
    return cut(b"set q 0 0 %d\r\n" % count + b"x" * count + b"\r\n")


def pipeline(count: int) -> list[bytes]:
    return [b"get q\r\n" * (count // 7)]


def small_items(count: int) -> list[bytes]:
    return [b"set q 0 0 1\nx\n" * (count // 14)]


def lines_in_halves(count: int) -> list[bytes]:
    return [b"q\r\nget "] * (count // 7)


def keys_dripped(count: int) -> list[bytes]:
    return cut(b"get " + b"key q/open " * (count // 11) + b"\r\n")


def one_refused_line_dripped(count: int) -> list[bytes]:
    return cut(b"get " + b" " * MAX_LINE + b"x" * count + b"\r\n")


@pytest.mark.parametrize(
    "traffic",
    [drip, pipeline, small_items, lines_in_halves, keys_dripped, one_refused_line_dripped],
)
def test_time_is_linear_in_the_bytes(traffic: Callable[[int], list[bytes]]) -> None:
    def seconds(count: int) -> float:
        segments = traffic(count)
        best = 9e9
        for _ in range(3):
            reader = codec()
            begin = process_time()
            for segment in segments:
                reader.feed(segment)
            best = min(best, process_time() - begin)
            assert not reader.closed
        return best

    assert seconds(16 * 15_000) < 16 * 4 * seconds(15_000)


@pytest.mark.parametrize(
    "head",
    [
        b"set q 0 0 %d\r\n" % 10**12,
        b"add q 0 0 %d\r\n" % 10**12,
        b"set q 0 0 x\r\n",
        b"",
        b"get " + b" " * 3000,
    ],
    ids=["upload", "swallowed", "closed", "endless line", "endless key"],
)
def test_memory_does_not_grow_with_the_bytes(head: bytes) -> None:
    reader = codec()
    segment = b"x" * 65536
    reader.feed(head)
    tracemalloc.start()
    try:
        for _ in range(64):
            reader.feed(segment)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(segment)


def test_what_is_remembered_is_bounded() -> None:
    from darnerpy.protocol import text

    for number in range(10_000):
        (command,) = codec().feed(b"get q%d\n" % number)
        assert re.fullmatch(rb"q\d+", command.reads[0].key)  # type: ignore[attr-defined]
    assert len(text._remembered) < 10_000
