"""The options behind a key: what each means, which go together, and what is refused."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.errors import ClientError
from darnerpy.protocol.options import (
    MAX_WAIT_MS,
    parse_plain_key,
    parse_read_key,
    parse_store_key,
)

pieces = st.sampled_from(
    [b"open", b"close", b"peek", b"offset=3", b"close=1", b"abort=", b"t=5", b"t=", b""]
) | st.binary(max_size=4)
OPTIONS = ("open", "close", "abort", "peek", "wait_ms", "close_id", "abort_id", "offset")


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        (b"q", {}),
        (b"q/t=500", {"wait_ms": 500}),
        (b"q/t=0", {}),
        (b"q/open", {"open": True}),
        (b"q/close", {"close": True}),
        (b"q/close/open", {"close": True, "open": True}),
        (b"q/open/close", {"close": True, "open": True}),
        (b"q/abort", {"abort": True}),
        (b"q/peek", {"peek": True}),
        (b"q/peek/t=9", {"peek": True, "wait_ms": 9}),
        (b"q/close/t=9/open", {"close": True, "open": True, "wait_ms": 9}),
        (b"q/open/open", {"open": True}),
        (b"q/t=1/t=2", {"wait_ms": 2}),
        (b"q//open/", {"open": True}),
        (b"q/", {}),
        (b"q/t=%d" % MAX_WAIT_MS, {"wait_ms": MAX_WAIT_MS}),
        (b"q/close=7", {"close_id": 7}),
        (b"q/close=7/open", {"close_id": 7, "open": True}),
        (b"q/open/t=9/close=007/", {"close_id": 7, "open": True, "wait_ms": 9}),
        (b"q/close=9223372036854775807", {"close_id": 2**63 - 1}),
        (b"q/abort=1", {"abort_id": 1}),
        (b"q/peek/offset=0", {"peek": True}),
        (b"q/offset=7/peek", {"peek": True, "offset": 7}),
        (b"q/peek/offset=100000", {"peek": True, "offset": 100_000}),
    ],
)
def test_what_options_mean(key: bytes, wanted: dict[str, Any]) -> None:
    read = parse_read_key(key)
    assert {name: getattr(read, name) for name in OPTIONS if getattr(read, name)} == wanted
    assert (read.key, read.name, read.queue, read.consumer) == (key, b"q", b"q", b"")


def test_only_a_wait_is_plain() -> None:
    assert parse_read_key(b"q/t=5").plain
    assert not parse_read_key(b"q/open").plain
    assert not parse_read_key(b"q/close=1").plain
    assert not parse_read_key(b"q/abort=1").plain
    assert parse_read_key(b"q+audit").plain


def test_a_key_may_name_a_consumer() -> None:
    read = parse_read_key(b"work+audit/open")
    assert (read.name, read.queue, read.consumer) == (b"work+audit", b"work", b"audit")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"q/foo", "unknown option /foo"),
        (b"q/OPEN", "unknown option /OPEN"),
        (b"q/t", "unknown option /t"),
        (b"q/t=", "bad wait /t="),
        (b"q/t=x", "bad wait /t=x"),
        (b"q/t=-1", "bad wait /t=-1"),
        (b"q/t=1.5", "bad wait"),
        (b"q/t=%d" % (MAX_WAIT_MS + 1), "bad wait"),
        (b"q/t=\xb2", "bad wait"),  # a digit to str, but not to bytes
        (b"q/\x1b[2J", r"unknown option /\\x1b\[2J"),
        (b"q/abort/open", "abort must be by itself"),
        (b"q/close/abort", "abort must be by itself"),
        (b"q/abort/peek", "abort must be by itself"),
        (b"q/peek/open", "cannot open or close and peek"),
        (b"q/close/peek", "cannot open or close and peek"),
        (b"q/close=", "bad id /close=, the id that gets gave is expected"),
        (b"q/close=0", "bad id /close=0"),
        (b"q/close=-1", "bad id /close=-1"),
        (b"q/close=x", "bad id /close=x"),
        (b"q/close=\xb2", "bad id"),
        (b"q/abort=9223372036854775808", "bad id /abort=9223372036854775808"),
        (b"q/open=1", "unknown option /open=1"),
        (b"q/peek=1", "unknown option /peek=1"),
        (b"q/CLOSE=1", "unknown option /CLOSE=1"),
        (b"q/close/close=1", "either close or close=id"),
        (b"q/close=1/close=2", "only one id"),
        (b"q/close=1/close=1", "only one id"),
        (b"q/close=1/abort=1", "only one id"),
        (b"q/abort/abort=1", "abort must be by itself"),
        (b"q/abort/close=1", "abort must be by itself"),
        (b"q/abort=1/open", "abort must be by itself"),
        (b"q/close/abort=1", "abort must be by itself"),
        (b"q/abort=1/peek", "abort must be by itself"),
        (b"q/peek/close=1", "cannot open or close and peek"),
        (b"q/offset=1", "offset goes with peek"),
        (b"q/offset=0", "offset goes with peek"),
        (b"q/open/offset=1", "offset goes with peek"),
        (b"q/peek/offset=1/t=5", "does not wait"),
        (b"q/peek/offset=100001", "bad offset /offset=100001, 0 to 100000 items expected"),
        (b"q/peek/offset=-1", "bad offset /offset=-1"),
        (b"q/peek/offset=", "bad offset /offset="),
        (b"/open", "name is empty"),
        (b"", "name is empty"),
        (b"q+/open", "both sides"),
    ],
)
def test_nonsense_is_refused(key: bytes, why: str) -> None:
    with pytest.raises(ClientError, match=why):
        parse_read_key(key)


tails = st.lists(pieces, min_size=1, max_size=3).map(lambda tail: b"q/" + b"/".join(tail))


@given(tails)
def test_whatever_is_no_option_is_refused_in_one_printable_line(key: bytes) -> None:
    known = {b"", b"open", b"close", b"abort", b"peek"}
    number = rb"(t|close|abort|offset)=\d+"
    strange = [o for o in key.split(b"/")[1:] if o not in known and not re.fullmatch(number, o)]
    if strange:
        with pytest.raises(ClientError) as refused:
            parse_read_key(key)
        assert str(refused.value).isascii()
        assert str(refused.value).isprintable()


@given(tails)
def test_only_what_asks_for_nothing_else_takes_an_item(key: bytes) -> None:
    try:
        read = parse_read_key(key)
    except ClientError:
        return
    assert read.plain == all(o == b"" or o.startswith(b"t=") for o in key.split(b"/")[1:])


def test_set_knows_sync_only() -> None:
    assert parse_store_key(b"q") == (b"q", b"", False)
    assert parse_store_key(b"q+c/sync/sync/") == (b"q", b"c", True)
    with pytest.raises(ClientError, match="unknown option /open, only /sync"):
        parse_store_key(b"q/open")


def test_other_verbs_take_no_options() -> None:
    assert parse_plain_key(b"q+c") == (b"q", b"c")
    with pytest.raises(ClientError, match="options are not allowed here: q/peek"):
        parse_plain_key(b"q/peek")
