"""The words that only Kestrel has, over the memcache port: what they answer, and what they do."""

import re
import signal
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.dialogues import END, EVERY_SERVER, STORED, WHY, Row, converse, hit, rows
from tests.servers import ServerProcess, Wire, wait_until

SERVERS = {name: chosen | {"max_open_reads": 3} for name, chosen in EVERY_SERVER.items()}

ERROR = b"ERROR\r\n"
GET = b"get work\r\n"
HIT = hit() + END


def put(*items: bytes, queue: bytes = b"work") -> bytes:
    return b"".join(b"set %b 0 0 %d\r\n%b\r\n" % (queue, len(item), item) for item in items)


def each(*items: bytes, key: str = "work") -> bytes:
    """What monitor says of these items."""
    return b"".join(hit(key, item) + END for item in items)


PUT3 = put(b"1", b"2", b"3")

ROWS: list[Row] = [
    ("monitor", b"monitor work 0\r\nMONITOR work 0 5\r\n", END * 2),
    ("monitor", PUT3 + b"monitor work 0\r\n", STORED * 3 + each(b"1", b"2", b"3") + END),
    ("monitor", PUT3 + b"monitor work 60\r\n", STORED * 3 + each(b"1", b"2", b"3") + END),
    ("monitor", PUT3 + b"monitor work 60 2\r\n", STORED * 3 + each(b"1", b"2") + END),
    ("monitor", PUT3 + b"monitor work 0 9\r\n", STORED * 3 + each(b"1", b"2", b"3") + END),
    (
        "monitor",  # what is held already counts
        PUT3 + put(b"4") + b"get work/open\r\nmonitor work 60\r\nmonitor work 60\r\n",
        STORED * 4 + hit("work/open", b"1") + END + each(b"2", b"3") + END * 2,
    ),
    (
        "monitor",
        put(b"1") + b"get work/open\r\nmonitor work 0\r\nget work/close\r\nmonitor work 0\r\n",
        STORED + hit("work/open", b"1") + END * 4,
    ),
    (
        "monitor",
        PUT3 + b"monitor work 0 2\r\nget work/abort\r\nget work/close\r\nget work\r\n",
        STORED * 3 + each(b"1", b"2") + END * 3 + hit(data=b"1") + END,
    ),
    (
        "monitor",  # one whole, the other as well
        put(b"1") + put(b"2", queue=b"other") + b"monitor work 0\r\nmonitor other 0\r\n",
        STORED * 2 + each(b"1") + END + each(b"2", key="other") + END,
    ),
    (
        "monitor",
        b"get work+c\r\n" + PUT3 + b"monitor work+c 60 2\r\nconfirm work+c 2\r\nget work+c\r\n",
        END + STORED * 3 + each(b"1", b"2", key="work+c") + END * 2 + hit("work+c", b"3") + END,
    ),
    (
        "monitor",
        put(b"", b"\r\n") + b"monitor work 0\r\n",
        STORED * 2 + each(b"", b"\r\n") + END,
    ),
    ("monitor", b"monitor\r\nmonitor work\r\nmonitor work x\r\nmonitor work -1\r\n", WHY * 4),
    ("monitor", b"monitor work 1 0\r\nmonitor work 1 x\r\nmonitor work 1 2 3\r\n", WHY * 3),
    ("monitor", b"monitor work/open 1\r\nmonitor +c 1\r\n", WHY * 2),
    ("confirm", b"confirm work 1\r\nconfirm work 2\r\n", ERROR * 2),
    ("confirm", put(b"x") + b"confirm work 1\r\n" + GET, STORED + ERROR + HIT),
    (
        "confirm",
        PUT3 + b"monitor work 0\r\nconfirm work 4\r\nconfirm work 2\r\nconfirm work 2\r\n"
        b"get work/abort\r\n" + GET * 2,
        STORED * 3
        + each(b"1", b"2", b"3")
        + END
        + ERROR
        + END
        + ERROR
        + END
        + hit(data=b"3")
        + END * 2,
    ),
    (
        "confirm",
        put(b"x") + b"get work/open\r\nconfirm other 1\r\nconfirm work+c 1\r\nCONFIRM work 1\r\n",
        STORED + hit("work/open") + END + ERROR * 2 + END,
    ),
    (
        "confirm",
        b"confirm work 0\r\nconfirm work -1\r\nconfirm work x\r\nconfirm work\r\n",
        WHY * 4,
    ),
    ("expired", b"flush_expired work\r\n", b"0\r\n"),
    ("expired", put(b"x") + b"flush_expired work\r\n" + GET, STORED + b"0\r\n" + HIT),
    (
        "expired",
        b"flush_expired work+c\r\nflush_expired\r\nflush_expired a b\r\n",
        b"0\r\n" + WHY * 2,
    ),
    ("expired", b"flush_expired work/open\r\nflush_all_expired work\r\n", WHY * 2),
    ("dump", b"dump_stats work\r\n", b"queue 'work' {\r\n  \r\n}\r\n" + END),
    ("dump", b"dump_stats work/open\r\ndump_config +c\r\n", WHY * 2),
    ("status", b"status\r\nSTATUS\r\n", b"UP\r\n" * 2),
    (
        "status",
        b"status WriteAvoid\r\nstatus\r\n" + put(b"x") + GET + b"status up\r\nstatus\r\n",
        END + b"WRITEAVOID\r\n" + STORED + HIT + END + b"UP\r\n",
    ),
    (
        "status",
        b"status readonly\r\nstatus\r\nstatus quiescent\r\nstatus\r\nstatus up\r\n",
        END + b"READONLY\r\n" + END + b"QUIESCENT\r\n" + END,
    ),
    ("status", b"status down\r\nstatus bogus\r\nstatus up up\r\nstatus\r\n", WHY * 3 + b"UP\r\n"),
    ("reload", b"reload\r\nRELOAD \r\nreload now\r\n", b"Reloaded config.\r\n" * 2 + WHY),
    ("shutdown", b"shutdown now\r\nshutdown 0\r\n", WHY * 2),
]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@rows(ROWS)
def test_answered(
    server: ServerProcess, queue: str, sent: bytes, reply: bytes, bytewise: bool
) -> None:
    converse(server, queue, sent, reply, bytewise)


