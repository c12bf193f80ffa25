"""Kestrel's text protocol: what each line becomes, groups of items, and all of it however it is cut."""

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darnerpy.protocol.commands import Command, Group, GroupedPut, GroupEnd, Refused
from darnerpy.protocol.contract import Codec
from darnerpy.protocol.item_commands import Get, Read
from darnerpy.protocol.kestrel import KestrelCodec
from darnerpy.protocol.kestrel_verbs import VERBS
from darnerpy.protocol.text import MAX_INLINE, MAX_LINE, CodecLimits
from darnerpy.protocol.verbs import describe, parse_line

PAGE = Path(__file__).parents[2] / "docs/protocol.md"
VERSION = parse_line(b"version")


def codec(inline: int = MAX_INLINE) -> Codec:
    return KestrelCodec(CodecLimits(inline))


def feed_all(codec: Codec, segments: Sequence[bytes]) -> list[Command]:
    return [command for segment in segments for command in codec.feed(segment)]


def commands(data: bytes) -> list[Command]:
    return feed_all(codec(), [data])


def cut(data: bytes, at: Sequence[int] = ()) -> list[bytes]:
    """Cut into single bytes, or at these places."""
    places = sorted({0, len(data), *(at or range(len(data)))})
    return [data[a:b] for a, b in pairwise(places)]


def fields(command: Any) -> tuple[object, ...]:
    as_tuple = msgspec.structs.astuple if isinstance(command, msgspec.Struct) else astuple
    return (command.__class__.__name__, *as_tuple(command))


def put(bodies: Sequence[bytes], group: Group) -> list[Command]:
    return [*(GroupedPut(group, body) for body in bodies), GroupEnd(group)]


def refusal(why: str, fatal: bool = False) -> Refused:
    return Refused(f"-{why}\n".encode(), fatal)


# --- Lines


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"confirm q 3", ("Confirm", b"q", b"", 3)),
        (b"confirm q+c 1", ("Confirm", b"q", b"c", 1)),
        (b"confirm q 0", ("Refused", b"-Not that many transactions open.\n", False)),
        (b"confirm q -1", ("Refused", b"-Not that many transactions open.\n", False)),
        (b"confirm q 2147483648", ("Refused", b"-Not that many transactions open.\n", False)),
        (b"monitor q 500", ("Monitor", b"q", b"", b"q", 500, None, True)),
        (b"monitor q+c 0", ("Monitor", b"q", b"c", b"q+c", 0, None, True)),
        (b"flush q", ("Flush", b"q", b"")),
        (b"delete q+c", ("Delete", b"q", b"c", False)),
        (b"status", ("Status",)),
        (b"status Quiescent", ("SetStatus", "quiescent")),
        (b"version", ("Version",)),
        (b"shutdown", ("Shutdown",)),
        (b"QUIT", ("Quit",)),
    ],
)
def test_what_a_line_means(
    line: bytes, wanted: tuple[object, ...], end: bytes, one_by_one: bool
) -> None:
    data = line + end
    assert [fields(c) for c in feed_all(codec(), cut(data) if one_by_one else [data])] == [wanted]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (b"get q", {"open": True}),
        (b"get q 500", {"open": True, "wait_ms": 500}),
        (b"GET  q  0 ", {"open": True}),
        (b"peek q", {"peek": True}),
        (b"peek q 2147483647", {"peek": True, "wait_ms": 2**31 - 1}),
    ],
)
def test_a_fetch_closes_what_is_open_and_never_takes_for_good(
    line: bytes, options: dict[str, int]
) -> None:
    read = Read(b"q", b"q", b"q", b"", **options, close_all=True)  # type: ignore[arg-type]
    assert not read.plain
    assert commands(line + b"\n") == [Get((read,), cas=False)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "Unknown command:"),
        (b"set q 0 0 5", "Unknown command: set"),
        (b"\x1b[2J", r"Unknown command: \x1b[2j"),
        (b"get", "Queue name required."),
        (b"get q x", "Error parsing timeout."),
        (b"get q -1", "Error parsing timeout."),
        (b"get q \xb2", "Error parsing timeout."),
        (b"peek q 2147483648", "Error parsing timeout."),
        (b"get q 1 2", "Too many words, expected: get q [timeout]"),
        (b"get q/open", "options are not allowed here: q/open"),
        (b"get q\x01", "queue name may not contain byte 0x01 (at 1)"),
        (b"monitor q", "Queue name & timeout required."),
        (b"monitor q soon", "Error parsing timeout."),
        (b"monitor q 1 1", "Too many words, expected: monitor q timeout"),
        (b"confirm q", "Queue name & count required."),
        (b"confirm q all", "Error parsing count."),
        (b"confirm q --1", "Error parsing count."),
        (b"flush", "Queue name required."),
        (b"delete", "Queue name required."),
        (b"delete a b", "Too many words, expected: delete q"),
        (b"status down", "status takes one of up readonly quiescent writeavoid, or nothing"),
        (b"shutdown now", "shutdown takes no arguments"),
    ],
)
def test_a_line_that_is_wrong_is_refused_and_the_next_is_read(line: bytes, why: str) -> None:
    assert commands(line + b"\nversion\n") == [refusal(why), VERSION]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"GET / HTTP/1.1", "this is not an HTTP port"),
        (b"put q", "put needs a colon at the end of its line"),
        (b"put", "put needs a colon at the end of its line"),
        (b"x" * (MAX_LINE + 1), "line too long"),
        (b"put " + b"x" * (MAX_LINE - 4) + b":", "line too long"),
    ],
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_when_what_follows_may_be_no_command_it_is_not_read(
    line: bytes, why: str, one_by_one: bool
) -> None:
    reader = codec()
    data = line + b"\ndelete q\n\n"
    assert feed_all(reader, cut(data) if one_by_one else [data]) == [refusal(why, fatal=True)]
    assert reader.closed
    assert not reader.feed(b"version\n")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_line_may_have_so_many_bytes(end: bytes, one_by_one: bool) -> None:
    data = b"version" + b" " * (MAX_LINE - 7) + end
    assert feed_all(codec(), cut(data) if one_by_one else [data]) == [VERSION]


