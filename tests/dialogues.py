"""Rows of bytes sent and bytes answered, and the one way to check them against a real server.

In a row `work` and `other` stand for queues that no other test uses, `<why>` for any words of an
error, `<ok>` for what flush_all says in the server's dialect.
"""

import re

import pytest

from tests.servers import ServerProcess

__all__ = ["END", "EVERY_SERVER", "STORED", "WHY", "Row", "converse", "hit", "rows"]

STORED, END = b"STORED\r\n", b"END\r\n"
WHY = b"CLIENT_ERROR <why>\r\n"

EVERY_SERVER = {
    "uvloop": {"loop": "uvloop", "sync": "never"},
    "asyncio-kestrel-synced": {"loop": "asyncio", "dialect": "kestrel", "sync": "always"},
    "uvloop-kestrel-memory": {"loop": "uvloop", "dialect": "kestrel", "engine": "memory"},
    "asyncio-interval": {"loop": "asyncio", "sync": "20ms"},
    "pump": {"loop": "pump", "sync": "never"},
    "pump-kestrel-synced": {"loop": "pump", "dialect": "kestrel", "sync": "always"},
}
"""Servers that differ in all that an answer must not depend on."""

Row = tuple[str, bytes, bytes]
"""What it is about, what is sent, what is answered."""


def rows(table: list[Row]) -> pytest.MarkDecorator:
    numbered = [
        pytest.param(sent, reply, id=f"{number:03d}-{about}")
        for number, (about, sent, reply) in enumerate(table)
    ]
    return pytest.mark.parametrize(("sent", "reply"), numbered)


def hit(key: str = "work", data: bytes = b"x", flags: int = 0, id: int | None = None) -> bytes:
    """The VALUE of one item, as in the reply to get (or gets, with its id); END is not part."""
    number = b"" if id is None else b" %d" % id
    return b"VALUE %b %d %d%b\r\n%b\r\n" % (key.encode(), flags, len(data), number, data)


def converse(
    server: ServerProcess,
    queue: str,
    sent: bytes,
    reply: bytes,
    bytewise: bool,
    closes: bool = False,
) -> None:
    """Send a row, whole or byte by byte; it must be answered so, and closed only if said so."""
    kestrel = "--dialect=kestrel" in server.flags
    if kestrel:
        reply = re.sub(rb"VALUE (work|other)/\S*", rb"VALUE \1", reply)
    reply = reply.replace(b"<ok>", b"Flushed all queues." if kestrel else b"OK")
    names = ((b"work", queue.encode()), (b"other", b"other-than-" + queue.encode()))
    for placeholder, name in names:
        sent, reply = sent.replace(placeholder, name), reply.replace(placeholder, name)
    expected = re.compile(re.escape(reply).replace(b"<why>", rb"[^\r\n]+"))
    fence = b"" if closes else b"version\r\n"
    with server.connect() as wire:
        try:
            (wire.send_bytewise if bytewise else wire.send)(sent + fence)
        except ConnectionError:
            assert closes  # before it has read all of what it refuses
        if closes:
            answer = wire.read_to_end()
        else:
            answer = wire.read_until(b"VERSION ").removesuffix(b"VERSION ")
            assert wire.read_line() == b"1.0.0\r\n"
    assert expected.fullmatch(answer), f"{answer!r} is not {reply!r}"
