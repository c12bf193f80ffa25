"""What docs/kestrel.md says of darnerpy and no other test pins: limits, consumers, others' bugs."""

import re
import threading
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, STORED, WHY, Row, converse, hit, rows
from tests.servers import ServerProcess, Wire, wait_until

TOML = """
[aliases]
both = ["first", "second"]

[queues."*-full"]
max_items = 2

[queues."*-bytes"]
max_bytes = 4

[queues."*-ring"]
max_items = 2
discard_old_when_full = true

[queues."*-small"]
max_item_bytes = 3

[queues."*-only"]
fanout_only = true
max_items = 1

[queues."*-head"]
start = "head"

[queues."*+lag"]
max_lag_items = 1

[queues."*+drop"]
max_lag_items = 1
lag_action = "discard"

[queues."second"]
max_items = 1
"""
SERVERS = {
    "uvloop": {"toml": TOML, "max_open_reads": 3, "loop": "uvloop"},
    "pump": {"toml": TOML, "max_open_reads": 3, "loop": "pump"},
    "asyncio-memory": {"toml": TOML, "max_open_reads": 3, "loop": "asyncio", "engine": "memory"},
}

NOT_STORED, DELETED = b"NOT_STORED\r\n", b"DELETED\r\n"
FIRST = b"CLIENT_ERROR close current item first\r\n"


def put(key: str, *items: bytes, exptime: int = 0) -> bytes:
    name = key.encode()
    return b"".join(b"set %b 0 %d %d\r\n%b\r\n" % (name, exptime, len(i), i) for i in items)


def get(*keys: str) -> bytes:
    return b"".join(b"get %b\r\n" % key.encode() for key in keys)


def got(key: str, data: bytes) -> bytes:
    return hit(key, data) + END


