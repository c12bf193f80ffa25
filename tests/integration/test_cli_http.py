"""The commands that use HTTP, as a shell runs them: processes against a real server."""

import base64
import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from darnerpy.cli.client import Unreachable
from darnerpy.cli.terminal import printable
from darnerpy.cli.web import Web
from darnerpy.cli.web_arguments import web_address
from tests.conftest import MakeServer
from tests.servers import DARNERPY, ServerProcess, wait_until
from tests.shell import Canned, Shell

SERVERS = {"http": {"http": "127.0.0.1:0"}}


def shell_of(server: ServerProcess) -> Shell:
    shell = Shell(server.address)
    shell.environ["DARNERPY_HTTP_SERVER"] = f"http://{server.http_address}"
    return shell


@pytest.fixture
def shell(server: ServerProcess) -> Shell:
    return shell_of(server)


def lines(shell: Shell, queue: str, count: int) -> None:
    text = b"".join(b"%d\n" % number for number in range(count))
    assert shell.run("push", queue, "--lines", input=text).returncode == 0


def rest(shell: Shell, queue: str) -> bytes:
    return shell.run("get", queue, "--all").stdout


# --- Queues


def test_queues(shell: Shell, queue: str) -> None:
    shell.push(f"{queue}-größe", b"four")
    shell.push(f"{queue}-b", b"1", b"2")
    done = shell.run("queues", "--glob", f"{queue}-*", "--json")
    found = {each["name"]: each for each in json.loads(done.stdout)["queues"]}
    assert {name: each["items"] for name, each in found.items()} == {
        f"{queue}-b": 2,
        f"{queue}-größe": 1,
    }
    shown = [line.split() for line in shell.run("queues").stdout.decode().splitlines()]
    assert shown[0][:3] == ["queue", "items", "bytes"]
    assert [f"{queue}-größe", "1", "4"] in [line[:3] for line in shown]


def test_more_queues_than_a_page_has(make_server: MakeServer) -> None:
    memory = '[queues."*"]\nengine = "memory"\n'
    server = make_server(toml=memory, http="127.0.0.1:0")
    names = [f"q%{number}" for number in range(1100)]
    with server.connect() as wire:
        for name in names:
            wire.put(name, b"")
    found = json.loads(shell_of(server).run("queues", "--json").stdout)["queues"]
    assert sorted(each["name"] for each in found) == sorted(names)


