"""`darnerpy config`, flags as people type them, and unknown variables, with the real command."""

import os
import subprocess
from pathlib import Path

import pytest

from darnerpy.config import load
from tests.conftest import MakeServer
from tests.servers import DARNERPY

FILE = """\
# the whole server
data = "data of ours"
listen = [
  "127.0.0.1:1",
  "unix:/run/darnerpy.sock",
]
sync = "50ms"

[queues."?*"]
max_items = 1

[queues."*"]
max_items = 5
"max_age" = "1d"

[queues.work]
consumers = ["audit"]
dead_letter = "größe"

[queues."*+audit"]
start = "head"

[aliases]
weather = ["forecast", "archive+daily"]
"""


def darnerpy(*words: str, code: int = 0, **environ: str) -> tuple[str, str]:
    done = subprocess.run(
        (*DARNERPY, *words),
        capture_output=True,
        text=True,
        env=os.environ | environ,
        timeout=30,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "darnerpy.toml"
    path.write_text(FILE)
    return path


def test_check(file: Path) -> None:
    assert darnerpy("config", "--check", str(file)) == (f"{file}: is right\n", "")
    assert sorted(file.parent.iterdir()) == [file]
    file.write_text(FILE + '[queue."*"]\n')
    told = darnerpy("config", "--check", str(file), code=2)[1]
    assert told == f'darnerpy: {file}: queue: unknown table; did you mean [queues."*"]?\n'
    absent = str(file.parent / "absent.toml")
    assert "No such file" in darnerpy("config", "--check", absent, code=2)[1]


@pytest.mark.parametrize("tokens", [None, "# none\n", "short", "with blanks between them"])
def test_a_file_of_tokens_is_judged_as_serve_judges_it(file: Path, tokens: str | None) -> None:
    path = file.with_name("tokens")
    if tokens is not None:
        path.write_text(tokens)
    file.write_text(
        f'data = "{file.parent}/data"\nhttp = "127.0.0.1:0"\nhttp_token_file = "{path}"\n'
    )
    checked = darnerpy("config", "--check", str(file), code=2)[1]
    served = darnerpy("serve", "--listen", "127.0.0.1:0", "--config", str(file), code=2)[1]
    told = served.splitlines()[-1].partition(" error ")[2]
    assert told.startswith(f"http_token_file: {path}")
    assert checked == f"darnerpy: {told}\n"
    darnerpy("config", "--check", str(file), "--http", "off")
    path.write_text("a-token-of-some-length\n")
    darnerpy("config", "--check", str(file))


def test_show_says_where_each_value_is_from(file: Path) -> None:
    flags = ("--config", str(file), "--max-open-reads", "7")
    shown, _ = darnerpy("config", "--show", *flags, DARNERPY_SYNC="never")
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for expected in (
        f'data = "data of ours" # {file}:2',
        f'listen = ["127.0.0.1:1", "unix:/run/darnerpy.sock"] # {file}:3',
        'sync = "never" # DARNERPY_SYNC',
        "max_open_reads = 7 # --max-open-reads",
        'window_memory = "16MiB" # default',
        "admin_commands = true # default",
        f"max_items = 1 # {file}:10",
        f"max_items = 5 # {file}:13",
        f'max_age = "1d" # {file}:14',
        f'consumers = ["audit"] # {file}:17',
        f'dead_letter = "größe" # {file}:18',
        f'start = "head" # {file}:21',
        f'"weather" = ["forecast", "archive+daily"] # {file}:24',
    ):
        assert expected in lines, shown
    assert sorted(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("text", [FILE, FILE.replace("?*", "m*"), ""])
def test_what_is_shown_gives_the_same_configuration(file: Path, text: str) -> None:
    file.write_text(text)
    shown, _ = darnerpy("config", "--show", "--config", str(file))
    again = file.with_name("again.toml")
    again.write_text(shown)
    before, after = load(str(file), {}, {}), load(str(again), {}, {})
    for name in b"work", b"m", b"mail":
        assert before.queue(name) == after.queue(name)
        assert before.queue(name, b"audit") == after.queue(name, b"audit")
    assert (before.aliases, before.listen) == (after.aliases, after.listen)


@pytest.mark.parametrize(
    "words", [("serve", "--max-conn=1"), ("check", "--repa"), ("stats", "--serv=x"), ("--vers",)]
)
def test_flags_are_not_abbreviated(words: tuple[str, ...]) -> None:
    assert "unrecognized arguments" in darnerpy(*words, code=2)[1] or words == ("--vers",)


def test_the_server_tells_of_unknown_variables(make_server: MakeServer) -> None:
    server = make_server(environ={"DARNERPY_COLOUR": "red", "DARNERPY_PORT": "tcp://10.0.0.1:1"})
    assert " warning unknown variable variable=DARNERPY_COLOUR\n" in server.log()
    assert "DARNERPY_PORT" not in server.log()
    told = darnerpy("serve", code=2, DARNERPY_LISTENS="127.0.0.1:1")[1]
    assert told == ("darnerpy: DARNERPY_LISTENS: unknown variable; did you mean DARNERPY_LISTEN?\n")