# --- Groups of items


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(
    ("head", "group"),
    [
        (b"put q:", Group(b"q", b"", 0)),
        (b"PUT q+c 5000:", Group(b"q", b"c", 5000)),
        (b"put q -1 :", Group(b"q", b"", -1)),
        (b"put q::", Group(b"q:", b"", 0)),
    ],
)
def test_items_are_put_as_they_come_and_counted_at_the_end(
    head: bytes, group: Group, one_by_one: bool
) -> None:
    bodies = [b"one", b"quit", b"put q:", b" ", b"\xff\x00\xc3", b"+1"]
    for end in (b"\n", b"\r\n"):
        data = end.join([head, *bodies, b"", b"version", b""])
        segments = cut(data) if one_by_one else [data]
        assert feed_all(codec(), segments) == [*put(bodies, group), VERSION]


def test_a_group_may_be_empty() -> None:
    assert commands(b"put q:\n\nversion\n") == [GroupEnd(Group(b"q", b"", 0)), VERSION]


def test_a_group_may_have_any_number_of_items() -> None:
    bodies = [b"%d" % number for number in range(5000)]
    assert commands(b"put q:\n" + b"\n".join([*bodies, b"", b""])) == put(
        bodies, Group(b"q", b"", 0)
    )


def test_a_carriage_return_belongs_to_the_item_unless_the_group_has_them_for_line_ends() -> None:
    group = Group(b"q", b"", 0)
    assert commands(b"put q:\na\r\n\r\nb\n\n") == put([b"a\r", b"\r", b"b"], group)
    assert commands(b"put q:\r\na\r\r\nb\n\r\n") == put([b"a\r", b"b"], group)


def test_an_item_is_at_hand_as_soon_as_its_line_ends() -> None:
    reader = codec()
    group = Group(b"q", b"", 0)
    assert reader.feed(b"put q:\none\ntw") == [GroupedPut(group, b"one")]
    assert (reader.idle, reader.reserved) == (False, 2)
    assert reader.feed(b"o\n") == [GroupedPut(group, b"two")]
    assert (reader.idle, reader.reserved) == (False, 0)
    assert reader.feed(b"\n") == [GroupEnd(group)]
    assert reader.idle


def test_every_item_is_progress() -> None:
    reader = codec()
    counts = []
    for segment in (b"put q:\n", b"one\n", b"tw", b"o\n", b"\n", b"vers", b"ion\n"):
        reader.feed(segment)
        counts.append(reader.completed)
    assert counts == [0, 1, 1, 2, 3, 3, 4]


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"put:", "Queue name required."),
        (b"put q soon:", "Error parsing expiration time."),
        (b"put q %d:" % (2**62 + 1), "Error parsing expiration time."),
        (b"put q 1 1:", "Too many words, expected: put q [expiration]"),
        (b"put q/sync:", "options are not allowed here: q/sync"),
        (b"putt q:", "Unknown command: putt"),
        (b"get q:", "get takes no items"),
        (b":", "Unknown command:"),
    ],
)
def test_the_items_of_a_refused_group_are_no_commands(
    head: bytes, why: str, one_by_one: bool
) -> None:
    for end in (b"\n", b"\r\n"):
        data = end.join([head, b"delete q", b"q", b"x" * 5000, b"", b"version", b""])
        segments = cut(data) if one_by_one else [data]
        assert feed_all(codec(), segments) == [refusal(why), VERSION]


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_an_item_may_have_so_many_bytes_and_not_one_more(end: bytes, one_by_one: bool) -> None:
    most = b"x" * MAX_INLINE
    group = Group(b"q", b"", 0)
    data = end.join([b"put q:", b"a", most, b"", b""])
    places = [len(data) - at for at in (1, 2, 3, 4, 5)]
    assert feed_all(codec(), cut(data, places) if one_by_one else [data]) == put(
        [b"a", most], group
    )
    reader = codec()
    data = end.join([b"put q:", b"a", most + b"x", b"", b"version", b""])
    assert feed_all(reader, cut(data, places) if one_by_one else [data]) == [
        GroupedPut(group, b"a"),
        refusal(
            f"item is longer than {MAX_INLINE} bytes, put it over the memcache port", fatal=True
        ),
    ]
    assert reader.closed