def test_settings(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1")
    shown = shell.run("settings", queue).stdout.decode().splitlines()
    assert shown[0].split() == ["setting", "value", "from"]
    assert any(line.split()[:2] == ["engine", "leveldb"] for line in shown)
    done = shell.run("settings", queue, "max_items=1", "max_age=1h")
    assert done.returncode == 0
    assert b"until " in done.stderr
    assert [line.split()[:2] for line in done.stdout.decode().splitlines()[1:]] == [
        ["max_items", "1"],
        ["max_age", "1h"],
    ]
    assert shell.run("push", queue, input=b"2").returncode == 1
    done = shell.run("settings", queue, "max_items=", "--json")
    assert json.loads(done.stdout)["settings"]["max_items"]["value"] in ("", "0", "off", None)
    shell.push(queue, b"2")
    done = shell.run("settings", queue, "engine=arena")
    assert (done.returncode, b"engine: cannot be changed" in done.stderr) == (3, True)


def test_pause_and_resume(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1")
    assert shell.run("pause", queue).stdout == b""
    assert shell.run("push", queue, input=b"2").returncode == 3
    assert shell.get(queue) is None
    done = shell.run("resume", queue, "--what", "gets", "--json")
    assert json.loads(done.stdout) == {"queue": queue, "paused": ["puts"]}
    assert shell.get(queue) == b"1"
    assert shell.run("resume", queue).returncode == 0
    shell.push(queue, b"2")


# --- What is thrown away and moved


def test_purge(shell: Shell, queue: str) -> None:
    lines(shell, queue, 10)
    assert shell.run("purge", queue, "--first", "3").stdout == b"3 items thrown away\n"
    done = shell.run("purge", queue, "--first", "2", "--json")
    assert json.loads(done.stdout) == {"queue": queue, "purged": 2}
    assert shell.run("peek", queue).stdout == b"5"
    assert shell.run("purge", queue, "--older-than", "1h").stdout == b"0 items thrown away\n"
    assert shell.run("purge", queue, "--older-than", "1ms", "--first", "1").returncode == 0
    assert shell.run("peek", queue).stdout == b"6"
    assert shell.run("purge", queue, "--all").stdout == b"4 items thrown away\n"
    assert rest(shell, queue) == b""
    for words in ((), ("--all", "--first", "1")):
        assert shell.run("purge", queue, *words).returncode == 2


def test_purge_of_a_consumer(shell: Shell, queue: str) -> None:
    assert shell.get(f"{queue}+audit") is None
    lines(shell, queue, 3)
    assert shell.run("purge", f"{queue}+audit", "--all").returncode == 0
    assert rest(shell, f"{queue}+audit") == b""
    assert rest(shell, queue) == b"0\n1\n2\n"


def test_move(shell: Shell, queue: str) -> None:
    lines(shell, queue, 5)
    assert shell.run("move", queue, f"{queue}-2", "-n", "2").stdout == b"2 items moved, 3 left\n"
    done = shell.run("move", queue, f"{queue}-2", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"queue": queue, "moved": 3, "left": 0, "unknown": 0},
    )
    assert rest(shell, f"{queue}-2") == b"0\n1\n2\n3\n4\n"


def test_a_full_queue_stops_a_move(shell: Shell, queue: str) -> None:
    lines(shell, queue, 5)
    lines(shell, f"{queue}-2", 1)
    assert shell.run("settings", f"{queue}-2", "max_items=3").returncode == 0
    done = shell.run("move", queue, f"{queue}-2")
    assert (done.returncode, done.stdout) == (1, b"2 items moved, 3 left\n")
    full = f"{queue}-2 is full: 3 items of 3 bytes wait, max_items = 3"
    assert done.stderr.decode() == f"darnerpy: {full}\n"
    done = shell.run("move", queue, f"{queue}-2", "--json")
    told = {"queue": queue, "moved": 0, "left": 3, "unknown": 0, "stopped": full}
    assert (done.returncode, json.loads(done.stdout)) == (1, told)


def test_a_queue_whose_puts_are_paused_stops_a_move(shell: Shell, queue: str) -> None:
    lines(shell, queue, 1)
    lines(shell, f"{queue}-2", 1)
    assert shell.run("pause", f"{queue}-2", "--what", "puts").returncode == 0
    done = shell.run("move", queue, f"{queue}-2")
    assert (done.returncode, done.stderr.decode()) == (
        3,
        f"darnerpy: puts of {queue}-2 are paused\n",
    )


def test_redrive(make_server: MakeServer) -> None:
    toml = '[queues.work]\nmax_attempts = 1\ndead_letter = "graves"\n'
    server = make_server(toml=toml, http="127.0.0.1:0")
    shell = shell_of(server)
    shell.push("graves", b"of nobody")
    shell.push("work", b"1")
    with server.connect() as wire:
        assert wire.get("work/open") == b"1"
        assert wire.ask(b"get work/abort\r\n") == b"END\r\n"
        wire.wait_until("graves", items=2)
    done = shell.run("redrive", "graves")
    assert (done.returncode, done.stdout) == (1, b"1 item moved, 1 left\n")
    assert b"it is not known where from: say --to" in done.stderr
    assert shell.get("work") == b"1"
    assert shell.run("redrive", "graves", "--to", "work").returncode == 0
    assert shell.get("work") == b"of nobody"


def test_a_consumer_is_made(shell: Shell, queue: str) -> None:
    lines(shell, queue, 3)
    done = shell.run("consumers", queue, "--make", "old", "--start", "head", "--json")
    assert json.loads(done.stdout) == {"queue": f"{queue}+old", "made": True}
    assert shell.get(f"{queue}+old") == b"0"
    assert shell.run("consumers", queue, "--make", "copy", "--copy-from", "old").returncode == 0
    assert rest(shell, f"{queue}+copy") == b"1\n2\n"
    assert shell.run("consumers", queue, "--make", "new").returncode == 0
    assert rest(shell, f"{queue}+new") == b""
    done = shell.run("consumers", queue, "--make", "copy", "--start", "tail")
    assert done.returncode == 3
    assert shell.run("consumers", queue, "--start", "head").returncode == 2
    address = shell.environ["DARNERPY_HTTP_SERVER"]
    assert b"HOST:PORT or unix:" in shell.run("consumers", queue, "--server", address).stderr
    done = shell.run("consumers", queue, "--make", "x", "--server", "127.0.0.1:1")
    assert (done.returncode, b"this needs HTTP" in done.stderr) == (2, True)


# --- Leases


def test_a_lease_is_confirmed(shell: Shell, queue: str, tmp_path: Path) -> None:
    shell.push(queue, b"\xffjob")
    job = tmp_path / "job"
    done = shell.run("lease", queue, "--output", str(job), "--ttl", "1h")
    lease = done.stdout.decode().strip()
    assert job.read_bytes() == b"\xffjob"
    assert shell.get(queue) is None
    said = json.loads(shell.run("lease", "--extend", lease, "--ttl", "2h", "--json").stdout)
    assert said.pop("until") == pytest.approx(time.time() + 7200, abs=60)
    assert said == {"lease": lease}
    assert shell.run("lease", "--confirm", lease).returncode == 0
    done = shell.run("lease", "--confirm", lease)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"darnerpy: ")
    done = shell.run("lease", queue, "--output", str(job))
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_lease_is_given_back(shell: Shell, queue: str) -> None:
    shell.push(queue, b"job")
    said = json.loads(shell.run("lease", queue, "--json").stdout)
    assert (said["text"], said["attempts"], said["id"]) == ("job", 0, 1)
    assert said["until"] == pytest.approx(time.time() + 30, abs=20)
    assert shell.run("lease", "--abort", said["lease"]).returncode == 0
    assert json.loads(shell.run("lease", queue, "--json").stdout)["attempts"] == 1
    assert shell.run("lease", queue).returncode == 2
    assert shell.run("lease", "--confirm", "guessed").returncode == 1