ROWS: list[Row] = [
    ("line", b"get  work\r\nflush_all_expired \r\nflush  work \r\n", END + b"0\r\n" + END),
    ("line", b"put work\r\nget_version\r\nlru\r\nmg work\r\n", b"ERROR\r\n" * 4),
    (
        "nul",
        put("work", b"\0", b"a\0", b"") + get("work") * 3,
        STORED * 3 + got("work", b"\0") + got("work", b"a\0") + got("work", b""),
    ),
    # In Kestrel this is January 1970.
    ("exptime", put("work", b"x", exptime=1_000_000) + get("work"), STORED + got("work", b"x")),
    ("exptime", b"set work 0 %b 1\r\nx\r\n" % (b"9" * 30) + get("work"), WHY + END),
    (
        "plain get",  # below the limit on open reads too
        put("work", b"1", b"2") + get("work/open", "work", "work/t=9", "work/open"),
        STORED * 2 + got("work/open", b"1") + FIRST * 2 + got("work/open", b"2"),
    ),
    (
        "max_items",
        put("work-full", b"1", b"2", b"3") + get("work-full") + put("work-full", b"4"),
        STORED * 2 + NOT_STORED + got("work-full", b"1") + STORED,
    ),
    (
        "max_items",  # what is open does not count, and comes back even so
        put("work-full", b"1", b"2")
        + get("work-full/open")
        + put("work-full", b"3", b"4")
        + get("work-full/abort", "work-full", "work-full", "work-full", "work-full"),
        STORED * 2
        + got("work-full/open", b"1")
        + STORED
        + NOT_STORED
        + END
        + got("work-full", b"1")
        + got("work-full", b"2")
        + got("work-full", b"3")
        + END,
    ),
    (
        "max_bytes",  # Kestrel lets one item overshoot
        put("work-bytes", b"123", b"45", b"4", b"", b"5") + put("other-bytes", b"12345"),
        STORED + NOT_STORED + STORED * 2 + NOT_STORED * 2,
    ),
    (
        "discard",
        put("work-ring", b"1", b"2", b"3") + get("work-ring") * 3,
        STORED * 3 + got("work-ring", b"2") + got("work-ring", b"3") + END,
    ),
    (
        "max_item_bytes",
        put("work-small", b"123", b"1234", b"") + get("work-small") * 3,
        STORED
        + b"SERVER_ERROR item of 4 bytes is too large for work-small, at most 3 are allowed\r\n"
        + STORED
        + got("work-small", b"123")
        + got("work-small", b"")
        + END,
    ),
    (
        "consumer",  # from its first get on, one after the other
        put("work", b"0") + get("work+c") + put("work", b"1", b"2") + get("work+c") * 3,
        STORED + END + STORED * 2 + got("work+c", b"1") + got("work+c", b"2") + END,
    ),
    (
        "consumer",  # what one takes, the others still get
        get("work+a", "work+b") + put("work", b"1") + get("work", "work+a", "work+b") * 2,
        END * 2 + STORED + got("work", b"1") + got("work+a", b"1") + got("work+b", b"1") + END * 3,
    ),
    (
        "consumer",
        get("work+a") + put("work+a", b"1") + get("work", "work+b", "work+a"),
        END + STORED + END * 2 + got("work+a", b"1"),
    ),
    (
        "consumer",  # made by a peek and by a set
        get("work+a/peek") + put("work+b", b"0") + put("work", b"1") + get("work+a", "work+b"),
        END + STORED * 2 + got("work+a", b"1") + got("work+b", b"0"),
    ),
    (
        "consumer",  # but not by these
        put("work", b"0")
        + b"delete work+c\r\nstats work+c\r\nflush work+c\r\n"
        + get("work+c/close", "work+c/abort")
        + put("work", b"1")
        + get("work+c"),
        STORED + DELETED + END * 4 + STORED + END,
    ),
    (
        "consumer",
        get("work+b+c") + put("work", b"1") + get("work+b", "work+b+c"),
        END + STORED + END + got("work+b+c", b"1"),
    ),
    (
        "consumer",
        get("work+a") + put("work", b"1") + b"flush work\r\n" + get("work", "work+a"),
        END + STORED + END * 3,
    ),
    (
        "consumer",
        get("work+a", "work+b")
        + put("work", b"1")
        + b"flush work+a\r\n"
        + get("work+a", "work+b", "work"),
        END * 2 + STORED + END * 2 + got("work+b", b"1") + got("work", b"1"),
    ),
    (
        "consumer",
        get("work+a") + put("work", b"1") + b"delete work\r\n" + put("work", b"2") + get("work+a"),
        END + STORED + DELETED + STORED + END,
    ),
    (
        "consumer",
        get("work+a")
        + put("work", b"1")
        + b"delete work+a\r\n"
        + get("work+a", "work")
        + put("work", b"2")
        + get("work+a"),
        END + STORED + DELETED + END + got("work", b"1") + STORED + got("work+a", b"2"),
    ),
    (
        "consumer",
        put("work-head", b"1", b"2") + get("work-head", "work-head+c"),
        STORED * 2 + got("work-head", b"1") + got("work-head+c", b"2"),
    ),
    (
        "fanout_only",
        put("work-only", b"1") + get("work-only", "work-only+c") + put("work-only", b"2", b"3"),
        STORED + END * 2 + STORED + NOT_STORED,
    ),
    (
        "lag",  # a full consumer keeps it from all, a discarding one loses its own oldest
        get("work+lag") + put("work", b"1", b"2") + get("work") * 2,
        END + STORED + NOT_STORED + got("work", b"1") + END,
    ),
    (
        "lag",
        get("work+drop") + put("work", b"1", b"2") + get("work+drop", "work+drop", "work", "work"),
        END + STORED * 2 + got("work+drop", b"2") + END + got("work", b"1") + got("work", b"2"),
    ),
    (
        "lag",  # the queue's own limit says nothing of its consumers
        get("work-full+c") + (put("work-full", b"x") + get("work-full")) * 5,
        END + (STORED + got("work-full", b"x")) * 5,
    ),
    (
        "alias",
        b"delete first\r\ndelete second\r\n" + put("both", b"1", b"2") + get("first") * 2,
        DELETED * 2 + STORED + NOT_STORED + got("first", b"1") + END,
    ),
]


@rows(ROWS)
def test_answered(server: ServerProcess, queue: str, sent: bytes, reply: bytes) -> None:
    converse(server, queue, sent, reply, bytewise=False)