@pytest.mark.parametrize("more", [b"x", b"\rx", b"\r\r"])
def test_an_item_that_does_not_end_is_refused_as_soon_as_it_is_too_long(more: bytes) -> None:
    reader = codec()
    assert not reader.feed(b"put q:\r\n")
    assert not reader.feed(b"x" * MAX_INLINE + more[:-1])
    (refused,) = reader.feed(more[-1:])
    assert isinstance(refused, Refused)
    assert refused.fatal


def test_when_memory_is_short_no_long_item_is_waited_for() -> None:
    reader = codec(inline=100)
    assert len(reader.feed(b"put q:\n" + b"x" * 200 + b"\n" + b"y" * 100)) == 1
    assert reader.reserved == 100
    assert reader.feed(b"yy") == [
        refusal("item is longer than 100 bytes, put it over the memcache port", fatal=True)
    ]
    assert reader.reserved == 0


# --- The same however the bytes are cut up


words = st.sampled_from(
    [*VERBS, b"q", b"q+c", b"0", b"5", b"-1", b"x", b"readonly", b":", b"HTTP/1.1"]
)
ends = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r\n", b":\n", b":\r\n", b"\r", b"\n\n", b""])
heads = st.sampled_from([b"put q:", b"put q 5:", b"put :", b"get q:"])
items = st.lists(st.binary(max_size=6) | st.sampled_from([b"\r", b"quit", b"x" * 3000]), max_size=4)
groups = st.builds(
    lambda head, bodies, end: end.join([head, *bodies, b"", b""]),
    heads,
    items,
    st.sampled_from([b"\n", b"\r\n"]),
)
lines = st.tuples(st.lists(words, max_size=4).map(b" ".join), ends).map(b"".join)
streams = st.lists(
    groups | lines | st.binary(max_size=8) | st.just(b"x" * (MAX_LINE + 1)), max_size=6
).map(b"".join)


@given(data=streams, at=st.lists(st.integers(0, 2000), max_size=10))
@example(data=b"put q:\r\n\r\n", at=[8, 9])
@example(data=b"get q:\r\n\r\r\n\r\nversion\n", at=[9, 10, 11])
@example(data=b"x" * MAX_LINE + b"\r\n", at=[MAX_LINE, MAX_LINE + 1])
def test_however_the_bytes_are_cut_up_the_commands_are_the_same(data: bytes, at: list[int]) -> None:
    readers = [codec(), codec(), codec()]
    pieces = cut(data, [place for place in at if place < len(data)] or [0])
    whole, some, single = (
        feed_all(reader, segments)
        for reader, segments in zip(readers, ([data], pieces, cut(data)), strict=True)
    )
    assert whole == some == single
    assert len({(reader.closed, reader.idle, reader.reserved) for reader in readers}) == 1
    for command in whole:
        if isinstance(command, Refused):
            assert command.reply.startswith(b"-")
            assert command.reply.endswith(b"\n")
            assert command.reply[:-1].decode().isprintable()
        if isinstance(command, GroupedPut):
            assert command.body
            assert b"\n" not in command.body


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda body: b"\n" not in body)))
def test_any_item_without_a_line_break_arrives_as_it_was_sent(bodies: list[bytes]) -> None:
    for end in (b"\n", b"\r\n"):
        data = end.join([b"put q:", *bodies, b"", b""])
        assert commands(data) == put(bodies, Group(b"q", b"", 0))


# --- Linear time, bounded memory


@pytest.mark.parametrize(
    "traffic",
    [
        lambda count: [b"put q:\n", *cut(b"x" * count), b"\n\n"],
        lambda count: [b"put q:\n" + b"x\n" * (count // 2)],
        lambda count: [b"put :\n", *cut(b"x" * count)],
        lambda count: [b"q\nget "] * (count // 6),
    ],
    ids=["drip", "small items", "passed over", "lines in halves"],
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
    "head", [b"", b"put q:\n", b"put :\n"], ids=["line", "item", "passed over"]
)
def test_memory_does_not_grow_with_the_bytes(head: bytes) -> None:
    reader = codec()
    segment = b"x" * 65536
    reader.feed(head)
    tracemalloc.start()
    try:
        for _ in range(64):
            reader.feed(segment)
            assert reader.reserved <= MAX_INLINE + 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * MAX_INLINE + 4 * len(segment)


# --- The page about it


def test_the_documentation_holds_the_table() -> None:
    """When this fails, paste what `describe(VERBS.values())` returns between the markers."""
    table = describe(VERBS.values())
    assert f"<!-- text verbs -->\n{table}<!-- /text verbs -->" in PAGE.read_text()


def test_the_table_names_each_verb_as_its_usage_does() -> None:
    for word, verb in VERBS.items():
        assert word == verb.name.encode() == verb.usage.split()[0].encode()
    admin = {verb.name for verb in VERBS.values() if verb.admin}
    assert admin == {"status", "shutdown"}
    assert all(c.administrative for c in commands(b"status up\nshutdown\n"))