def test_a_lease_is_waited_for_and_lapses(shell: Shell, queue: str) -> None:
    with shell.start("lease", queue, "--json", "--wait", "20s", "--ttl", "100ms") as lease:
        shell.push(queue, b"late")
        assert json.loads(lease.communicate(timeout=20)[0])["text"] == "late"
    wait_until(lambda: shell.get(queue) == b"late")


def test_times_are_as_long_as_the_server_takes_them(shell: Shell, queue: str) -> None:
    shell.push(queue, b"1")
    for longest, longer in (
        (("lease", queue, "--json", "--wait", "1d"), "86400001ms"),
        (("lease", queue, "--json", "--ttl", "12h"), "43200001ms"),
        (("purge", queue, "--older-than", "36500d"), "36501d"),
    ):
        assert shell.run(*longest[:-1], longer, "--server", "http://127.0.0.1:1").returncode == 2
        assert shell.run(*longest).returncode in (0, 1)


def test_an_item_that_cannot_be_written_is_given_back(
    shell: Shell, queue: str, tmp_path: Path
) -> None:
    shell.push(queue, b"job")
    done = shell.run("lease", queue, "--output", f"{tmp_path}/none/job")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"/none/job: No such file or directory" in done.stderr
    job = str(tmp_path / "job")
    for words in (("--json",), ("--output", job)):
        with open("/dev/full", "wb") as full:
            assert shell.run("lease", queue, *words, stdout=full).returncode == 1
    assert json.loads(shell.run("lease", queue, "--json").stdout)["attempts"] == 3


HALF = b"""HTTP/1.1 201 Created\r
Location: /v1/leases/abc\r
Darnerpy-ID: 1\r
Darnerpy-Flags: 0\r
Darnerpy-Attempts: 0\r
Darnerpy-Until: 1795726460.304\r
Content-Length: 8\r
\r
half"""