# --- what has expired

STALE = b"set %b 0 -1 1\r\nx\r\n"


def test_flush_expired_counts_what_it_drops(server: ServerProcess, wire: Wire, queue: str) -> None:
    name = queue.encode()
    # In one go: on its own, what has expired leaves very soon.
    sent = STALE % name * 3 + put(b"live", queue=name) + STALE % name
    wire.send(sent + b"flush_expired %b\r\nflush_expired %b\r\n" % (name, name))
    wire.expect(STORED * 5 + b"3\r\n0\r\n")
    assert wire.get(queue) == b"live"


def test_flush_expired_of_a_consumer(server: ServerProcess, wire: Wire, queue: str) -> None:
    name = queue.encode()
    assert wire.get(f"{queue}+c") is None
    wire.send(STALE % name * 2 + b"flush_expired %b+c\r\nflush_expired %b\r\n" % (name, name))
    wire.expect(STORED * 2 + b"2\r\n2\r\n")


def test_flush_all_expired(make_server: MakeServer) -> None:
    with make_server(sync="never").connect() as wire:
        assert wire.ask(b"flush_all_expired\r\n") == b"0\r\n"
        assert wire.get("one+c") is None
        wire.send(STALE % b"one" * 2 + STALE % b"two" + put(b"live") + b"flush_all_expired\r\n")
        wire.expect(STORED * 4 + b"5\r\n")
        assert wire.get("work") == b"live"


# --- dumps


def blocks(reply: bytes) -> dict[str, dict[str, str]]:
    """The blocks of a dump by title."""
    text = reply.decode()
    assert text.endswith("}\r\nEND\r\n")
    found = re.findall(r"(\S[^\r\n]*) \{\r\n  ([^}]*)\r\n\}\r\n", text)
    return {
        title: dict(line.split("=", 1) for line in body.split("\r\n  ") if line)
        for title, body in found
    }


