"""Where output goes: a terminal obeys nothing of it, a pipe gets every byte, a closed one no complaint."""

import json
import os
import pty
import signal
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darnerpy.cli.terminal import printable
from tests.servers import DARNERPY, PYTHON
from tests.shell import Shell


def on_terminal(shell: Shell, *words: str, code: int = 0) -> bytes:
    """What the command shows where standard output and standard error are a terminal."""
    ours, theirs = pty.openpty()
    command = (*DARNERPY, *words)
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=shell.environ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
        except OSError:  # EIO: nobody has it open any more
            os.close(ours)
    assert process.returncode == code
    return shown.replace(b"\r\n", b"\n")


EVIL = b"\x1b]0;title\x07\x9b2J\tgr\xc3\xbc\xc3\x9f\xe2\x80\xae\n\0end"


@pytest.mark.parametrize("command", ["peek", "get"])
def test_an_item_is_shown_and_not_obeyed(shell: Shell, queue: str, command: str) -> None:
    shell.push(queue, EVIL)
    assert on_terminal(shell, "peek", queue).decode() == (
        "\\x1b]0;title\\x07\\x9b2J\tgrüß\\u202e\n\\x00end\n"
    )
    assert shell.run(command, queue).stdout == EVIL


@pytest.mark.parametrize("lines", [[], ["--lines"]], ids=["whole", "lines"])
def test_one_end_of_input_ends_what_is_typed(shell: Shell, queue: str, lines: list[str]) -> None:
    ours, theirs = pty.openpty()
    command = (*DARNERPY, "push", queue, *lines)
    with subprocess.Popen(
        command, stdin=theirs, stderr=subprocess.PIPE, env=shell.environ
    ) as process:
        os.close(theirs)
        assert process.stderr is not None
        assert b"until Ctrl-D" in process.stderr.readline()
        os.write(ours, b"typed\n\x04")
        assert process.wait(20) == 0
        os.close(ours)
    assert shell.run("get", queue).stdout.rstrip() == b"typed"


def test_a_character_in_two_pieces_is_one(shell: Shell, queue: str) -> None:
    shell.push(queue, b"x" * 65535 + "ü".encode() + b"\n")
    assert on_terminal(shell, "peek", queue).decode() == "x" * 65535 + "ü\n"


def test_names_are_shown_and_not_obeyed(shell: Shell, queue: str) -> None:
    name = f"{queue}-\u009b2J-größe-\udcff"
    shell.push(name, b"1")
    shown = f"{queue}-\\x9b2J-größe-\\xff"
    for words in (["stats"], ["stats", name], ["consumers", name]):
        assert shown in shell.run(*words).stdout.decode(), words
    done = shell.run("flush", f"{name}\u202e")
    meant = f"there is no queue {shown}\\u202e; did you mean {shown}?"
    assert done.stderr.decode() == f"darnerpy: {meant}\n"
    assert name.encode("utf-8", "surrogateescape") not in shell.run("stats").stdout
    assert name in json.loads(shell.run("stats", "--json").stdout)["queues"]


@given(st.text())
def test_printable(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert text != shown or text.isprintable()


def test_a_reader_that_has_left_is_no_news(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1")
    reading, writing = os.pipe()
    os.close(reading)
    for words in (["stats"], ["stats", "--json"], ["peek", queue], ["consumers", queue]):
        done = shell.run(*words, stdout=writing)
        assert (done.returncode, done.stderr) == (141, b""), words
    os.close(writing)


def interruptible() -> None:
    """A shell that runs the tests in its background has them ignore interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupt_is_quiet(shell: Shell, queue: str) -> None:
    command = (*DARNERPY, "get", queue, "--wait", "1h")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, env=shell.environ, preexec_fn=interruptible
    ) as get:
        while json.loads(shell.run("stats", "--json").stdout)["server"]["curr_connections"] < 2:
            time.sleep(0.01)
        get.send_signal(signal.SIGINT)
        assert get.communicate(timeout=20) == (b"", b"")
        assert get.returncode == 130


def test_an_interrupted_push_says_what_is_stored(shell: Shell, queue: str) -> None:
    command = (*DARNERPY, "push", queue, "--lines")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stderr=pipe, env=shell.environ, preexec_fn=interruptible
    ) as push:
        assert push.stdin is not None
        push.stdin.write(b"one\n")
        push.stdin.flush()
        assert shell.run("peek", queue, "--wait", "20s").stdout == b"one"
        push.send_signal(signal.SIGINT)
        assert push.stderr is not None
        assert push.stderr.read() == b"darnerpy: 1 stored\n"
        assert push.wait(20) == 130


def test_names_where_only_ascii_is_known(shell: Shell, queue: str) -> None:
    shell.push(f"{queue}-größe", b"1")
    done = subprocess.run(
        (PYTHON, "-P", "-m", "darnerpy", "stats"),
        capture_output=True,
        check=True,
        env=shell.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert f"{queue}-gr\\xf6\\xdfe".encode() in done.stdout


@pytest.mark.parametrize("command", ["get", "peek"])
def test_a_person_is_told_of_a_mistyped_name_and_a_script_is_not(
    shell: Shell, queue: str, command: str
) -> None:
    shell.push(queue, b"1")
    done = shell.run(command, queue[:-1])
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
    shown = on_terminal(shell, command, queue[:-1], code=1).decode()
    assert shown == f"darnerpy: there is no queue {queue[:-1]}; did you mean {queue}?\n"
    assert shell.get(queue) == b"1"
    assert on_terminal(shell, command, queue, code=1) == b""


@pytest.mark.parametrize("command", ["stats", "flush", "delete", "consumers"])
def test_a_mistyped_name_is_told_with_the_nearest(shell: Shell, queue: str, command: str) -> None:
    shell.push(f"{queue}-mails", b"1")
    done = shell.run(command, f"{queue}-mials")
    assert (done.returncode, done.stderr.decode()) == (
        1,
        f"darnerpy: there is no queue {queue}-mials; did you mean {queue}-mails?\n",
    )
    assert shell.get(f"{queue}-mails") == b"1"


@pytest.mark.parametrize("words", ["consumers QUEUE --drop", "delete QUEUE+", "flush QUEUE+"])
def test_a_mistyped_consumer_is_told_with_the_nearest(shell: Shell, queue: str, words: str) -> None:
    assert shell.get(f"{queue}+mails") is None
    assert shell.get(f"{queue}+tails") is None
    done = shell.run(*f"{words.replace('QUEUE', queue)} mials".replace("+ ", "+").split())
    assert (done.returncode, done.stderr.decode()) == (
        1,
        f"darnerpy: there is no consumer mials of {queue}; did you mean mails?\n",
    )