@pytest.mark.parametrize("words", [("--json",), ("--output", "FILE")])
def test_a_leased_item_that_is_cut_off_is_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    job = str(tmp_path / "job")
    with Canned(HALF) as server:
        shell = Shell("")
        shell.environ["DARNERPY_HTTP_SERVER"] = f"http://{server.address}"
        done = shell.run("lease", "work", *(job if word == "FILE" else word for word in words))
    assert (done.returncode, done.stdout) == (4, b"")
    assert b"connection closed in the middle of an answer\n" in done.stderr


# --- Tail


@contextmanager
def tail(shell: Shell, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        (*DARNERPY, "tail", *words), stdout=pipe, stderr=pipe, env=shell.environ
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_tail_shows_the_last_and_then_each_new_one(shell: Shell, queue: str) -> None:
    lines(shell, queue, 20)
    with tail(shell, queue, "-n", "2") as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"18\n", b"19\n"]
        shell.push(queue, b"new\xff", b"newer")
        assert [process.stdout.readline() for _ in range(2)] == [b"new\xff\n", b"newer\n"]
    assert shell.run("get", queue, "--all").stdout.count(b"\n") == 22


def test_tail_of_an_idle_queue_says_nothing(shell: Shell, queue: str) -> None:
    lines(shell, queue, 1)
    with tail(shell, queue) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"0\n"
        time.sleep(1)  # it looks three times
        shell.push(queue, b"new")
        assert process.stdout.readline() == b"new\n"
        process.kill()
        assert process.stderr.read() == b""


