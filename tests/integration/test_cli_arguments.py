"""What the command line takes for an argument, and what of it goes over the wire: never two commands."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darnerpy.cli.main import main
from darnerpy.cli.request import MAX_LINE, exptime, request
from darnerpy.errors import ClientError
from darnerpy.protocol.commands import Refused
from darnerpy.protocol.item_commands import Store
from darnerpy.protocol.verbs import parse_line
from tests.shell import Canned, Shell

BODY = b"body"
WORDS = {
    "get": ("{}", "--wait", "{}", "-n", "{}"),
    "push": ("{}", "FILE", "--expire", "{}", "--flags", "{}"),
    "peek": ("{}", "--offset", "{}", "--count", "{}"),
    "stats": ("{}",),
    "flush": ("{}",),
    "delete": ("{}",),
    "consumers": ("{}", "--drop", "{}"),
    "backup": ("{}", "--name", "{}", "--prune", "{}"),
    "status": ("{}",),
    "reload": (),
    "shutdown": (),
}
good = st.sampled_from(
    ["work", "work+audit", "größe", "10s", "60d", "5", "up", "monday", "\udcff", "*"]
)
bad = st.sampled_from(
    ["\r\nflush_all\r\n", "\n", " ", "\0", "\x7f", "/open", "+", "\u0085", "x" * 300]
)
arguments = good | st.builds(str.__add__, good, bad) | st.text(max_size=12)


@pytest.fixture(scope="module")
def canned() -> Iterator[Canned]:
    with Canned(b"ERROR\r\n") as server:
        yield server


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("push") / "file"
    path.write_bytes(BODY)
    return path


def sent(canned: Canned, words: list[str]) -> bytes:
    """What the command sends to a server that refuses it."""
    code: object
    try:
        code = main([*words, "--server", canned.address])
    except SystemExit as usage:
        code = usage.code
    if code == 3:
        return canned.received.get(timeout=20)
    assert code in (0, 2)  # 0: it is asked for help
    return b""


@given(st.sampled_from(sorted(WORDS)), st.lists(arguments, max_size=4), st.booleans())
@example("backup", ["work", "y\r\nflush work", "1"], False)
@example("push", ["work", "60d", "4294967295"], True)
@example("push", ["work", "10s", "0"], False)
@example("peek", ["work", "3", "2"], False)
@example("get", ["work", "24d", "1"], False)
@example("consumers", ["work", "audit\r\nflush work"], False)
@example("status", ["up\r\nflush work"], False)
def test_no_arguments_ever_make_more_than_one_command(
    canned: Canned, file: Path, command: str, chosen: list[str], in_lines: bool
) -> None:
    rest = iter(chosen)
    filled = {"FILE": lambda: str(file), "{}": lambda: next(rest, "1")}
    words = [command, *(filled[word]() if word in filled else word for word in WORDS[command])]
    words += rest
    if command == "push" and in_lines:
        words.append("--lines")
    data = sent(canned, words)
    if not data:
        return
    line, end, body = data.partition(b"\r\n")
    assert (end, body) == (b"\r\n", BODY + b"\r\n" if command == "push" else b"")
    assert all(byte >= 0x20 and byte != 0x7F for byte in line)
    # And it is one that a server understands: what is wrong is found here, by the same grammar.
    asked = parse_line(line)
    assert not isinstance(asked, Refused), line
    assert not isinstance(asked, Store) or asked.refusal is None


@given(st.lists(st.binary(max_size=30) | st.integers(), min_size=1, max_size=6))
def test_a_request_is_one_line_or_none(words: list[bytes | int]) -> None:
    try:
        line = request(*words)
    except ClientError:
        return
    assert line.endswith(b"\r\n")
    assert line[:-2].split(b" ") == [b"%d" % w if isinstance(w, int) else w for w in words]
    assert not any(byte < 0x20 or byte == 0x7F for byte in line[:-2])


def test_a_line_that_no_server_takes_is_not_sent() -> None:
    names = [b"%0240d" % number for number in range(9)]
    with pytest.raises(ClientError, match=f"at most {MAX_LINE} are allowed: name fewer queues"):
        request(b"backup", *names, b"monday")
    assert len(request(b"backup", b"x" * (MAX_LINE - 9), b"y")) == MAX_LINE + 2


def test_an_argument_flushes_no_queue(shell: Shell, queue: str) -> None:
    shell.push(queue, b"stays")
    done = shell.run("backup", "--name", f"y\r\nflush {queue}")
    assert done.returncode == 2
    assert b"argument --name: a backup's name, 1 to 100 of" in done.stderr
    assert shell.get(queue) == b"stays"


# --- Times


NOW = 1_800_000_000_500


@pytest.mark.parametrize(
    ("lasts_ms", "wanted"),
    [
        (None, 0),
        (1, 1),
        (500, 1),
        (1000, 1),
        (1001, 2),
        (2_591_999_000, 2_591_999),
        (2_591_999_001, 1_800_000_001 + 2_591_999),
        (2_592_000_000, 1_800_000_001 + 2_592_000),
        (2_592_001_000, 1_800_000_001 + 2_592_001),
        (999_999_999 * 86_400_000, 1_800_000_001 + 999_999_999 * 86_400),
    ],
)
def test_what_an_item_lasts_is_said_in_seconds_or_as_a_date(
    lasts_ms: int | None, wanted: int
) -> None:
    assert exptime(lasts_ms, NOW) == wanted


@pytest.mark.parametrize("lasts", ["1h", "30d", "2592000s", "2592001s", "400d", "999999999d"])
def test_an_item_does_not_expire_before_its_time(shell: Shell, queue: str, lasts: str) -> None:
    assert shell.run("push", queue, "--expire", lasts, input=b"there").returncode == 0
    assert shell.get(queue) == b"there"


def test_an_item_expires(shell: Shell, queue: str) -> None:
    assert shell.run("push", queue, "--expire", "1ms", input=b"stale").returncode == 0
    shell.push(queue, b"fresh")
    time.sleep(1.1)
    assert shell.get(queue) == b"fresh"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "required: COMMAND"),
        (("nosuch",), "there is no command 'nosuch'; there are serve, push, get, "),
        (("pusch", "--lines"), "there is no command 'pusch'; did you mean push?"),
        (("get",), "required: QUEUE"),
        (("get", "work/open"), "argument QUEUE: queue name may not contain byte 0x2f (at 4)"),
        (("get", "two words"), "argument QUEUE: queue name may not contain byte 0x20 (at 3)"),
        (("get", "q\r\nflush_all"), "argument QUEUE: queue name may not contain byte 0x0d"),
        (("get", "q+"), "argument QUEUE: queue+consumer needs a name on both sides"),
        (("get", ""), "argument QUEUE: queue name is empty"),
        (("get", "q", "-n", "0"), "argument -n: a number from 1 to 2147483647 was expected: 0"),
        (("get", "q", "-n", "1", "--all"), "not allowed with argument -n"),
        (("get", "q", "--wait", "10"), "argument --wait: 10 what? say 10s"),
        (("get", "q", "--wait", "25d"), "argument --wait: at most 24d was expected: 25d"),
        (("get", "q", "--wait", "-1s"), "argument --wait: a duration such as 500ms, 10s or 7d was"),
        (("get", "q", "--timeout", "5"), "argument --timeout: 5 what? say 5s"),
        (("get", "q", "--timeout", "0s"), "argument --timeout: at least 1ms was expected: 0s"),
        (("get", "q", "--server", "here"), "argument --server: HOST:PORT, [IPv6]:PORT or unix:"),
        (("get", "q", "\x1b[2J"), r"unrecognized arguments: \x1b[2J"),
        (("peek", "q", "--offset", "100001"), "argument --offset: a number from 0 to 100000"),
        (("peek", "q", "--offset", "99999", "--count", "3"), "at most 100000 may be passed over"),
        (("peek", "q", "--offset", "1", "--wait", "1s"), "--wait is for the next item"),
        (("push", "q", "/nowhere/file"), "/nowhere/file: No such file or directory"),
        (("push", "q", "/"), "/: Is a directory"),
        (("push", "q", "--flags", "red"), "argument --flags: a number from 0 to 4294967295"),
        (("push", "q", "--flags", "4294967296"), "argument --flags: a number from 0 to"),
        (("push", "q", "--expire", "2592000"), "argument --expire: 2592000 what? say 2592000s"),
        (("push", "q", "--expire", "0s"), "argument --expire: at least 1ms was expected: 0s"),
        (("push", "q", "--expire", "-1"), "argument --expire: a duration such as 500ms, 10s or 7d"),
        (("consumers", "q+c"), "argument QUEUE: a queue was expected, not a consumer of one: q+c"),
        (("consumers", "q", "--drop", "a b"), "--drop a b: queue name may not contain byte 0x20"),
        (("consumers", "q", "--drop", ""), "--drop : queue+consumer needs a name on both sides"),
        (
            ("consumers", "q", "--make", "a", "--drop", "b"),
            "--drop: not allowed with argument --make",
        ),
        (("consumers", "q", "--make", "a+b"), "--make a+b: a new consumer's name has no +"),
        (("consumers", "q", "--make", "a b"), "--make a b: queue name may not contain byte 0x20"),
        (("move", "q", "q"), "to: another queue than q itself was expected"),
        (("move", "q+c", "q"), "to: another queue than q itself was expected"),
        (("redrive", "q", "--to", "q"), "to: another queue than q itself was expected"),
        (("settings", "q", "max_items"), "argument KEY=VALUE: KEY=VALUE was expected: max_items"),
        (
            ("settings", "q", "max_itmes=1"),
            "KEY=VALUE: max_itmes: unknown key; did you mean max_items?",
        ),
        (
            ("settings", "q", "max_itmes="),
            "KEY=VALUE: max_itmes: unknown key; did you mean max_items?",
        ),
        (("settings", "q", "max_items=x"), "argument KEY=VALUE: max_items: expected "),
        (("settings", "q", "max_items=" + "9" * 5000), "argument KEY=VALUE: max_items: expected "),
        (("settings", "q", "data=x"), "argument KEY=VALUE: data: is for the whole server"),
        (("lease", "q", "--ttl", "50ms"), "argument --ttl: at least 100ms was expected: 50ms"),
        (("lease", "--confirm", "ID", "--ttl", "1m"), "--ttl is for a queue or --extend"),
        (("lease", "--abort", "ID", "--output", "x"), "--wait and --output for a queue"),
        (("completion", "tcsh"), "(choose from 'bash', 'zsh', 'fish')"),
        (("export", "q+c"), "argument QUEUE: a queue was expected, not a consumer of one: q+c"),
        (("check", "data", "q+c"), "argument QUEUE: a queue was expected, not a consumer of one"),
        (("status", "down"), "argument status: invalid choice: 'down'"),
        (("reload", "now"), "unrecognized arguments: now"),
        (("backup",), "one of --name, --list and --prune is expected"),
        (("backup", "q", "--list"), "queues are for --name"),
        (("backup", "--name", "../x"), "argument --name: a backup's name, 1 to 100 of"),
        (("backup", "--name", "é"), "argument --name: a backup's name, 1 to 100 of"),
        (("backup", "--prune", "0"), "argument --prune: a number from 1"),
        (("import", "--from", "kestrel", "-"), "SOURCE -: --from kestrel expects a directory"),
    ],
)
def test_wrong_usage_is_named(words: tuple[str, ...], complaint: str) -> None:
    done = Shell("127.0.0.1:1").run(*words)
    assert done.returncode == 2, done.stderr
    assert complaint in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "variable"),
    [
        ("get", "DARNERPY_SERVER"),
        ("consumers", "DARNERPY_SERVER"),
        ("purge", "DARNERPY_HTTP_SERVER"),
        ("tail", "DARNERPY_HTTP_SERVER"),
    ],
)
def test_a_wrong_variable_is_named(command: str, variable: str) -> None:
    shell = Shell("127.0.0.1:1")
    shell.environ[variable] = "here"
    done = shell.run(command, "q", *(["--all"] if command == "purge" else []))
    assert done.returncode == 2
    assert f"{variable}: " in done.stderr.decode()
    done = shell.run(command, "q", "--server", "there")
    assert (done.returncode, variable in done.stderr.decode()) == (2, False)
