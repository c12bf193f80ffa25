"""The text protocol outside of get: lines, errors, storage, delete, flush and the small verbs."""

import time

import pytest

from tests.dialogues import END, EVERY_SERVER, STORED, WHY, Row, converse, hit, rows
from tests.servers import ServerProcess

SERVERS = EVERY_SERVER

PUT = b"set work 0 0 1\r\nx\r\n"
HIT = hit() + END
FUTURE = int(time.time()) + 1_000_000
LONG = b"n" * 251

KEPT: list[Row] = [
    ("line", PUT + b"get work\r\n", STORED + HIT),
    ("line", b"set work 0 0 1\nx\nget work\n", STORED + HIT),
    ("line", b"set work 0 0 1\r\nx\nget work\n", STORED + HIT),
    ("line", b"set work 0 0 1\nx\r\nget work\r\n", STORED + HIT),
    ("line", b"SET work 0 0 1\r\nx\r\nGeT work\r\n", STORED + HIT),
    ("line", b"  set   work  0 0  1  \r\nx\r\n  get  work  \r\n", STORED + HIT),
    ("line", b"get q" + b" " * 2043 + b"\r\n", END),
    ("line", b"get q" + b" " * 2043 + b"\n", END),
    ("line", b"get q" + b" " * 2044 + b"\r\n", END),
    ("line", PUT + b"get " + b"work " * 1000 + b"\r\nget work\r\n", STORED + HIT + END),
    ("line", PUT + b"  GETS " + b"other " * 1000 + b"work\n", STORED + hit(id=1) + END),
    ("line", b"get " + b"work " * 1000 + b"work/bogus\r\n", WHY),
    ("line", PUT + b"get " + b"work " * 1000 + b"work/t=5\r\nget work\r\n", STORED + WHY + HIT),
    ("line", b"get " + b" " * 5000 + b"\r\n", WHY),
    ("error", b"bogus\r\nbogus work 0 1\r\nbogus work 0 0 x\r\n", b"ERROR\r\n" * 3),
    ("error", b"\r\n   \r\n\n", b"ERROR\r\n" * 3),
    ("error", b"get\twork\r\n\0\r\n\x80\xff\r\n", b"ERROR\r\n" * 3),
    ("error", b"get\r\ngets\r\ndelete\r\nflush\r\n", WHY * 4),
    ("error", b"delete work 0 0\r\nflush work work\r\nstats work work\r\n", WHY * 3),
    ("error", b"set work x 0 5\r\nget a\r\nget work\r\n", WHY + END),
    ("error", b"set work 0 x 5\r\nget a\r\nget work\r\n", WHY + END),
    ("error", b"set work 0 0 5 bogus\r\nget a\r\nget work\r\n", WHY + END),
    ("error", b"set work 0 0 5 noreply bogus\r\nget a\r\nget work\r\n", WHY + END),
    ("noreply", b"set work 0 0 1 noreply\r\nx\r\nget work\r\n", HIT),
    ("noreply", b"set work 0 0 1 noreply \r\nx\r\nget work\r\n", HIT),
    ("noreply", b"set work x 0 1 noreply\r\nx\r\nget work\r\n", END),
    ("noreply", b"set work/open 0 0 1 noreply\r\nx\r\nget work\r\n", END),
    ("noreply", PUT + b"delete work noreply\r\nget work\r\n", STORED + END),
    ("noreply", PUT + b"delete work 0 noreply\r\nget work\r\n", STORED + END),
    ("noreply", b"delete work 5 noreply\r\ndelete work/open noreply\r\n", b""),
    ("noreply", b"delete noreply\r\n", b"DELETED\r\n"),
    ("noreply", PUT + b"flush_all noreply\r\nget work\r\n", STORED + END),
    ("noreply", PUT + b"flush_all 0 noreply\r\nget work\r\n", STORED + END),
    ("noreply", b"flush_all 5 noreply\r\nverbosity 1 noreply\r\n", b""),
    *(
        ("noreply", verb + b" work 0 0 5 noreply\r\nget a\r\nget work\r\n", END)
        for verb in (b"add", b"replace", b"append", b"prepend")
    ),
    ("noreply", b"cas work 0 0 5 7 noreply\r\nget a\r\nget work\r\n", END),
    ("noreply", b"touch work 5 noreply\r\nincr work 1 noreply\r\ndecr work 1 noreply\r\n", b""),
    *(
        ("flags", b"set work %b 0 1\r\nx\r\nget work\r\n" % word, STORED + hit(flags=flags) + END)
        for word, flags in ((b"1", 1), (b"007", 7), (b"4294967295", 2**32 - 1))
    ),
    *(
        ("flags", b"set work %b 0 5\r\nget a\r\nget work\r\n" % word, WHY + END)
        for word in (b"4294967296", b"-1", b"+1", b"0x1", b"1.0", b"\xb2")
    ),
    ("set", b"set work/sync 0 0 1\r\nx\r\nget work\r\n", STORED + HIT),
    ("set", b"set work/sync/sync/ 0 0 1\r\nx\r\nget work\r\n", STORED + HIT),
    ("set", b"set work/open 0 0 5\r\nget a\r\nget work\r\n", WHY + END),
    ("set", b"set work/sync/t=1 0 0 5\r\nget a\r\nget work\r\n", WHY + END),
    ("set", b"set work 0 0 0\r\n\r\nget work\r\n", STORED + hit(data=b"") + END),
    ("set", b"set work 0 0 0\n\nget work\n", STORED + hit(data=b"") + END),
    (
        "set",
        b"set work 0 0 4\r\n\r\n\0\xff\r\nget work\r\n",
        STORED + hit(data=b"\r\n\0\xff") + END,
    ),
    ("exptime", b"set work 0 2591999 1\r\nx\r\nget work\r\n", STORED + HIT),
    ("exptime", b"set work 0 2592001 1\r\nx\r\nget work\r\n", STORED + END),
    ("exptime", b"set work 0 %d 1\r\nx\r\nget work\r\n" % FUTURE, STORED + HIT),
    ("exptime", b"set work 0 -1 1\r\ny\r\n" + PUT + b"get work\r\n", STORED * 2 + HIT),
    *(
        ("storage", verb + b" work 0 0 5\r\nget a\r\nget work\r\n", b"NOT_STORED\r\n" + END)
        for verb in (b"add", b"replace", b"append", b"prepend", b"ADD")
    ),
    ("storage", b"add work 0 2678400 0\r\n\r\nget work\r\n", b"NOT_STORED\r\n" + END),
    ("storage", b"cas work 0 0 5 9\r\nget a\r\nget work\r\n", b"NOT_FOUND\r\n" + END),
    ("storage", b"ms work 5\r\nget a\r\nms work 5 T0 F1\r\nget a\r\n", b"ERROR\r\n" * 2),
    ("delete", b"delete work\r\ndelete work 0\r\n", b"DELETED\r\n" * 2),
    ("delete", PUT + b"delete work\r\nget work\r\n", STORED + b"DELETED\r\n" + END),
    (
        "delete",  # nothing is left of it, not even the count of ids
        PUT * 2 + b"delete work\r\n" + PUT + b"gets work\r\nget work\r\n",
        STORED * 2 + b"DELETED\r\n" + STORED + hit(id=1) + END * 2,
    ),
    ("delete", b"delete work 5\r\ndelete work/open\r\ndelete work/\r\n", WHY * 3),
    ("flush", PUT * 2 + b"flush work\r\nget work\r\n", STORED * 2 + END * 2),
    ("flush", b"flush work\r\n" + PUT + b"get work\r\n", END + STORED + HIT),
    ("flush", b"flush work/open\r\nflush work/\r\n", WHY * 2),
    ("flush", PUT + b"flush_all\r\nget work\r\n", STORED + b"<ok>\r\n" + END),
    ("flush", b"FLUSH_ALL 0 \r\nflush_all \r\n", b"<ok>\r\n" * 2),
    ("flush", b"flush_all 5\r\nflush_all bogus\r\nflush_all -1\r\n", WHY * 3),
    ("stats", b"stats work\r\nstats other \r\nSTATS work\r\n", END * 3),
    ("stats", b"stats work/open\r\nstats work/\r\n", WHY * 2),
    ("small", b"verbosity 1\r\nverbosity\r\n", b"OK\r\n" * 2),
    ("small", b"touch work 5\r\nincr work 1\r\ndecr work 1\r\n", b"NOT_FOUND\r\n" * 3),
    ("name", b"get %b/t=1/peek\r\nget %b\r\n" % (LONG[1:], LONG[1:]), END * 2),
    ("name", b"get %b\r\nget work\x7f\r\nget w\x01\r\nget /open\r\nget /\r\n" % LONG, WHY * 5),
    ("name", b"set %b 0 0 5\r\nget a\r\nset /sync 0 0 5\r\nget a\r\n" % LONG, WHY * 2),
    ("name", b"get +\r\nget work+\r\nget +work\r\nset work+ 0 0 5\r\nget a\r\n", WHY * 4),
    ("name", b"delete +work\r\nflush work+\r\nstats +\r\n", WHY * 3),
]