def dump(wire: Wire, line: str) -> dict[str, dict[str, str]]:
    wire.send(f"{line}\r\n".encode())
    return blocks(wire.read_until(b"}\r\nEND\r\n"))


def test_dump_stats(server: ServerProcess, wire: Wire, queue: str) -> None:
    wire.put(queue, b"abc", b"de")
    assert wire.get(f"{queue}+c") is None
    wire.put(queue, b"f")
    told = dump(wire, f"dump_stats {queue} none {queue}+c")
    assert list(told) == [f"queue '{queue}'", "queue 'none'", f"queue '{queue}+c'"]
    assert told["queue 'none'"] == {}
    for name, items, size in ((queue, "3", "6"), (f"{queue}+c", "1", "1")):
        block = told[f"queue '{name}'"]
        assert (block["items"], block["bytes"]) == (items, size)
        stats = wire.stats(name)
        assert block.keys() == stats.keys()
    assert f"queue '{queue}'" in dump(wire, "dump_stats")


def test_dump_stats_of_nothing(make_server: MakeServer) -> None:
    with make_server(sync="never").connect() as wire:
        wire.send(b"dump_stats\r\n")
        wire.expect(b"\r\nEND\r\n")


def test_dump_config(make_server: MakeServer) -> None:
    toml = """
        [queues."work"]
        max_items = 7
        [queues."work+slow"]
        max_lag_items = 9
    """
    server = make_server(toml=toml, max_open_reads=5, sync="never")
    with server.connect() as wire:
        told = dump(wire, "dump_config")
        assert list(told) == ["server"]
        assert (told["server"]["max_open_reads"], told["server"]["sync"]) == ("5", "never")
        wire.put("work", b"x")
        assert list(dump(wire, "dump_config")) == ["server", "queue 'work'"]
        told = dump(wire, "dump_config other work+slow work")
        assert list(told)[1:] == ["queue 'other'", "queue 'work+slow'", "queue 'work'"]
        assert told["queue 'work'"]["max_items"] == "7"
        assert told["queue 'other'"]["max_items"] == "off"
        assert told["queue 'work+slow'"]["max_lag_items"] == "9"


# --- the server itself


def rewrite(server: ServerProcess, toml: str) -> None:
    path = next(flag for flag in server.flags if flag.startswith("--config="))
    Path(path.removeprefix("--config=")).write_text(toml)


@pytest.mark.parametrize("by_signal", [False, True])
def test_reload(make_server: MakeServer, by_signal: bool) -> None:
    server = make_server(
        toml='max_connections = 50\n[queues."work"]\nmax_items = 2\n', sync="never"
    )

    def reload(wire: Wire, toml: str) -> None:
        rewrite(server, toml)
        if by_signal:
            server.process.send_signal(signal.SIGHUP)
        else:
            assert wire.ask(b"reload\r\n") == b"Reloaded config.\r\n"

    with server.connect() as wire, server.connect() as second:
        wire.put("work", b"1", b"2")
        assert wire.ask(put(b"3")) == b"NOT_STORED\r\n"
        reload(
            wire,
            'max_connections = 2\nadmin_commands = false\nlog_level = "warning"\n'
            '[queues."work"]\nmax_items = 3\n',
        )
        wait_until(lambda: wire.ask(put(b"3")) == STORED)
        assert wire.ask(b"reload\r\n").startswith(b"CLIENT_ERROR ")
        with server.connect() as third:
            assert third.read_to_end().startswith(b"SERVER_ERROR too many connections, 2 ")
        server.wait_for_log("a connection is refused")
        logged = server.log()
        rewrite(server, 'client_timeout = "100ms"\nlog_level = "warning"\n')
        server.process.send_signal(signal.SIGHUP)
        second.expect_closed()  # idle for too long, and admin_commands are back
        wire.expect_closed()
        assert server.log() == logged
    with server.connect() as wire:
        reload(wire, "max_open_reads = 4\n")
        server.wait_for_log("only a restart applies what changed in max_open_reads")
        with server.connect(), server.connect() as third:
            assert third.get("work") == b"1"