def test_tail_counts_what_it_missed(shell: Shell, queue: str) -> None:
    lines(shell, queue, 4)
    with tail(shell, queue, "-n", "1", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["text"] == "3"
        shell.push(queue, b"seen")
        shown = json.loads(process.stdout.readline())
        assert (shown["text"], shown["id"]) == ("seen", 5)
        process.send_signal(19)  # SIGSTOP: it cannot look
        lines(shell, queue, 3)
        assert shell.run("get", queue, "--all").stdout.count(b"\n") == 8
        shell.push(queue, b"last")
        process.send_signal(18)
        assert json.loads(process.stdout.readline()) == {"missed": 3}
        assert json.loads(process.stdout.readline())["text"] == "last"


def test_what_tail_says_is_in_a_line_of_its_own(shell: Shell, queue: str) -> None:
    lines(shell, queue, 1)
    ours, theirs = pty.openpty()
    command = (*DARNERPY, "tail", queue, "-n", "0")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=shell.environ
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        time.sleep(1.5)  # before that no bar is shown
        shell.push(queue, b"seen")
        assert process.stdout.readline() == b"seen\n"
        assert b"100.0%" in os.read(ours, 1 << 16)
        process.send_signal(19)
        lines(shell, queue, 2)
        assert shell.run("get", queue, "--all").stdout.count(b"\n") == 4
        shell.push(queue, b"last")
        process.send_signal(18)
        assert process.stdout.readline() == b"last\n"
        process.kill()
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert re.search(rb"(^|\r\x1b\[K)darnerpy: 2 items missed", shown), shown


def test_tail_shows_all_of_a_queue_that_is_made_anew(shell: Shell, queue: str) -> None:
    lines(shell, queue, 4)
    with tail(shell, queue, "-n", "1") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"3\n"
        process.send_signal(19)
        assert shell.run("delete", queue).returncode == 0
        lines(shell, queue, 2)
        process.send_signal(18)
        assert [process.stdout.readline() for _ in range(2)] == [b"0\n", b"1\n"]


def test_tail_of_what_is_not_there(shell: Shell, queue: str) -> None:
    shell.push(f"{queue}-mails", b"1")
    done = shell.run("tail", f"{queue}-mials")
    assert (done.returncode, done.stderr.decode()) == (
        1,
        f"darnerpy: there is no queue {queue}-mials; did you mean {queue}-mails?\n",
    )


def test_tail_goes_on_when_the_server_comes_back(make_server: MakeServer) -> None:
    server = make_server(http="127.0.0.1:0")
    shell = shell_of(server)
    shell.push("work", b"1")
    server.flags = [
        *(flag for flag in server.flags if not flag.startswith("--http")),
        f"--http={server.http_address}",
    ]
    with tail(shell, "work") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        server.restart()
        shell_of(server).push("work", b"2")
        assert process.stdout.readline() == b"2\n"


@pytest.mark.parametrize(
    "begun",
    [b"Content-Length: 20\r\n\r\n", b"Content-Length: 20\r\n\r\n{}\n", b"\r\n{}\n{"],
)
def test_lines_that_are_cut_off(begun: bytes) -> None:
    with Canned(b"HTTP/1.1 200 OK\r\n" + begun) as server:
        address = web_address(f"http://{server.address}")
        with Web(address, 20_000) as web, pytest.raises(Unreachable, match="in the middle"):
            list(web.lines_of(web.ask("GET")))


def test_tail_waits_for_a_server_behind_a_proxy(shell: Shell, queue: str) -> None:
    """Which answers for it while it is away."""
    about = b'{"name": "work", "items": 0}'
    answers = [
        b"200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(about), about),
        b"502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>",
        b"200 OK\r\nDarnerpy-Next-ID: 2\r\n\r\n" + b'{"id": 1, "flags": 0, "data": "MQ=="}\n',
    ]
    head = b"HTTP/1.1 "
    with Canned(*(head + answer for answer in answers)) as proxy:
        shell.environ["DARNERPY_HTTP_SERVER"] = f"http://{proxy.address}"
        with tail(shell, "work") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"


# --- Who may, and what goes wrong


def test_a_token_is_shown(make_server: MakeServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("# of the operators\n0123456789abcdefghij\n")
    server = make_server(http="127.0.0.1:0", http_token_file=file)
    shell = shell_of(server)
    done = shell.run("queues")
    assert done.returncode == 3
    assert b"--token-file or DARNERPY_TOKEN" in done.stderr
    assert shell.run("queues", "--token-file", str(file)).returncode == 0
    shell.environ["DARNERPY_TOKEN"] = "0123456789abcdefghij"
    assert shell.run("queues").returncode == 0
    shell.environ["DARNERPY_TOKEN"] = "0123456789abcdefghi"
    done = shell.run("queues")
    assert (done.returncode, done.stderr) == (
        3,
        b"darnerpy: the token that was given is not known to the server\n",
    )
    shell.environ["DARNERPY_TOKEN"] = "two words"
    assert shell.run("queues").returncode == 2
    del shell.environ["DARNERPY_TOKEN"]
    shell.environ["DARNERPY_HTTP_TOKEN_FILE"] = str(file)
    assert shell.run("queues").returncode == 0
    assert shell.run("queues", "--token-file", str(tmp_path / "none")).returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        ("purge", "QUEUE", "--all"),
        ("move", "QUEUE", "other"),
        ("settings", "QUEUE"),
        ("tail", "QUEUE"),
    ],
)
def test_a_mistyped_name_is_told_with_the_nearest(
    shell: Shell, queue: str, words: tuple[str, ...]
) -> None:
    shell.push(f"{queue}-mails", b"1")
    done = shell.run(*(f"{queue}-mials" if word == "QUEUE" else word for word in words))
    assert (done.returncode, done.stderr.decode()) == (
        1,
        f"darnerpy: there is no queue {queue}-mials; did you mean {queue}-mails?\n",
    )


def test_names_that_addresses_have_to_quote(shell: Shell, queue: str) -> None:
    for name in (".", "..", f"{queue}%2e", f"{queue}?a=b&c#d", f"{queue}-\udcff"):
        shell.push(name, b"1")
        assert shell.run("purge", name, "--all").stdout == b"1 item thrown away\n", name


