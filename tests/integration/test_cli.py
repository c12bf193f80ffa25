"""The commands as a shell runs them: processes against a real server, judged by output and code."""

import base64
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from darnerpy import __version__
from darnerpy.cli.counts import by_queue, numbers
from tests.conftest import MakeServer
from tests.servers import PYTHON
from tests.shell import Canned, Shell

MIB = 1 << 20


# --- push and get


@pytest.mark.parametrize("data", [b"hello", b"a\r\nEND\r\n\0\xff", b"VALUE x 0 3\r\n", b"\n"])
def test_an_item_comes_out_as_it_went_in(shell: Shell, queue: str, data: bytes) -> None:
    shell.push(queue, data)
    assert shell.get(queue) == data
    assert shell.get(queue) is None


def test_an_empty_item_is_an_item(shell: Shell, queue: str) -> None:
    shell.push(queue, b"")
    taken = [shell.run("get", queue) for _ in range(2)]
    assert [(each.returncode, each.stdout) for each in taken] == [(0, b""), (1, b"")]


def test_files(shell: Shell, queue: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"from a file\n")
    assert shell.run("push", queue, str(source)).returncode == 0
    assert shell.run("get", queue, "--output", str(target)).returncode == 0
    assert target.read_bytes() == b"from a file\n"


def test_an_empty_queue_leaves_the_output_file_alone(
    shell: Shell, queue: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    assert shell.run("get", queue, "--output", str(target)).returncode == 1
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize(("words", "count"), [(("-n", "2"), 2), (("-n", "9"), 3), (("--all",), 3)])
def test_several_items(shell: Shell, queue: str, words: tuple[str, ...], count: int) -> None:
    shell.push(queue, b"1", b"2", b"3")
    done = shell.run("get", queue, *words)
    assert (done.returncode, done.stdout) == (0, b"".join([b"1\n", b"2\n", b"3\n"][:count]))
    assert shell.get(queue) == (b"3" if count == 2 else None)


def test_waiting(shell: Shell, queue: str) -> None:
    assert shell.run("get", queue, "--wait", "50ms").returncode == 1
    with shell.start("get", queue, "--wait", "20s") as get:
        shell.push(queue, b"late")
        assert get.communicate(timeout=20)[0] == b"late"
        assert get.returncode == 0


def test_json(shell: Shell, queue: str) -> None:
    shell.run("push", queue, "--flags", "7", input="grün".encode())
    shell.push(queue, b"\xff\0")
    text, binary = map(json.loads, shell.run("get", queue, "--all", "--json").stdout.splitlines())
    assert text == {"queue": queue, "id": 1, "flags": 7, "bytes": 5, "text": "grün"}
    assert binary["id"] == 2
    assert base64.b64decode(binary["base64"]) == b"\xff\0"
    assert "text" not in binary


def test_peek_leaves_the_item(shell: Shell, queue: str) -> None:
    assert shell.run("peek", queue).returncode == 1
    shell.push(queue, b"stays")
    assert shell.run("peek", queue).stdout == b"stays"
    assert json.loads(shell.run("peek", queue, "--json").stdout)["text"] == "stays"
    assert shell.get(queue) == b"stays"


def test_peek_looks_behind_the_next_item(shell: Shell, queue: str) -> None:
    shell.run("push", queue, "--lines", input=b"0\n1\n2\n3\n4\n")
    assert shell.run("peek", queue, "--offset", "2", "--count", "2").stdout == b"2\n3\n"
    assert shell.run("peek", queue, "--count", "9").stdout == b"0\n1\n2\n3\n4\n"
    assert shell.run("peek", queue, "--offset", "4").stdout == b"4"
    assert json.loads(shell.run("peek", queue, "--offset", "1", "--json").stdout)["id"] == 2
    done = shell.run("peek", queue, "--offset", "5")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    assert shell.get(queue) == b"0"
    assert shell.run("peek", queue, "--offset", "1").stdout == b"2"


def test_peek_makes_no_consumer(shell: Shell, queue: str) -> None:
    done = shell.run("peek", f"{queue}+audit", "--wait", "1ms")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"darnerpy: there is no queue {queue}\n"
    assert shell.run("stats", queue).returncode == 1

    assert shell.get(f"{queue}+audit") is None
    shell.push(queue, b"stays")
    done = shell.run("peek", f"{queue}+adit")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        f"darnerpy: there is no consumer adit of {queue}; did you mean audit?\n"
    )
    assert json.loads(shell.run("consumers", queue, "--json").stdout)["consumers"].keys() == {
        queue,
        f"{queue}+audit",
    }
    assert shell.run("peek", f"{queue}+audit").stdout == b"stays"