def test_a_reload_that_fails_changes_nothing(make_server: MakeServer) -> None:
    server = make_server(toml='[queues."work"]\nmax_items = 2\n', sync="never")
    with server.connect() as wire:
        rewrite(server, '[queues."work"]\nmax_items = 3\n[queues."other"]\nmax_itmes = 3\n')
        reply = wire.ask(b"reload\r\n")
        assert reply.startswith(b"SERVER_ERROR ")
        assert b"max_itmes" in reply
        wire.put("work", b"1", b"2")
        assert wire.ask(put(b"3")) == b"NOT_STORED\r\n"


def test_shutdown(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire, server.connect() as waiter, server.connect() as holder:
        wire.put("work", b"1", b"2")
        assert holder.get("work/open") == b"1"
        waiter.send(b"get other/t=60000\r\n")
        wire.wait_until("", curr_connections=3)
        wire.send(put(b"3") + b"shutdown\r\nget work\r\n")
        assert wire.read_to_end() == STORED
        assert waiter.read_to_end() == END
        assert holder.read_to_end() == b""
    server.wait_for_exit(0)
    with server.restart().connect() as wire:
        assert [wire.get("work") for _ in range(4)] == [b"1", b"2", b"3", None]


ADMINISTRATIVE = (
    *(b"flush_all", b"flush_all 0", b"flush_all_expired", b"dump_config", b"dump_config work"),
    *(b"reload", b"shutdown", b"status readonly", b"status up"),
)


def test_without_admin_commands(make_server: MakeServer) -> None:
    server = make_server(sync="never", admin_commands="false")
    with server.connect() as wire:
        wire.put("work", b"1", b"2")
        for line in ADMINISTRATIVE:
            reply = wire.ask(line + b"\r\n")
            assert reply.startswith(b"CLIENT_ERROR "), line
            assert b"admin_commands" in reply
        wire.send(b"flush_all noreply\r\n")
        assert wire.ask(b"status\r\n") == b"UP\r\n"
        assert wire.stats("work")["items"] == "2"
        assert "queue 'work'" in dump(wire, "dump_stats")
        assert wire.ask(b"flush_expired work\r\n") == b"0\r\n"
        assert wire.ask(b"monitor work 0 1\r\n") == hit(data=b"1") + END
        wire.expect(END)
        assert wire.ask(b"confirm work 1\r\n") == END
        assert wire.ask(b"flush work\r\n") == END
        assert wire.ask(b"delete work\r\n") == b"DELETED\r\n"


# --- aliases


def test_an_alias_is_only_for_putting(make_server: MakeServer) -> None:
    server = make_server(sync="never")
    with server.connect() as wire:
        wire.put("news", b"hidden")
    server.stop()
    server.flags.append("--config=" + str(server.data.parent / "aliases.toml"))
    (server.data.parent / "aliases.toml").write_text('[aliases]\nnews = ["one", "two+c"]\n')
    with server.start().connect() as wire:
        for line in (
            *(b"get news", b"get news/t=60000", b"get news/open/t=60000", b"get news/peek"),
            *(b"get news/close", b"get news+c/t=60000", b"monitor news 60", b"flush news"),
            b"get news/close=1/open",
        ):
            assert wire.ask(line + b"\r\n") == END, line
        assert wire.ask(b"confirm news 1\r\n") == ERROR
        assert wire.ask(b"flush_expired news\r\n") == b"0\r\n"
        assert wire.ask(put(b"x", queue=b"news+c")).startswith(b"CLIENT_ERROR ")
        wire.put("news", b"to both")
        assert wire.ask(b"delete news\r\n") == b"DELETED\r\n"
        assert wire.stats("news") == {"put_items": "1", "put_bytes": "7", "children": "one,two+c"}
        assert [wire.get("one"), wire.get("two+c"), wire.get("two")] == [b"to both"] * 2 + [None]
    server.stop()
    server.flags.pop()
    with server.start().connect() as wire:
        assert wire.get("news") == b"hidden"