TOO_LONG = b"CLIENT_ERROR line too long\r\n"
BAD_CHUNK = b"CLIENT_ERROR bad data chunk\r\n"

CLOSED: list[Row] = [
    ("line", b"set work 0 0 1" + b" " * 2035 + b"\r\n", TOO_LONG),
    ("line", b"x" * 2050, TOO_LONG),
    ("line", PUT + b"delete " + b"work " * 1000 + b"\r\nget work\r\n", STORED + TOO_LONG),
    *(
        ("body", PUT + line + b"\r\nflush_all\r\ndelete work\r\n", STORED + b"ERROR\r\n")
        for line in (
            b"store work 0 0 24",
            b"store work 0 0 24 noreply",
            b"STORE work 0 0 24 NOREPLY",
            b"store work 0 0 024 noreply noreply",
            b"STORE work 0 0 1 24",
            b"\xffset work 0 0 24",
            b"0 0 0 0 24",
        )
    ),
    *(
        ("body", PUT + line + b"\r\n\r\nflush_all\r\ndelete work\r\n", STORED + WHY)
        for line in (
            b"set my work 0 0 26",
            b"set my work 0 0 26 noreply",
            b"add my old work 0 0 26",
            b"cas my work 0 0 26 7",
            b"ms my work 26",
            b"ms 0 0 26",
            b"POST /one two HTTP/1.1",
        )
    ),
    ("size", b"set work\r\n", WHY),
    ("size", b"set work 0 0\r\n", WHY),
    ("size", PUT + b"set work 0 0 -1\r\n" + PUT, STORED + WHY),
    ("size", b"set work 0 0 x\r\n" + PUT, WHY),
    ("size", b"set work 0 0 1.5\r\n", WHY),
    ("size", b"set work 0 0 +1\r\n", WHY),
    ("size", b"set work 0 0 -1 noreply\r\n", WHY),
    ("size", b"add work 0 0 x\r\n", WHY),
    ("size", b"cas work 0 0 x 1\r\n", WHY),
    ("size", b"ms work\r\n", WHY),
    ("size", b"ms work x\r\n", WHY),
    ("block", b"set work 0 0 1\r\nxy\r\n" + PUT, BAD_CHUNK),
    ("block", PUT + b"set work 0 0 1\r\nx\r\r\n", STORED + BAD_CHUNK),
    ("block", b"set work 0 0 0\r\nx\r\n", BAD_CHUNK),
    ("block", b"set work x 0 1\r\nxy\r\n", BAD_CHUNK),
    ("block", b"add work 0 0 1\r\nxy\r\n", BAD_CHUNK),
    ("quit", b"quit\r\n", b""),
    ("quit", PUT + b"get work\r\nQUIT\r\nget work\r\n", STORED + HIT),
    ("quit", b"set work 0 0 1 noreply\r\nx\r\nquit\n", b""),
    ("http", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", WHY),
    ("http", b"POST /queues/work HTTP/1.0\r\nContent-Length: 5\r\n\r\nget a", WHY),
    ("http", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", WHY),
]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@rows(KEPT)
def test_answered(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    converse(server, queue, sent, reply, bytewise)


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@rows(CLOSED)
def test_answered_and_closed(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    converse(server, queue, sent, reply, bytewise, closes=True)