def test_a_queue_that_loads_has_consumers_that_are_not_known() -> None:
    with Canned(b"END\r\nSTAT queue_q_state loading\r\nEND\r\n") as server:
        done = Shell(server.address).run("peek", "q+audit")
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "darnerpy: which consumers q has is not known: its state is loading\n",
    )


def test_peek_asks_for_one_item_after_another() -> None:
    item = b"VALUE q 0 1 7\r\nx\r\nEND\r\n"
    with Canned(item * 2 + b"END\r\n") as server:
        done = Shell(server.address).run("peek", "q", "--offset", "9", "--count", "5")
    assert (done.returncode, done.stdout) == (0, b"x\nx\n")
    asked = b"gets q/peek/offset=%d\r\n"
    assert server.received.get() == b"".join(asked % place for place in (9, 10, 11))


def test_a_consumer_sees_what_is_pushed_after_it_came(shell: Shell, queue: str) -> None:
    assert shell.get(f"{queue}+audit") is None
    shell.push(queue, b"both")
    assert shell.get(f"{queue}+audit") == shell.get(queue) == b"both"


def test_large_items_are_never_held_in_memory(shell: Shell, queue: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(MIB) * 60)
    script = (
        "import resource, sys; from darnerpy.cli.main import main;"
        f"resource.setrlimit(resource.RLIMIT_DATA, ({40 * MIB}, {40 * MIB})); sys.exit(main())"
    )
    for words in (("push", queue, str(source)), ("get", queue, "--output", str(target))):
        command = (PYTHON, "-P", "-c", script, *words)
        subprocess.run(command, env=shell.environ, check=True, timeout=30)
    assert target.read_bytes() == source.read_bytes()


# --- What is not lost


def test_an_item_that_cannot_be_written_is_returned(shell: Shell, queue: str) -> None:
    shell.push(queue, b"kept")
    with open("/dev/full", "wb") as full:
        done = shell.run("get", queue, stdout=full)
    assert done.returncode == 1
    assert b"cannot write: No space left on device" in done.stderr
    done = shell.run("get", queue, "--output", "/nowhere/file")
    assert done.returncode == 2
    assert shell.run("get", queue, "--wait", "5s").stdout == b"kept"


