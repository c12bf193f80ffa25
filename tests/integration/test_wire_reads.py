"""The text protocol of get: several keys, options, open reads, and what must not pop an item."""

import pytest

from tests.dialogues import END, EVERY_SERVER, STORED, WHY, Row, converse, hit, rows
from tests.servers import ServerProcess

SERVERS = EVERY_SERVER

PUT = b"set work 0 0 1\r\nx\r\n"
HIT, OPENED, PEEKED = hit() + END, hit("work/open") + END, hit("work/peek") + END
OPEN, CLOSE, ABORT = b"get work/open\r\n", b"get work/close\r\n", b"get work/abort\r\n"
GET = b"get work\r\n"
FIRST = b"CLIENT_ERROR close current item first\r\n"
FOREVER = b"60000"

REFUSED_OPTIONS = (
    *(b"bogus", b"OPEN", b"open/bogus", b"sync", b"open=1", b"t", b"t=", b"t=x", b"t=-1"),
    *(b"t=1.5", b"t=+1", b"t=99999999999", b"t=\xb2", b"t=1/t=x"),
    *(b"abort/open", b"close/abort", b"abort/peek", b"peek/open", b"close/peek"),
    *(b"peek/t=5/open", b"open/close/abort/peek"),
)

ROWS: list[Row] = [
    ("get", b"get work\r\ngets work\r\n", END * 2),
    ("get", PUT * 2 + b"get work\r\ngets work\r\n", STORED * 2 + HIT + hit(id=2) + END),
    ("keys", PUT * 2 + b"get work work work\r\n", STORED * 2 + hit() * 2 + END),
    ("keys", PUT + b"get other work\r\nget other work\r\n", STORED + HIT + END),
    (
        "keys",
        PUT * 2 + b"gets work/open work/peek\r\n",
        STORED * 2 + hit("work/open", id=1) + hit("work/peek", id=2) + END,
    ),
    ("keys", PUT + b"get work other/bogus\r\n" + GET, STORED + WHY + HIT),
    ("keys", PUT + b"get work other/t=5\r\n" + GET, STORED + WHY + HIT),
    ("keys", PUT + b"get work +x\r\n" + GET, STORED + WHY + HIT),
    # What one key alone would be refused is refused together as well, and nothing is taken.
    *(
        (
            "keys",
            PUT * 2 + OPEN + b"set other 0 0 1\r\nx\r\n" + refused + CLOSE + b"get other work\r\n",
            STORED * 2 + OPENED + STORED + FIRST + END + hit("other") + HIT,
        )
        for refused in (
            b"get other work\r\n",
            b"gets other work/open\r\n",
            b"get work other\r\n",
            b"get other work/close=2 work/t=0\r\n",
            b"get other work/peek work/close/open work\r\n",
        )
    ),
    ("keys", PUT * 2 + b"get work/open work other\r\n" + GET, STORED * 2 + FIRST + HIT),
    ("keys", PUT * 2 + b"get work/open work/open\r\n" + GET, STORED * 2 + FIRST + HIT),
    ("keys", PUT + b"get work/open/t=9 work\r\nget new+c/open/t=9 new+c\r\n", STORED + FIRST * 2),
    (
        "keys",
        PUT * 3 + OPEN + b"get work/close/open work/close work\r\n",
        STORED * 3 + OPENED + hit("work/close/open") + hit() + END,
    ),
    (
        "keys",
        PUT * 2 + OPEN + b"get work/abort work/open\r\n" + b"get work/close=1 work\r\n",
        STORED * 2 + OPENED * 2 + HIT,
    ),
    (
        "keys",
        PUT + b"get work/t=%b other\r\n" % FOREVER,
        STORED + hit("work/t=60000") + END,
    ),
    (
        "keys",
        PUT * 2 + OPEN + b"get work/close work/peek work\r\n",
        STORED * 2 + OPENED + hit("work/peek") + hit() + END,
    ),
    (
        "keys",
        PUT + b"get work/t=1 work/peek\r\nget work/t=1 other\r\n",
        STORED + hit("work/t=1") + END * 2,
    ),
    ("options", b"get work/t=1\r\nget work/peek/t=1\r\nget work/t=0\r\n", END * 3),
    ("options", PUT + b"get work/peek\r\n" + GET, STORED + PEEKED + HIT),
    *(
        ("options", PUT + b"get %b\r\n" % key.encode(), STORED + hit(key) + END)
        for key in (
            *("work/t=10", "work/", "work//open/", "work/open/open", "work/t=5/t=6"),
            *("work/t=9/close/open", "work/open/t=9/close", "work/close/open/t=9"),
            *("work/peek/t=9", "work/t=9/peek//", "work/t=2147483647", "work/t=000"),
        )
    ),
    *(
        ("refused", PUT + b"get work/%b\r\n" % options + GET, STORED + WHY + HIT)
        for options in REFUSED_OPTIONS
    ),
    ("options", b"get work/close/t=60000\r\nget work/abort/t=60000\r\n", END * 2),
    ("options", PUT + OPEN + b"get work/close/t=60000\r\n" + GET, STORED + OPENED + END * 2),
    (
        "limit",
        PUT * 2 + OPEN * 2 + ABORT + GET * 2,
        STORED * 2 + OPENED + FIRST + END + HIT * 2,
    ),
    ("limit", PUT * 2 + OPEN + GET + CLOSE + GET, STORED * 2 + OPENED + FIRST + END + HIT),
    (
        "limit",
        PUT + OPEN + b"get work/t=60000\r\nget work/open/t=60000\r\n" + ABORT + GET,
        STORED + OPENED + FIRST * 2 + END + HIT,
    ),
    (
        "open",
        PUT * 2 + OPEN + b"get work/close/open\r\n" * 2 + GET,
        STORED * 2 + OPENED + hit("work/close/open") + END * 3,
    ),
    ("open", PUT * 2 + OPEN + b"get work/peek\r\n" + CLOSE, STORED * 2 + OPENED + PEEKED + END),
    (
        "open",
        PUT + OPEN + (PUT * 2 + GET + OPEN).replace(b"work", b"other"),
        STORED + OPENED + STORED * 2 + (HIT + OPENED).replace(b"work", b"other"),
    ),
    ("close", CLOSE + ABORT + b"get work/close/open\r\n", END * 3),
    ("close", PUT + CLOSE + ABORT + GET, STORED + END * 2 + HIT),
    (
        "close",
        PUT + OPEN + b"get other/close\r\nget other/abort\r\n" + GET,
        STORED + OPENED + END * 2 + FIRST,
    ),
    ("close", PUT + OPEN + CLOSE + ABORT + GET, STORED + OPENED + END * 3),
    ("abort", PUT + OPEN + ABORT + CLOSE + GET, STORED + OPENED + END * 2 + HIT),
    (
        "delete",
        PUT + OPEN + b"delete work\r\n" + CLOSE + ABORT + PUT + GET,
        STORED + OPENED + b"DELETED\r\n" + END * 2 + STORED + HIT,
    ),
    (
        "flush",
        PUT * 2 + OPEN + b"flush work\r\n" + ABORT + GET * 2,
        STORED * 2 + OPENED + END * 2 + HIT + END,
    ),
]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@rows(ROWS)
def test_answered(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    converse(server, queue, sent, reply, bytewise)
