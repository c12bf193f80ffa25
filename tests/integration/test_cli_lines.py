"""`darnerpy push --lines`: each line an item, as they come, and what it says when it stops."""

import json
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.shell import Canned, Shell


def test_lines(shell: Shell, queue: str) -> None:
    lines = b"".join(b"%d\n" % number for number in range(2500)) + b"\nlast, with no end"
    done = shell.run("push", queue, "--lines", "--json", input=lines)
    assert json.loads(done.stdout) == {"queue": queue, "stored": 2502, "refused": 0}
    assert shell.run("get", queue, "--all").stdout == lines + b"\n"


def test_lines_are_pushed_as_they_come(shell: Shell, queue: str) -> None:
    with shell.start("push", queue, "--lines") as push:
        assert push.stdin
        push.stdin.write(b"first\nhalf")
        push.stdin.flush()
        assert shell.run("get", queue, "--wait", "10s").stdout == b"first"
        push.stdin.write(b" done\n")
        push.stdin.flush()
        assert shell.run("get", queue, "--wait", "10s").stdout == b"half done"


def test_options_stand_anywhere(shell: Shell, queue: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"a\nb\n")
    file = str(tmp_path / "lines")
    for words in ((queue, "--lines", file), ("--lines", queue, file), (queue, file, "--lines")):
        assert shell.run("push", *words).returncode == 0
    assert shell.run("get", queue, "--all").stdout == b"a\nb\n" * 3
    done = shell.run("push", queue, "--lines", file, "more")
    assert done.returncode == 2
    assert done.stderr.endswith(b"unrecognized arguments: more\n")


def test_it_says_how_many_are_stored(shell: Shell, queue: str) -> None:
    done = shell.run("push", queue, "--lines", input=b"a\nb\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"darnerpy: 2 stored\n")


def test_a_full_queue_stops_it_with_one_line(make_server: MakeServer) -> None:
    server = make_server(sync="never", max_items=1500)
    shell = Shell(server.address)
    done = shell.run("push", "work", "--lines", input=b"x\n" * 5000)
    assert (done.returncode, done.stderr.decode().splitlines()) == (
        1,
        ["darnerpy: line 1501: NOT_STORED: the queue is full", "darnerpy: 1500 stored"],
    )
    assert json.loads(shell.run("stats", "work", "--json").stdout)["work"]["items"] == 1500
    done = shell.run("push", "work", "--lines", "--json", input=b"x\ny\n")
    assert json.loads(done.stdout) == {"queue": "work", "stored": 0, "refused": 2}


@pytest.mark.parametrize(
    ("answers", "code", "said"),
    [
        (b"STORED\r\nNOT_STORED\r\nSTORED\r\nNOT_STORED\r\n", 1,
         "line 2: NOT_STORED: the queue is full; 1 of those behind it are stored"),
        (b"STORED\r\nSERVER_ERROR no\r\nSTORED\r\nSTORED\r\n", 3,
         "line 2: SERVER_ERROR no; 2 of those behind it are stored"),
        (b"STORED\r\nSTORED\r\n", 4, "2 stored"),
    ],
)  # fmt: skip
def test_what_is_said_of_lines_sent_together(answers: bytes, code: int, said: str) -> None:
    with Canned(answers) as server:
        done = Shell(server.address).run("push", "q", "--lines", input=b"a\nb\nc\nd\n")
    stored = answers.count(b"STORED\r\n") - answers.count(b"NOT_STORED\r\n")
    lines = done.stderr.decode().splitlines()
    assert done.returncode == code
    assert f"darnerpy: {said}" in lines
    assert f"darnerpy: {stored} stored" in lines
