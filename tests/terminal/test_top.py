"""`darnerpy top` on a real terminal and for scripts, over both ports of a real server."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.cli.top import view
from darnerpy.cli.top.polled import polled
from darnerpy.cli.top.snapshots import Row, Snapshot, Totals
from darnerpy.cli.top.sources import Places, updates
from darnerpy.cli.top.streamed import streamed
from darnerpy.cli.top.view import COLUMNS, Order, chosen, columns_for, described
from darnerpy.cli.web_arguments import web_address
from darnerpy.units import parse_address
from tests.conftest import MakeServer
from tests.servers import DARNERPY, PYTHON, ServerProcess, wait_until
from tests.shell import Shell
from tests.terminal.screens import Screen, needs_tmux

PORTS = ["http", "memcache"]
SERVERS = {"http": {"http": "127.0.0.1:0"}}


def address_of(server: ServerProcess, port: str) -> str:
    return f"http://{server.http_address}" if port == "http" else server.address


def top(server: ServerProcess, port: str, *words: str, **size: int) -> Screen:
    command = (*DARNERPY, "top", "--server", address_of(server, port), *words)
    return Screen(*command, environ={"PATH": os.environ["PATH"]}, **size)


# --- What is shown


@given(st.floats(0, 9e16), st.sampled_from([view.amount, view.rate, view.size, view.duration]))
def test_a_number_is_short(number: float, shown: Callable[[float], str]) -> None:
    text = shown(number if shown is not view.duration else min(number, 8e9))
    assert 0 < len(text) <= 6


def test_numbers_are_written_for_people() -> None:
    assert [view.amount(n) for n in (0, 7, 99_999, 100_000, 1_234_567)] == [
        *("0", "7", "99,999"),
        *("100k", "1.2M"),
    ]
    assert [view.rate(n) for n in (0.0, 0.01, 0.5, 12.4)] == ["0", "<0.1", "0.5", "12"]
    assert [view.size(n) for n in (0, 999, 1024, 5 << 20)] == ["0", "999", "1.0K", "5.0M"]
    seconds = (0, 59, 200, 7500, 400_000)
    assert [view.duration(n) for n in seconds] == ["0s", "59s", "3m20s", "2h05m", "4d15h"]


rows = st.builds(
    Row,
    st.text(st.characters(codec="utf-8", exclude_characters="+"), min_size=1),
    items=st.integers(0, 10**12),
    puts=st.floats(0, 1e6),
    gets=st.floats(0, 1e6),
    since=st.none() | st.floats(0, 1e6),
    state=st.sampled_from(["ready", "failed"]),
)


@given(
    st.lists(rows, unique_by=lambda row: row.name), st.sampled_from(COLUMNS), st.integers(20, 250)
)
def test_rows_are_sorted_by_any_column_both_ways(
    found: list[Row], column: view.Column, width: int
) -> None:
    order = Order(key="")._replace(reverse=False).sorted_by(column.key)
    there = chosen(found, order, 1e6)
    back = chosen(found, order.sorted_by(column.key), 1e6)
    values = [column.value(row, 1e6) for row in there]
    assert values == sorted(values, reverse=order.reverse)
    assert [column.value(row, 1e6) for row in back] == values[::-1]
    assert {row.name for row in there} == {row.name for row in found}
    assert all(c.wide <= width for c in columns_for(width))


def test_what_is_filtered() -> None:
    found = [Row("mail-in", items=1), Row("mail-in+audit"), Row("Work"), Row("idle")]

    def names(order: Order) -> list[str]:
        return [row.name for row in chosen(found, order._replace(key="n", reverse=False), 0)]

    assert names(Order(filter="WORK")) == ["Work"]
    assert names(Order(filter="mail*")) == ["mail-in", "mail-in+audit"]
    assert names(Order(filter="mail", consumers=False)) == ["mail-in"]
    assert names(Order(busy_only=True)) == ["mail-in"]


def test_totals_fit_eighty_columns() -> None:
    most = 10**12
    totals = Totals("1.0.0", "up", most, 99_999, most, most, most, 10**6, 0.0, 1e8, 1e8, 10**6)
    assert all(len(line) <= 80 for line in described(totals, 1e6))


# --- What the server is asked


def first(snapshots: Iterator[Snapshot], wanted: Callable[[Snapshot], bool]) -> Snapshot:
    return next(each for each in islice(snapshots, 40) if wanted(each))


def snapshots_of(server: ServerProcess, port: str) -> Iterator[Snapshot]:
    if port == "http":
        return streamed(web_address(address_of(server, port)), 20_000, "")
    return polled(parse_address(server.address), 20_000, 0.1)


@pytest.mark.parametrize("port", PORTS)
def test_a_snapshot_has_all_there_is(server: ServerProcess, port: str, queue: str) -> None:
    with server.connect() as wire, server.connect() as waiting:
        assert wire.get(f"{queue}+audit") is None
        wire.put(queue, b"four", b"five", b"6")
        assert wire.get(f"{queue}/open") == b"four"
        wire.make(f"{queue}-none")
        waiting.send(f"get {queue}-none/t=20000\r\n".encode())

        def is_there(each: Snapshot) -> bool:
            found = each.rows
            return (
                each.rated
                and f"{queue}+audit" in found
                and found[queue].open == 1
                and found.get(f"{queue}-none", Row("")).waiters == 1
            )

        seen = first(snapshots_of(server, port), is_there)
    row, audit = seen.rows[queue], seen.rows[f"{queue}+audit"]
    assert (row.items, row.bytes, row.open, row.state, row.paused) == (2, 5, 1, "ready", "none")
    assert (audit.items, audit.is_consumer, row.is_consumer) == (3, True, False)
    assert row.since is not None
    assert time.monotonic() - row.since < 60
    assert seen.rows[f"{queue}-none"].since is None
    every = seen.rows.values()
    assert seen.totals.queues == sum(not each.is_consumer for each in every)
    assert seen.totals.items == sum(each.items for each in every)
    assert seen.totals.version.startswith("1.")


@pytest.mark.parametrize("port", PORTS)
def test_items_that_are_all_delayed_have_no_age(
    server: ServerProcess, port: str, queue: str
) -> None:
    with closing(HTTPConnection(server.http_address, timeout=20)) as http:
        delayed = {"Darnerpy-Delay": "1h", "Content-Type": "application/octet-stream"}
        http.request("POST", f"/v1/queues/{queue}/items", b"later", delayed)
        assert http.getresponse().status == 201
    coming = snapshots_of(server, port)
    row = first(coming, lambda each: queue in each.rows).rows[queue]
    assert (row.items, row.delayed, row.since) == (1, 1, None)
    with server.connect() as wire:
        wire.put(queue, b"now")
    row = first(coming, lambda each: each.rows[queue].items == 2).rows[queue]
    assert row.since is not None


@pytest.mark.parametrize("port", PORTS)
def test_rates_are_of_what_was_put_and_what_has_left(
    server: ServerProcess, port: str, queue: str
) -> None:
    coming = snapshots_of(server, port)
    with server.connect() as wire:
        wire.make(queue)
        first(coming, lambda each: each.rated and queue in each.rows)
        seen_in = seen_out = 0.0
        for _ in range(60):
            wire.put(queue, *[b"x"] * 50)
            for _ in range(25):
                assert wire.get(queue) == b"x"
            row = next(coming).rows[queue]
            assert min(row.puts, row.gets) >= 0
            seen_in, seen_out = max(seen_in, row.puts), max(seen_out, row.gets)
            if seen_in > 0 and seen_out > 0:
                break
        assert 0 < seen_out < seen_in
        # A queue that is made anew counts anew, and nothing is below zero for it.
        assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
        wire.put(queue, b"1")
        again = first(coming, lambda each: queue in each.rows and each.rows[queue].items == 1)
    assert min(again.rows[queue].puts, again.rows[queue].gets) >= 0


@pytest.mark.parametrize("port", PORTS)
def test_a_deleted_queue_vanishes(server: ServerProcess, port: str, queue: str) -> None:
    coming = snapshots_of(server, port)
    with server.connect() as wire:
        assert wire.get(f"{queue}+audit") is None
        wire.put(queue, b"1")
        first(coming, lambda each: {queue, f"{queue}+audit"} <= set(each.rows))
        assert wire.ask(f"delete {queue}\r\n".encode()) == b"DELETED\r\n"
        first(coming, lambda each: not {queue, f"{queue}+audit"} & set(each.rows))


def test_without_http_the_memcache_port_is_asked(make_server: MakeServer) -> None:
    server = make_server()
    places = Places(web_address("http://127.0.0.1:1"), parse_address(server.address), 5000, 0.1)
    update = next(updates(places))
    assert isinstance(update, Snapshot)
    assert update.origin == server.address


# --- Scripts


@pytest.mark.parametrize("port", PORTS)
def test_once_for_scripts(server: ServerProcess, shell: Shell, port: str, queue: str) -> None:
    shell.push(queue, b"four")
    words = ("top", "--once", "--server", address_of(server, port), "--filter", queue)

    def said_by(done: subprocess.CompletedProcess[bytes]) -> Any:
        assert (done.returncode, done.stderr) == (0, b"")
        return json.loads(done.stdout)

    # HTTP tells of a queue once it has looked at it, which it does every second.
    wait_until(lambda: said_by(shell.run(*words, "--json"))["queues"])
    said = said_by(shell.run(*words, "--json"))
    assert said["totals"]["server"] == address_of(server, port)
    assert said["totals"]["queues"] >= 1
    (row,) = said["queues"]
    assert (row["name"], row["items"], row["bytes"], row["state"]) == (queue, 1, 4, "ready")
    assert row["put_rate"] >= 0
    assert isinstance(row["age"], int)
    shown = shell.run(*words, "--sort", "queue").stdout.decode().splitlines()
    assert shown[0].startswith("depth ")
    assert shown[-1].split()[:2] == [queue, "1"]


def test_once_needs_no_library(shell: Shell) -> None:
    code = (
        "import sys; sys.modules['textual'] = sys.modules['rich'] = None;"
        "from darnerpy.cli.main import main; sys.exit(main())"
    )
    command = (PYTHON, "-P", "-c", code, "top")
    done = subprocess.run((*command, "--once"), env=shell.environ, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@needs_tmux
def test_without_the_library_it_is_said_how_to_install_it(server: ServerProcess) -> None:
    code = (
        "import sys; sys.modules['textual'] = sys.modules['rich'] = None;"
        "from darnerpy.cli.main import main; sys.exit(main())"
    )
    command = (PYTHON, "-P", "-c", code, "top", "--server", server.address)
    with Screen(*command, environ={}) as screen:
        screen.wait_for("top needs the package textual: pip install 'darnerpy[top]'")
        assert screen.wait_until_left() == 1


def test_what_cannot_be(shell: Shell) -> None:
    done = shell.run("top")
    assert (done.returncode, done.stderr) == (
        2,
        b"darnerpy: top needs a terminal; --once prints one table to anything\n",
    )
    assert b"--json goes with --once" in shell.run("top", "--json").stderr
    done = shell.run("top", "--once", "--server", "http://127.0.0.1:1")
    assert (done.returncode, b"cannot reach http://127.0.0.1:1: " in done.stderr) == (4, True)
    assert b"http://HOST:PORT" in shell.run("top", "--server", "ftp://here").stderr


# --- On a terminal


pytest.importorskip("textual")
on_both = pytest.mark.parametrize("port", PORTS)


@needs_tmux
@on_both
def test_the_live_table(server: ServerProcess, shell: Shell, port: str, queue: str) -> None:
    names = [f"{queue}-{name}" for name in ("few", "many")]
    for name, count in zip(names, (2, 7), strict=True):
        shell.run("push", name, "--lines", input=b"x\n" * count)
    with top(server, port, "--filter", queue) as screen:
        shown = screen.wait_for(*names, "DEPTHv", "queues ", "q quit").splitlines()
        assert address_of(server, port) in shown[0]
        assert max(map(len, shown)) <= 80
        in_order = [line for line in shown if line.startswith(queue)]
        assert [line.split()[:2] for line in in_order] == [[names[1], "7"], [names[0], "2"]]
        screen.type("n")
        screen.wait_for("QUEUE^")
        assert screen.text().index(names[0]) < screen.text().index(names[1])
        screen.type("n")
        screen.wait_for("QUEUEv")
        assert screen.text().index(names[0]) > screen.text().index(names[1])
        shell.run("push", names[0], "--lines", input=b"x\n" * 40)
        screen.wait_for("    42 ")
        screen.type("q")
        assert screen.wait_until_left() == 0


@needs_tmux
def test_filter_pause_help_and_sizes(server: ServerProcess, shell: Shell, queue: str) -> None:
    names = [f"{queue}-{name}" for name in ("mails", "work")]
    for name in names:
        shell.push(name, b"1")
    with top(server, "memcache", "--interval", "100ms", "--filter", queue) as screen:
        screen.wait_for(*names)
        screen.type("/")
        screen.write("-mai")
        shown = screen.wait_for(f": {queue}-mai")
        assert names[1] not in shown
        screen.type("Enter", "Space")
        screen.wait_for("PAUSED")
        shell.run("push", names[0], "--lines", input=b"x\n" * 30)
        screen.type("Escape")
        assert "    31 " not in screen.wait_for("PAUSED", *names)
        screen.type("Space", "/")
        screen.write(f"{queue}*")
        screen.type("Enter")
        screen.wait_for("    31 ", *names)
        screen.type("?")
        screen.wait_for("Ctrl-C")
        screen.type("?")
        screen.resize(140, 30)
        screen.wait_for("STATE", "LATER", names[0])
        screen.resize(40, 10)
        screen.wait_for(names[0][:9])
        screen.type("C-c")
        assert screen.wait_until_left() == 0


@needs_tmux
@on_both
def test_a_lost_server_is_shown_and_found_again(
    make_server: MakeServer, port: str, tmp_path: Path
) -> None:
    server = make_server(http="127.0.0.1:0")
    with server.connect() as wire:
        wire.put("work", b"1")
    # Where it was, it will be again.
    server.flags = [
        *(flag for flag in server.flags if not flag.startswith(("--listen", "--http"))),
        *(f"--listen={server.address}", f"--http={server.http_address}"),
    ]
    with top(server, port) as screen:
        screen.wait_for("work")
        server.kill()
        screen.wait_for("LOST for ", "work")
        server.start()
        with server.connect() as wire:
            wire.put("more", b"1")
        assert "LOST" not in screen.wait_for("more", "work")


@needs_tmux
def test_many_queues_are_scrolled(make_server: MakeServer) -> None:
    memory = '[queues."*"]\nengine = "memory"\n'
    server = make_server(toml=memory, http="127.0.0.1:0")
    with server.connect() as wire:
        for number in range(1000):
            wire.put(f"queue-{number:03}", b"1")
    with top(server, "http", "--sort", "queue") as screen:
        screen.wait_for("queues 1,000", "queue-000")
        screen.type("PageDown")
        screen.wait_for("queue-020")
        screen.type("End")
        screen.wait_for("queue-999")
        screen.type("Home")
        screen.wait_for("queue-000")


@needs_tmux
def test_names_are_not_obeyed(server: ServerProcess, shell: Shell) -> None:
    evil = "evil-\u009b31m-\u202e"
    shell.push(evil, b"1")
    with top(server, "http", "--filter", "evil") as screen:
        screen.wait_for("evil-\\x9b31m-\\u202e")