def test_an_item_is_returned_when_its_reader_has_left(shell: Shell, queue: str) -> None:
    shell.push(queue, b"kept")
    reading, writing = os.pipe()
    os.close(reading)
    done = shell.run("get", queue, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
    assert shell.run("get", queue, "--wait", "5s").stdout == b"kept"


def test_an_item_is_returned_when_get_is_killed(shell: Shell, queue: str) -> None:
    data = b"x" * MIB
    shell.push(queue, data)
    with shell.start("get", queue) as get:
        assert get.stdout
        assert get.stdout.read(1) == b"x"
        get.kill()
    assert shell.run("get", queue, "--wait", "5s").stdout == data


# --- stats, flush, delete


def test_stats(shell: Shell, queue: str) -> None:
    names = [queue, f"{queue}_total", f"{queue}_a_items"]
    for count, name in enumerate(names, start=1):
        shell.push(name, *[b"four"] * count)
    found = json.loads(shell.run("stats", "--json").stdout)
    assert found["server"]["version"].startswith("1.")
    ours = {name: found["queues"][name] for name in found["queues"] if name.startswith(queue)}
    assert [ours[name]["items"] for name in names] == [1, 2, 3]
    assert ours[names[2]]["bytes"] == 12
    assert set(ours) == set(names)

    one = json.loads(shell.run("stats", queue, "--json").stdout)
    assert one[queue]["items"] == 1

    rows = [line.split() for line in shell.run("stats").stdout.decode().splitlines()]
    assert [row[1:3] for row in rows if row and row[0] == names[1]] == [["2", "8"]]
    pairs = [line.split() for line in shell.run("stats", queue).stdout.decode().splitlines()]
    assert pairs[0] == ["queue", queue]
    assert ["items", "1"] in pairs


def test_names_where_the_state_comes_first() -> None:
    names = ("a", "a_total", "a_state", "state", "put", "b_put")
    stats = []
    for name in names:  # of one that is loading nothing else is known
        stats += [(f"queue_{name}_state", name), (f"queue_{name}_error", name)]
        if name != "a":
            stats += [(f"queue_{name}_{f}", name) for f in ("items", "total_items", "put_items")]
    stats += [("queue_b_put+c_put_items", "c"), ("queue_b_put+c_put_total_items", "c")]
    stats += [("queue_b_x_put_items", "x"), ("queue_b_x_put_bytes", "x")]
    server, queues = by_queue(stats)
    assert server == {}
    fields = ("state", "error", "items", "total_items", "put_items")
    assert queues == {
        **{name: dict.fromkeys(fields[:2] if name == "a" else fields, name) for name in names},
        "b_put+c_put": {"items": "c", "total_items": "c"},
        "b_x": {"put_items": "x", "put_bytes": "x"},
    }


def test_numbers_are_numbers(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1")
    found = json.loads(shell.run("stats", "--json").stdout)
    texts = {name for name, value in found["server"].items() if isinstance(value, str)}
    assert texts == {"version", "status", "sync", "sync_ops", "tap"}
    assert isinstance(found["server"]["commit_ms"], float)
    texts = {name for name, value in found["queues"][queue].items() if isinstance(value, str)}
    assert texts - {"state"} == {"received_last", "put_aside", "error", "engine", "paused"}


def test_which_values_are_numbers() -> None:
    shown = numbers({"a": "-3", "b": "0.250", "c": "07", "d": "50ms", "children": "5", "e": "1e9"})
    assert shown == {"a": -3, "b": 0.25, "c": "07", "d": "50ms", "children": "5", "e": "1e9"}


@pytest.mark.parametrize("command", ["stats", "flush", "delete", "consumers"])
def test_a_queue_that_is_not_there(shell: Shell, queue: str, command: str) -> None:
    done = shell.run(command, queue)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"darnerpy: there is no queue {queue}\n"


@pytest.mark.parametrize("command", ["stats", "consumers"])
def test_of_a_queue_that_is_not_there_nothing_is_printed(
    shell: Shell, queue: str, command: str
) -> None:
    done = shell.run(command, queue, "--json")
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize("command", ["flush", "delete"])
def test_a_consumer_that_is_not_there(shell: Shell, queue: str, command: str) -> None:
    shell.push(queue, b"1")
    done = shell.run(command, f"{queue}+audit", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)[f"{command}{'ed' if command == 'flush' else 'd'}"] is False
    assert done.stderr.decode() == f"darnerpy: there is no consumer audit of {queue}\n"
    assert shell.get(queue) == b"1"


@pytest.mark.parametrize("command", ["flush", "delete"])
def test_of_what_is_not_there_nothing_is_asked(command: str) -> None:
    with Canned(b"END\r\nEND\r\n") as server:
        assert Shell(server.address).run(command, "q").returncode == 1
        assert server.received.get(timeout=20) == b"stats q\r\nstats\r\n"


@pytest.mark.parametrize("command", ["flush", "delete"])
def test_an_alias_holds_nothing(make_server: MakeServer, command: str) -> None:
    server = make_server(toml='[aliases]\nboth = ["a", "b"]\n')
    shell = Shell(server.address)
    shell.push("both", b"1")
    done = shell.run(command, "both")
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "darnerpy: both is an alias: it holds nothing itself\n",
    )
    assert shell.get("a") == shell.get("b") == b"1"


def test_names_that_look_like_fields() -> None:
    names = ("x", "x_total", "x_y", "total", "creates")
    fields = ("items", "total_items", "age")
    of_queues = [(f"queue_{name}_{field}", name) for name in names for field in fields]
    server, queues = by_queue([("uptime", "1"), ("queue_creates", "2"), *of_queues])
    assert server == {"uptime": "1", "queue_creates": "2"}
    assert queues == {name: dict.fromkeys(fields, name) for name in names}


def test_flush(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1", b"2")
    assert json.loads(shell.run("flush", queue, "--json").stdout)["flushed"]
    assert shell.get(queue) is None


def test_delete(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1")
    done = shell.run("delete", queue, "--json")
    assert json.loads(done.stdout) == {"queue": queue, "deleted": True}
    assert shell.run("stats", queue).returncode == 1


# --- Refusals and failures


def test_an_item_over_the_limit_is_refused(shell: Shell, queue: str, tmp_path: Path) -> None:
    with open(tmp_path / "big", "wb") as big:
        big.truncate(64 * MIB + 1)
    done = shell.run("push", queue, big.name)
    assert done.returncode == 3
    assert b"darnerpy: SERVER_ERROR" in done.stderr
    assert shell.get(queue) is None


@pytest.mark.parametrize(
    ("words", "answer", "code", "complaint"),
    [
        (("push", "q"), b"NOT_STORED\r\n", 1, "NOT_STORED: the queue is full"),
        (("push", "q", "--lines"), b"STORED\r\nSERVER_ERROR no\r\n", 3, "line 2: SERVER_ERROR no"),
        (("push", "q"), b"SERVER_ERROR disk full\r\n", 3, "SERVER_ERROR disk full"),
        (("get", "q"), b"CLIENT_ERROR no\r\n", 3, "CLIENT_ERROR no"),
        (("delete", "q"), b"STAT queue_q_items 1\r\nEND\r\nERROR\r\n", 3, "ERROR"),
        (
            ("flush", "q"),
            b"STAT queue_q_items 1\r\nEND\r\nOK\r\n",
            4,
            "not speak the protocol: b'OK'",
        ),
        (("reload",), b"SERVER_ERROR nothing has changed: x\r\n", 3, "nothing has changed: x"),
        (("shutdown",), b"CLIENT_ERROR not allowed\r\n", 3, "CLIENT_ERROR not allowed"),
        (("status",), b"DOWN\r\n", 4, "does not speak the protocol: b'DOWN'"),
        (("status",), b"HTTP/1.1 400 Bad Request\r\n\r\n", 4, "does not speak the protocol"),
        (("shutdown",), b"HTTP/1.1 400 Bad Request\r\n\r\n", 4, "does not speak the protocol"),
        (("backup", "--list"), b"STAT a b\r\n", 4, "not a line about a backup"),
        (("get", "q"), b"", 4, "connection closed"),
        (("get", "q"), b"VALUE q 0 9 1\r\nabc", 4, "connection closed in the middle of an item"),
        (("get", "q"), b"VALUE q 0 3 1\r\nabcdef\r\nEND\r\n", 4, "does not end where it should"),
        (("get", "q"), b"VALUE q 0 x 1\r\n", 4, "does not speak the protocol"),
        (("stats",), b"HTTP/1.1 400 Bad Request\r\n\r\n", 4, "does not speak the protocol"),
        (("stats",), b"\xff" * 70_000, 4, "does not speak the protocol"),
    ],
)
def test_exit_codes(words: tuple[str, ...], answer: bytes, code: int, complaint: str) -> None:
    with Canned(answer) as server:
        done = Shell(server.address).run(*words, input=b"a\nb\n")
    assert done.returncode == code
    assert complaint in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    if code == 4 and "backup" not in complaint:
        assert server.address in done.stderr.decode()


def test_no_server(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        tcp = f"127.0.0.1:{unused.getsockname()[1]}"
        for address in (tcp, f"unix:{tmp_path}/absent"):
            done = Shell("unused:1").run("get", "q", "--server", address)
            assert done.returncode == 4
            assert f"cannot reach {address}: " in done.stderr.decode()


def test_no_such_host() -> None:
    done = Shell("a..b:1").run("get", "q")
    assert (done.returncode, done.stderr) == (4, b"darnerpy: cannot reach a..b:1: no such host\n")


def test_a_server_that_does_not_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        done = Shell(address).run("get", "q", "--timeout", "50ms")
    assert (done.returncode, done.stderr.decode()) == (
        4,
        f"darnerpy: cannot reach {address}: no answer in time\n",
    )


def test_version() -> None:
    for module in ("darnerpy", "darnerpy.cli.main"):
        said = subprocess.check_output((PYTHON, "-P", "-m", module, "--version"), text=True)
        assert re.fullmatch(
            rf"darnerpy {re.escape(__version__)} \((pure|compiled), CPython 3\.\d+\.\S+\)\n", said
        )
