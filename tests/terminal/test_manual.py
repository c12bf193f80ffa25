"""The manual pages are what the commands declare, and no reader of such pages finds fault with them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from darnerpy.cli import codes
from darnerpy.cli.commands import COMMANDS, parser_of
from tests.terminal.screens import needs

pytest.importorskip("argparse_manpage")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    environ = os.environ | {"SOURCE_DATE_EPOCH": "1750000000"}
    command = (sys.executable, ROOT / "docs/manual.py", folder)
    subprocess.run(command, check=True, env=environ)
    return folder


def said(page: Path) -> str:
    """A page as a person reads it, without what is bold."""
    text = page.read_text()
    return re.sub(r"\\f[BIR]|\\[,/]", "", text).replace("\\-", "-")


def test_each_command_has_a_page_with_all_its_arguments(pages: Path) -> None:
    names = {path.name for path in pages.iterdir()}
    assert names == {"darnerpy.1", *(f"darnerpy-{name}.1" for name in COMMANDS)}
    _, parsers = parser_of(COMMANDS)
    for name, parser in parsers.items():
        page = said(pages / f"darnerpy-{name}.1")
        for action in parser._actions:
            for option in action.option_strings:
                assert option == "-h" or option == "--help" or f"\n{option}" in page, (name, option)
        assert f"darnerpy-{name} - {COMMANDS[name]}" in page
        assert f"darnerpy-{name}(1)" in said(pages / "darnerpy.1")


def test_every_exit_code_is_explained(pages: Path) -> None:
    page = said(pages / "darnerpy.1")
    for name, code in vars(codes).items():
        if name.isupper() and isinstance(code, int):
            assert f".TP\n{code}\n" in page, name


@needs("mandoc")
def test_mandoc_finds_nothing(pages: Path) -> None:
    found = subprocess.run(
        ("mandoc", "-Tlint", "-W", "warning", *pages.iterdir()), capture_output=True, check=False
    )
    assert (found.stdout, found.stderr) == (b"", b"")


@needs("man")
def test_man_shows_them_without_a_warning(pages: Path) -> None:
    shown = subprocess.run(
        ("man", "--warnings", "--local-file", pages / "darnerpy-push.1"),
        capture_output=True,
        check=True,
        env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
    )
    assert shown.stderr == b""
    assert "darnerpy-push - put items into a queue" in shown.stdout.decode()
