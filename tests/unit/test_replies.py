"""The exact bytes of every answer."""

import pytest

from darnerpy.protocol import replies


def test_values() -> None:
    assert replies.value(b"q/open", 7, b"hello", None) == b"VALUE q/open 7 5\r\nhello\r\n"
    assert replies.value(b"q", 0, b"", 12) == b"VALUE q 0 0 12\r\n\r\n"
    assert replies.value_header(b"q", 0, 3, None) == b"VALUE q 0 3\r\n"
    whole = replies.VALUE % (b"q", 2**32 - 1, 1, b"x")
    assert whole == replies.value(b"q", 2**32 - 1, b"x", None) + replies.END


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
