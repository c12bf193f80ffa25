"""The exact bytes of every answer."""

import pytest

from darnerpy.protocol import kestrel_replies, replies, values
from darnerpy.protocol.contract import Replies
from darnerpy.protocol.options import parse_read_key

TEXT = kestrel_replies.REPLIES


def test_values() -> None:
    assert values.value(b"q/open", 7, b"hello", None) == b"VALUE q/open 7 5\r\nhello\r\n"
    assert values.value(b"q", 0, b"", 12) == b"VALUE q 0 0 12\r\n\r\n"
    assert values.value_header(b"q", 0, 3, None) == b"VALUE q 0 3\r\n"


@pytest.mark.parametrize("flags", [0, 7, 1023, 1024, 2**32 - 1])
@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 100_000])
def test_the_usual_answer_is_one_value_and_the_end(flags: int, size: int) -> None:
    answer = b"VALUE q/open %d %d\r\n%b\r\nEND\r\n" % (flags, size, b"x" * size)
    assert values.answer(b"q/open", flags, b"x" * size) == answer


def test_words() -> None:
    assert replies.version("1.2.3") == b"VERSION 1.2.3\r\n"
    assert replies.stat(b"queue_\xff_items", 3) == b"STAT queue_\xff_items 3\r\n"
    assert replies.client_error("no such thing") == b"CLIENT_ERROR no such thing\r\n"
    assert replies.server_error("disk full") == b"SERVER_ERROR disk full\r\n"


@pytest.mark.parametrize("why", ["a\r\nEND", " a\nEND ", "a\x85END", "a\u2028END"])
def test_an_error_is_always_one_line(why: str) -> None:
    assert replies.server_error(why) == b"SERVER_ERROR a END\r\n"


def test_an_error_may_quote_a_path_that_is_no_text() -> None:
    assert replies.server_error("no \udcff") == b"SERVER_ERROR no \\udcff\r\n"


def test_dumps() -> None:
    pairs = [("items", 2), ("error", "none")]
    assert replies.queue_block(b"work\xff", pairs) == (
        b"queue 'work\xff' {\r\n  items=2\r\n  error=none\r\n}\r\n"
    )
    assert replies.queue_block(b"nix", []) == b"queue 'nix' {\r\n  \r\n}\r\n"
    assert replies.block(b"server", [("a", "b")]) == b"server {\r\n  a=b\r\n}\r\n"


# --- The replies of each dialect


@pytest.mark.parametrize(
    ("answer", "memcached", "kestrel", "text"),
    [
        ("stored", b"STORED\r\n", b"STORED\r\n", b"+1\n"),
        ("miss", b"END\r\n", b"END\r\n", b"*\n"),
        ("deleted", b"DELETED\r\n", b"DELETED\r\n", b"+0\n"),
        ("flushed", b"END\r\n", b"END\r\n", b"+0\n"),
        ("flushed_all", b"OK\r\n", b"Flushed all queues.\r\n", b"+0\n"),
        ("ok", b"OK\r\n", b"OK\r\n", b"+0\n"),
        ("reloaded", b"Reloaded config.\r\n", b"Reloaded config.\r\n", b"+0\n"),
        ("status_changed", b"END\r\n", b"END\r\n", b"+0\n"),
        ("shutting_down", b"", b"", b"+0\n"),
        ("too_few_open", b"ERROR\r\n", b"ERROR\r\n", b"-Not that many transactions open.\n"),
    ],
)
def test_answers_that_never_vary(
    answer: str, memcached: bytes, kestrel: bytes, text: bytes
) -> None:
    assert getattr(replies.MEMCACHED, answer) == memcached
    assert getattr(replies.KESTREL, answer) == kestrel
    assert getattr(TEXT, answer) == text


def test_answers_that_do() -> None:
    for said in (replies.MEMCACHED, replies.KESTREL):
        assert said.count(3) == b"3\r\n"
        assert said.confirmed(3) == b"END\r\n"
        assert said.status("writeavoid") == b"WRITEAVOID\r\n"
        assert said.version("1.2.3") == b"VERSION 1.2.3\r\n"
        assert said.not_stored("full") == b"NOT_STORED\r\n"
        assert said.client_error("no") == b"CLIENT_ERROR no\r\n"
        assert said.server_error("no") == b"SERVER_ERROR no\r\n"
    assert TEXT.count(3) == b"+3\n"
    assert TEXT.confirmed(3) == b"+3\n"
    assert TEXT.status("up") == b":UP\n"
    assert TEXT.version("1.2.3") == b":1.2.3\n"
    assert TEXT.not_stored("full") == TEXT.client_error("full") == b"-full\n"
    assert TEXT.server_error("a\r\n+1 ") == b"-a +1\n"


def test_an_item_in_each_dialect() -> None:
    read = parse_read_key(b"q+c/open")
    memcached, kestrel = replies.MEMCACHED, replies.KESTREL
    assert memcached.value(read, 7, b"hi", None, True) == b"VALUE q+c/open 7 2\r\nhi\r\nEND\r\n"
    assert memcached.value(read, 7, b"hi", 5, False) == b"VALUE q+c/open 7 2 5\r\nhi\r\n"
    assert kestrel.value(read, 7, b"hi", None, True) == b"VALUE q+c 7 2\r\nhi\r\nEND\r\n"
    assert TEXT.value(read, 7, b"\xffhi\r", 5, True) == b":\xffhi\r\n"


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("cas", [None, 5])
@pytest.mark.parametrize("said", [replies.MEMCACHED, replies.KESTREL, TEXT])
def test_an_item_from_a_file_is_said_as_one_from_memory(
    said: Replies, cas: int | None, last: bool
) -> None:
    read = parse_read_key(b"q/open")
    header, trailer = said.large_value(read, 7, 2, cas, last)
    assert header + b"hi" + trailer == said.value(read, 7, b"hi", cas, last)


def test_plain_values_are_said_as_value_says_them() -> None:
    read = parse_read_key(b"q/open")
    for said in (replies.MEMCACHED, replies.KESTREL, TEXT):
        if said.plain_values:
            assert values.answer(read.key, 7, b"hi") == said.value(read, 7, b"hi", None, True)
    assert replies.MEMCACHED.plain_values, "or plain gets become slow"


@pytest.mark.parametrize("data", [b"", b"a\r", b"\xff\x00", b"a\nb", b"\n", None])
def test_an_item_with_line_breaks_cannot_be_said_in_lines(data: bytes | None) -> None:
    for said in (replies.MEMCACHED, replies.KESTREL):
        assert said.says_all
        assert said.unsayable(data) is None
    assert not TEXT.says_all
    answer = TEXT.unsayable(data)
    if data is None:
        assert answer == b"-item is too large, read it over the memcache port\n"
    elif b"\n" in data:
        assert answer == b"-item has line breaks, read it over the memcache port\n"
    else:
        assert answer is None
