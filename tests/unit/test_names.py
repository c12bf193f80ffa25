"""Queue names: which are legal, how they split, and the directory names made of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.errors import ClientError
from darnerpy.names import MAX_NAME, file_name, from_file_name, split

LEGAL = bytes([*range(0x21, 0x2F), *range(0x30, 0x7F), *range(0x80, 0x100)])
names = st.lists(st.sampled_from(LEGAL), min_size=1, max_size=MAX_NAME).map(bytes)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (b"work", (b"work", b"")),
        (b"work+audit", (b"work", b"audit")),
        (b"a+b+c", (b"a", b"b+c")),
        (b"..", (b"..", b"")),
        (b"~", (b"~", b"")),
        (b"\xc3\xa9t\xc3\xa9", (b"\xc3\xa9t\xc3\xa9", b"")),
        (b"q" * 250, (b"q" * 250, b"")),
    ],
)
def test_a_name_splits_at_its_first_plus(name: bytes, parts: tuple[bytes, bytes]) -> None:
    assert split(name) == parts


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"", "is empty"),
        (b"q" * 251, "is 251 bytes, at most 250"),
        (b"a b", "byte 0x20 (at 1)"),
        (b"a/b", "byte 0x2f (at 1)"),
        (b"\x00", "byte 0x00 (at 0)"),
        (b"work\n", "byte 0x0a (at 4)"),
        (b"del\x7f", "byte 0x7f (at 3)"),
        (b"+", "both sides"),
        (b"work+", "both sides"),
        (b"+audit", "both sides"),
    ],
)
def test_other_names_are_refused_and_it_is_said_why(name: bytes, why: str) -> None:
    with pytest.raises(ClientError, match=re.escape(why)):
        split(name)


@given(st.binary(max_size=3))
def test_exactly_the_documented_bytes_are_legal(name: bytes) -> None:
    legal = name != b"" and all(byte in LEGAL for byte in name)
    queue, plus, consumer = name.partition(b"+")
    if legal and (not plus or (queue and consumer)):
        assert split(name) == (queue, consumer)
    else:
        with pytest.raises(ClientError):
            split(name)


@pytest.mark.parametrize(
    ("queue", "directory"),
    [
        (b"work-2_b", "work-2_b"),
        (b"Work", "%57ork"),
        (b".", "%2E"),
        (b"..", "%2E%2E"),
        (b"a~b", "a%7Eb"),
        (b"%41", "%2541"),
        (b"\xff", "%FF"),
        (b"q" * 200, "q" * 200),
    ],
)
def test_the_directory_of_a_queue_is_readable_where_it_can_be(queue: bytes, directory: str) -> None:
    assert file_name(queue) == directory
    assert from_file_name(directory) == queue


@given(names)
def test_a_directory_name_is_safe_on_any_disk(queue: bytes) -> None:
    text = file_name(queue)
    assert len(text) <= 200
    assert re.fullmatch(r"([a-z0-9_-]|%[0-9A-F]{2})+(~[0-9a-f]{32})?|.{120}~[0-9a-f]{32}", text)
    assert text not in (".", "..")
    assert from_file_name(text) == (None if "~" in text else queue)


@given(names, names)
def test_two_queues_never_share_a_directory(one: bytes, other: bytes) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


def test_long_names_that_begin_alike_differ() -> None:
    one, other = file_name(b"q" * 249 + b"1"), file_name(b"q" * 249 + b"2")
    assert one[:121] == other[:121] == "q" * 120 + "~"
    assert one != other


@pytest.mark.parametrize("text", ["", "Work", "%4", "%2e", "%71", "a b", ".trash", "é", "☃"])
def test_a_directory_that_no_queue_made_is_recognised(text: str) -> None:
    with pytest.raises(ValueError):
        from_file_name(text)