def test_what_cannot_be_reached(shell: Shell) -> None:
    done = shell.run("queues", "--server", "http://127.0.0.1:1")
    assert (done.returncode, done.stderr.decode()) == (
        4,
        "darnerpy: cannot reach http://127.0.0.1:1: Connection refused\n",
    )
    done = shell.run("queues", "--server", f"http://{shell.environ['DARNERPY_SERVER']}")
    assert (done.returncode, b"Traceback" in done.stderr) == (4, False)
    for address in ("127.0.0.1:1", "ftp://x", "http://", "http://a:99999"):
        done = shell.run("queues", "--server", address)
        assert (done.returncode, b"http://HOST:PORT" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ("lease", "--confirm", "abc"),
        ("lease", "work", "--json"),
        ("pause", "work"),
        ("consumers", "work", "--make", "audit"),
        ("tail", "work"),
    ],
)
def test_a_server_that_is_elsewhere_has_done_nothing(words: tuple[str, ...]) -> None:
    elsewhere = b"Location: https://example.org/v1/x\r\nContent-Length: 0\r\n\r\n"
    with Canned(b"HTTP/1.1 308 Permanent Redirect\r\n" + elsewhere) as proxy:
        done = Shell("").run(*words, "--server", f"http://{proxy.address}")
    assert (done.returncode, done.stderr) == (
        3,
        b"darnerpy: the server answers 308, that it is at https://example.org/v1/x\n",
    )


OTHERS = {
    "page": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "json": b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
    b'Content-Length: 22\r\n\r\n{"detail":"Not Found"}',
    "no post": b"HTTP/1.1 501 Unsupported method\r\nContent-Length: 0\r\n\r\n",
    "anything": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
}
WORDS = [
    ("queues",),
    ("lease", "work", "--json"),
    ("purge", "work", "--all"),
    ("tail", "work"),
]


@pytest.mark.parametrize(
    ("begun", "told"),
    [
        (b"", "connection closed"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "connection closed in the middle of an answer",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
            "connection closed in the middle of an answer",
        ),
    ],
)
def test_a_server_that_goes_away(begun: bytes, told: str) -> None:
    with Canned(begun) as server:
        done = Shell("").run("queues", "--server", f"http://{server.address}")
    assert (done.returncode, done.stderr.decode()) == (
        4,
        f"darnerpy: cannot reach http://{server.address}: {told}\n",
    )


