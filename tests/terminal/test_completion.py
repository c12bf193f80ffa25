"""What a shell completes, in real shells: each reads the script that `darnerpy completion` prints."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import PYTHON, ServerProcess
from tests.shell import Shell
from tests.terminal.screens import Screen, needs, needs_tmux

pytest.importorskip("shtab")

NAMES = ["mail-in", "mail-out", "work", "größe", "a:b", "$(touch${IFS}pwned)", "x;y"]

pytestmark = needs_tmux


@pytest.fixture(scope="module", autouse=True)
def queues(server: ServerProcess) -> None:
    with server.connect() as wire:
        for name in NAMES:
            wire.put(name, b"1")


def environ(server: ServerProcess, bin: Path, home: Path) -> dict[str, str]:
    return {
        "DARNERPY_SERVER": server.address,
        "PATH": f"{bin}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "PS1": "> ",
        "PROMPT": "> ",
    }


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in ("bash", "zsh", "fish")])
def screen(
    request: pytest.FixtureRequest, server: ServerProcess, shell: Shell, bin: Path, tmp_path: Path
) -> Iterator[Screen]:
    """A shell that has read its script, and stands in an empty directory."""
    name = request.param
    script = tmp_path / "_darnerpy"
    script.write_bytes(shell.run("completion", name).stdout)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/afile").touch()
    start = {
        "bash": ["bash", "--norc", "--noprofile", "-i"],
        "zsh": ["zsh", "-f", "-i"],
        "fish": ["fish", "--no-config", "--interactive"],
    }[name]
    read = f"source {script}"
    if name == "zsh":
        read = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -D"
    with Screen(*start, environ=environ(server, bin, tmp_path), columns=120) as screen:
        screen.type(f"{read}; cd {tmp_path}/here; clear; echo re''ady", "Enter")
        screen.wait_for("ready")
        yield screen


def completed(screen: Screen, typed: str, wanted: str) -> None:
    """What was typed becomes what is wanted by Tab, and is taken back."""
    screen.write(typed)
    screen.type("Tab")
    screen.wait_for(wanted)
    screen.type("C-u")


def test_commands_options_and_choices(screen: Screen) -> None:
    completed(screen, "darnerpy shutd", "darnerpy shutdown")
    completed(screen, "darnerpy get --outp", "darnerpy get --output")
    completed(screen, "darnerpy status reado", "darnerpy status readonly")
    completed(screen, "darnerpy export --format bin", "darnerpy export --format binary")
    completed(screen, "darnerpy push work afi", "darnerpy push work afile")


def test_names_of_queues(screen: Screen) -> None:
    completed(screen, "darnerpy get wo", "darnerpy get work")
    completed(screen, "darnerpy get --wait 1s wo", "darnerpy get --wait 1s work")
    completed(screen, "darnerpy peek mail-o", "darnerpy peek mail-out")
    completed(screen, "darnerpy delete grö", "darnerpy delete größe")
    completed(screen, "darnerpy consumers --server 127.0.0.1:1 wo", "127.0.0.1:1 work")


def test_all_that_fit_are_listed(screen: Screen) -> None:
    screen.write("darnerpy get mail-")
    screen.type("Tab", "Tab")
    screen.wait_for("mail-in", "mail-out")


def test_no_name_is_taken_for_code(screen: Screen, tmp_path: Path) -> None:
    for begun in ("", "'$('", "x"):
        screen.write(f"darnerpy get {begun}")
        screen.type("Tab", "Tab")
        screen.type("C-u")
    screen.write("darnerpy get x")
    screen.type("Tab", "Enter")
    screen.type("echo al''l done", "Enter")
    screen.wait_for("all done")
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["afile"]
    assert "y: " not in screen.text()


@pytest.mark.parametrize("typed", ["a:", "a"])
@needs("bash")
def test_colons_in_bash(
    typed: str, server: ServerProcess, shell: Shell, bin: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_bytes(shell.run("completion", "bash").stdout)
    bash = ("bash", "--norc", "--noprofile", "-i")
    with Screen(*bash, environ=environ(server, bin, tmp_path)) as screen:
        screen.type(f"source {script}; cd {tmp_path}; clear; echo re''ady", "Enter")
        screen.wait_for("ready")
        completed(screen, f"darnerpy get {typed}", "darnerpy get a:b")
        completed(screen, "darnerpy export --format=j", "darnerpy export --format=jsonl")


def test_names_are_printed_once_each(shell: Shell) -> None:
    said = shell.run("completion", "queues").stdout.decode().splitlines()
    assert set(said) >= {"mail-in", "mail-out", "work", "größe"}
    assert len(said) == len(set(said))


def test_without_a_server_nothing_is_printed(shell: Shell) -> None:
    done = shell.run("completion", "queues", "--server", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (4, b"")


def test_without_the_library_it_is_said_how_to_install_it(shell: Shell) -> None:
    code = "import sys; sys.modules['shtab'] = None; from darnerpy.cli.main import main; main()"
    done = subprocess.run(
        (PYTHON, "-c", code, "completion", "bash"), capture_output=True, check=False
    )
    assert done.stderr.decode() == (
        "darnerpy: completion needs the package shtab: pip install 'darnerpy[top]'\n"
    )