# --- sizes beyond reason


@pytest.mark.parametrize("size", [b"100000000000000", b"9" * 1000])
def test_a_size_beyond_reason(server: ServerProcess, wire: Wire, queue: str, size: bytes) -> None:
    with server.connect() as asker:
        asker.send(b"set %b 0 0 %b\r\nget " % (queue.encode(), size))
        assert asker.read_line().startswith(b"SERVER_ERROR item of %b bytes is too large" % size)
        asker.send(f"{queue}\r\n".encode())  # all of it is the block still
        asker.expect_silence()
    wire.put(queue, b"x")


# --- stats

PAGE = Path(__file__).parents[2] / "docs/kestrel.md"


def test_every_stat_is_in_the_table(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.get(f"{queue}+c")
    wire.put(queue, b"x")
    table = PAGE.read_text().partition("\n## Stats\n")[2].partition("\n## ")[0]
    of_server = takewhile(lambda name: not re.fullmatch("queue_.+_state", name), wire.stats())
    of_queues = (*wire.stats(queue), *wire.stats(f"{queue}+c"), *wire.stats("both"))
    missing = [name for name in (*of_server, *of_queues) if f"`{name}`" not in table]
    assert missing == []


def test_a_consumer_in_stats(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"before")
    before = wire.stats()
    wire.get(f"{queue}+b")
    wire.get(f"{queue}+a")
    assert wire.stats(queue)["children"] == f"{queue}+a,{queue}+b"
    wire.put(queue, b"abc")
    after = wire.stats()
    change = {name: int(after[name]) - int(before[name]) for name in ("curr_items", "bytes")}
    assert change == {"curr_items": 3, "bytes": 9}
    assert int(after["total_items"]) - int(before["total_items"]) == 1
    expected = {"items": "1", "bytes": "3", "total_items": "1", "waiters": "0"}
    assert expected.items() <= wire.stats(f"{queue}+a").items()
    assert wire.stats(queue)["total_items"] == "2"


# --- time


def test_an_open_read_that_takes_too_long(make_server: MakeServer) -> None:
    """By a timer, on a queue where nothing else is, for somebody who waits."""
    server = make_server(sync="never", open_timeout="300ms")
    with server.connect() as holder, server.connect() as waiter:
        holder.put("work", b"x")
        begin = time.monotonic()
        assert holder.get("work/open") == b"x"
        waiter.send(b"get work/t=20000\r\n")
        assert waiter.read_reply() == hit("work/t=20000") + END
        assert 0.29 < time.monotonic() - begin < 5
        assert holder.get("work/close") is None
        assert holder.stats("work")["open_timeouts"] == "1"


def test_what_expires_moves_and_expires_no_more(make_server: MakeServer) -> None:
    toml = '[queues."*"]\nmax_age = "500ms"\n[queues.work]\nexpire_to = "late"\n'
    server = make_server(sync="never", toml=toml + '[queues.late]\nmax_age = "off"\n')
    with server.connect() as wire:
        wire.send(put("work", b"1", exptime=3600) + put("work", b"2", b"3", exptime=-1))
        wire.expect(STORED * 3)
        wire.wait_until("work", items=0, expired_items=3)
        wire.wait_until("late", items=3, received_expired=3)
        assert [wire.get("late") for _ in range(3)] == [b"1", b"2", b"3"]


def test_an_expired_item_behind_a_live_one(wire: Wire, queue: str) -> None:
    wire.send(put(queue, b"1") + put(queue, b"2", b"3", exptime=-1))
    wire.expect(STORED * 3)
    assert wire.stats(queue)["items"] == "3"
    assert [wire.get(queue) for _ in range(2)] == [b"1", None]
    wire.wait_until(queue, items=0, expired_items=2)


def test_max_age_holds_for_what_was_there_before_it(make_server: MakeServer) -> None:
    server = make_server(sync="never", toml="[queues.work]\nmax_items = 9\n")
    with server.connect() as wire:
        wire.put("work", b"old")
        path = next(flag for flag in server.flags if flag.startswith("--config="))
        Path(path.removeprefix("--config=")).write_text('[queues.work]\nmax_age = "10ms"\n')
        assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"
        wire.wait_until("work", items=0, expired_items=1)


def test_who_uses_an_old_queue_keeps_it(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_queue_age="300ms")
    with server.connect() as holder, server.connect() as waiter:
        for name in ("held", "awaited", "idle"):
            holder.put(name, b"x")
            assert holder.get(f"{name}/open") == b"x"
        assert holder.get("awaited/close") is None
        assert holder.get("idle/close") is None
        waiter.send(b"get awaited/t=60000\r\n")
        wait_until(lambda: not holder.stats("idle"))
        time.sleep(0.5)
        assert holder.stats("held")["open_transactions"] == "1"
        assert holder.stats("awaited")["waiters"] == "1"
        holder.put("awaited", b"y")
        assert waiter.read_reply() == hit("awaited/t=60000", b"y") + END
        assert holder.get("held/abort") is None
        assert holder.get("held") == b"x"
        wait_until(lambda: not (holder.stats("held") or holder.stats("awaited")))
        assert holder.stats()["queue_expires"] == "3"


def test_a_status_that_gets_stricter_twice(make_server: MakeServer) -> None:
    """The period begins anew; Kestrel ignores the second."""
    server = make_server(sync="never", status_grace_period="1s")
    with server.connect() as wire:
        wire.make("work")
        assert wire.ask(b"status readonly\r\n") == END
        time.sleep(0.6)
        begin = time.monotonic()
        assert wire.ask(b"status quiescent\r\n") == END
        wait_until(lambda: wire.ask(b"get work\r\n") != END)
        assert 0.95 < time.monotonic() - begin < 5
        assert wire.ask(b"get work\r\n") == b"SERVER_ERROR the server is quiescent\r\n"
        assert wire.ask(put("work", b"x")) == b"SERVER_ERROR the server is quiescent\r\n"


# --- what cost the others items, or their lives

ends = pytest.mark.parametrize("end", [ServerProcess.stop, ServerProcess.kill])
End = Callable[[ServerProcess], None]


def loaded(server: ServerProcess) -> Wire:
    """A connection to a server that has been started anew and knows all its counts."""
    wire = server.start().connect()
    wait_until(lambda: wire.stats()["loading"] == "0")
    return wire


@ends
def test_an_item_taken_behind_an_open_one(make_server: MakeServer, end: End) -> None:
    server = make_server(sync="never")
    with server.connect() as holder, server.connect() as wire:
        wire.put("work", b"1", b"2", b"3")
        assert holder.get("work/open") == b"1"
        assert wire.get("work") == b"2"
        end(server)
    with loaded(server) as wire:
        assert wire.stats("work")["items"] == "2"
        assert [wire.get("work") for _ in range(3)] == [b"1", b"3", None]
        wire.put("work", b"4")
        assert wire.get("work") == b"4"


@pytest.mark.parametrize("size", [5_000, 900_000])
def test_killed_in_the_middle_of_an_upload(make_server: MakeServer, size: int) -> None:
    server = make_server(sync="never")
    with server.connect() as wire, server.connect() as uploader:
        sent = b"set work 0 0 %d\r\n" % size + b"x" * 4_000
        before = int(wire.stats()["bytes_read"])
        uploader.send(sent)
        wait_until(lambda: int(wire.stats()["bytes_read"]) - before > len(sent))
        server.kill()
    with loaded(server) as wire:
        assert wire.stats("work") == {}
        wire.put("work", b"x")
        assert [wire.get("work") for _ in range(2)] == [b"x", None]


def test_killed_with_a_deleted_queue_still_read(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as holder, server.connect() as wire:
        wire.put("work", b"1", b"2")
        assert holder.get("work/open") == b"1"
        assert wire.ask(b"delete work\r\n") == DELETED
        server.kill()
    with loaded(server) as wire:
        assert not [name for name in wire.stats() if name.startswith("queue_work")]
        assert list((server.data / "queues").iterdir()) == []


@ends
def test_a_consumer_of_a_queue_that_was_empty_at_the_start(
    make_server: MakeServer, end: End
) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        assert wire.get("work+c") is None
        wire.put("work", b"1", b"2", b"3")
        for name in ("work", "work+c"):
            assert [wire.get(name) for _ in range(4)] == [b"1", b"2", b"3", None]
        end(server)
    with loaded(server) as wire:
        wire.put("work", b"4", b"5")
        assert [wire.get("work+c") for _ in range(3)] == [b"4", b"5", None]
        assert wire.stats("work+c")["items"] == "0"


@ends
def test_held_through_a_consumer(make_server: MakeServer, end: End) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        assert wire.get("work+c") is None
        wire.put("work", b"1", b"2")
        assert wire.get("work+c/open") == b"1"
        end(server)
    with loaded(server) as wire:
        assert [wire.get("work+c") for _ in range(3)] == [b"1", b"2", None]


def test_deleting_a_queue_in_the_middle_of_everything(server: ServerProcess, queue: str) -> None:
    name = queue.encode()
    refused: list[bytes] = []
    deadline = time.monotonic() + 1

    def ask_again_and_again(line: bytes) -> None:
        with server.connect() as wire:
            while time.monotonic() < deadline:
                reply = wire.ask(line)
                if b"ERROR" in reply.split(b"\r\n", 1)[0]:
                    refused.append(reply)

    lines = (
        *(b"delete %b\r\n" % name, b"flush %b\r\n" % name, b"stats %b\r\n" % name),
        *(b"set %b 0 0 1\r\nx\r\n" % name, b"get %b\r\n" % name, b"get %b+c\r\n" % name),
        *(b"get %b/t=1\r\n" % name, b"get %b/close/open\r\n" % name),
    )
    clients = [threading.Thread(target=ask_again_and_again, args=(line,)) for line in lines]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert refused == []
    with server.connect() as wire:
        wire.ask(lines[0])
        wire.put(queue, b"x")
        assert wire.get(queue) == b"x"


def test_a_flush_while_an_item_is_uploaded(server: ServerProcess, wire: Wire, queue: str) -> None:
    for size in (5_000, 900_000):
        with server.connect() as uploader:
            uploader.send(f"set {queue} 0 0 {size}\r\n".encode() + b"x" * 1_000)
            wire.put(queue, b"before")
            assert wire.ask(f"flush {queue}\r\n".encode()) == END
            uploader.send(b"x" * (size - 1_000) + b"\r\n")
            uploader.expect(STORED)
        assert [wire.get(queue) for _ in range(2)] == [b"x" * size, None]


def test_a_queue_that_is_kept_in_memory_from_now_on(make_server: MakeServer) -> None:
    """Its journal is served until nothing is there any more: the disk decides; Kestrel erases it."""
    server = make_server(sync="never", toml="[queues.work]\nmax_items = 9\n")
    path = server.data.parent / "darnerpy.toml"
    with server.connect() as wire:
        wire.put("work", b"on disk")
        path.write_text('[queues.work]\nengine = "memory"\n')
        assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"
        assert wire.get("work/peek") == b"on disk"
    with server.restart().connect() as wire:
        assert wire.get("work/peek") == b"on disk"
        assert wire.ask(b"delete work\r\n") == b"DELETED\r\n"
        wire.put("work", b"in memory")
    server.kill()
    with loaded(server) as wire:
        assert wire.get("work") is None


# --- settings


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[queues.work]\nmaxItems = 5\n", 'queues."work".maxItems: unknown key'),
        ("[queues.work]\nkeepJournal = false\n", 'queues."work".keepJournal: unknown key'),
        ("memcacheListenPort = 22133\n", "memcacheListenPort: unknown key"),
        ('[aliases]\nall = ["a", "a"]\n', 'aliases."all": expected each destination once'),
    ],
)
def test_what_kestrel_called_otherwise_stops_the_start(
    tmp_path: Path, toml: str, told: str
) -> None:
    server = ServerProcess(tmp_path, toml=toml)
    with pytest.raises(AssertionError):
        server.start()
    server.wait_for_exit(2)
    assert told in server.log()
    assert not server.data.exists()