@pytest.mark.parametrize("answer", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("words", WORDS)
def test_a_server_that_is_another(words: tuple[str, ...], answer: bytes) -> None:
    with Canned(answer) as other:
        done = Shell("").run(*words, "--server", f"http://{other.address}")
    assert (done.returncode, done.stdout) == (4, b""), done.stderr
    assert done.stderr.decode().startswith(f"darnerpy: cannot reach http://{other.address}: ")


@pytest.mark.parametrize("words", WORDS)
def test_an_address_with_a_path_too_many(shell: Shell, words: tuple[str, ...]) -> None:
    address = f"{shell.environ['DARNERPY_HTTP_SERVER']}/darner"
    done = shell.run(*words, "--server", address)
    told = f"darnerpy: cannot reach {address}: there is nothing at /darner/v1/queues"
    assert (done.returncode, done.stderr.decode().startswith(told)) == (4, True), done.stderr


def test_a_lease_that_is_no_text(shell: Shell) -> None:
    done = shell.run("lease", "--confirm", "\udcff")
    assert (done.returncode, b"Traceback" in done.stderr) == (3, False), done.stderr


def test_a_unix_socket(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(http=f"unix:{tmp_path}/http")
    shell = Shell(server.address)
    shell.push("work", b"1")
    done = shell.run("queues", "--json", "--server", f"http+unix:{tmp_path}/http")
    assert json.loads(done.stdout)["queues"][0]["text"] == "work"


# --- Asking


def asked(shell: Shell, typed: bytes, *words: str) -> tuple[int, str]:
    """What a person sees who answers so; the exit code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        (*DARNERPY, *words), stdin=theirs, stdout=theirs, stderr=theirs, env=shell.environ
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 1 << 16):
                shown += data
                if b"to go on: " in shown and typed:
                    os.write(ours, typed)
                    typed = b""
        except OSError:
            os.close(ours)
    return process.returncode, shown.decode(errors="replace").replace("\r\n", "\n")


@pytest.mark.parametrize(
    "words",
    [
        ("purge", "QUEUE", "--all"),
        ("move", "QUEUE", "other"),
        ("flush", "QUEUE"),
        ("delete", "QUEUE"),
    ],
)
def test_a_person_is_asked_and_types_the_name(
    shell: Shell, queue: str, words: tuple[str, ...]
) -> None:
    words = tuple(queue if word == "QUEUE" else word for word in words)
    shell.push(queue, b"1")
    code, shown = asked(shell, b"something else\n", *words)
    assert code == 1
    assert f"Type {queue} to go on: " in shown
    assert "that is not its name: nothing is done" in shown
    assert asked(shell, b"\x04", *words)[0] == 1
    assert shell.run("peek", queue).stdout == b"1"
    assert asked(shell, queue.encode() + b"\n", *words)[0] == 0
    assert shell.run("peek", queue).stdout == b""
    shell.push(queue, b"2")
    code, shown = asked(shell, b"", *words, "--yes")
    assert (code, "Type" in shown) == (0, False)


@pytest.mark.parametrize("end", [b"\xff", "\u3000".encode()])
def test_a_person_types_any_name(shell: Shell, queue: str, end: bytes) -> None:
    """No text, or a blank at its end; as it is, and as it is shown."""
    shell.environ["PYTHONIOENCODING"] = "utf-8:strict"  # that of most people's terminals
    name = os.fsdecode(queue.encode() + end)
    shell.push(name, b"1")
    code, shown = asked(shell, b"\xfe\n", "purge", name, "--all")
    assert (code, "that is not its name" in shown) == (1, True), shown
    for typed in (os.fsencode(name), printable(name).encode()):
        assert asked(shell, typed + b"\n", "purge", name, "--all")[0] == 0


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("move QUEUE other -n 3", "This moves the first 3 items waiting in QUEUE to other."),
        ("redrive QUEUE", "This moves all items waiting in QUEUE back to where each came from."),
        ("redrive QUEUE --to other", "This moves all items waiting in QUEUE to other."),
        ("purge QUEUE --first 1", "This throws away the first 1 item waiting in QUEUE."),
        ("purge QUEUE --older-than 1h", "all items waiting in QUEUE, put more than 1h ago."),
    ],
)
def test_a_person_is_told_what_would_be_done(
    shell: Shell, queue: str, words: str, what: str
) -> None:
    shell.push(queue, b"1")
    code, shown = asked(shell, b"no\n", *words.replace("QUEUE", queue).split())
    assert (code, what.replace("QUEUE", queue) in shown) == (1, True), shown


@pytest.mark.parametrize("words", [("purge", "work", "--all"), ("move", "work", "other")])
def test_no_connection_waits_for_somebody_who_types(words: tuple[str, ...]) -> None:
    said = b'{"items": 0, "purged": 0, "moved": 0, "left": 0}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said)
    with Canned(head + said) as server:  # it answers once on each
        done = Shell("").run(*words, "--server", f"http://{server.address}", "--timeout", "5s")
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_was_sent_is_what_is_documented_of_peek(shell: Shell, queue: str) -> None:
    """Of the interface: the last ones, those after one, and where the next one goes."""

    lines(shell, queue, 5)
    assert shell.get(queue) == b"0"
    host = shell.environ["DARNERPY_HTTP_SERVER"].removeprefix("http://")

    def seen(query: str) -> tuple[int, list[bytes], str | None]:
        headers = {"Accept": "application/jsonl"}
        with closing(HTTPConnection(host, timeout=20)) as connection:
            connection.request("GET", f"/v1/queues/{queue}/items/peek?{query}", headers=headers)
            answer = connection.getresponse()
            lines = answer.read().splitlines() if answer.status == 200 else []
        found = [json.loads(line)["data"] for line in lines]
        next_id = answer.headers["darnerpy-next-id"]
        return answer.status, [base64.b64decode(data) for data in found], next_id

    assert seen("last=2&n=10") == (200, [b"3", b"4"], "6")
    assert seen("last=0") == (204, [], "6")
    assert seen("last=99&n=10") == (200, [b"1", b"2", b"3", b"4"], "6")
    assert seen("after=3&n=10") == (200, [b"3", b"4"], "6")
    assert seen("after=3&offset=1&n=10") == (200, [b"4"], "6")
    assert seen("after=5&n=10") == (204, [], "6")
    assert seen("last=1&after=1")[0] == 400
