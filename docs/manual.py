"""Writes the manual pages, one a command, from what the commands declare: `make man`.

argparse-manpage says options and usage in roff. What it knows nothing of is added here: which commands there
are, exit codes, variables, and the other pages.
"""

import os
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argparse_manpage.manpage import Manpage

from darnerpy import __version__, version
from darnerpy.cli.commands import COMMANDS, parser_of
from darnerpy.cli.terminal import Parser

_EXIT = (
    ("0", "It is done."),
    ("1", "There was nothing there, no room for it, or something that was checked is not well."),
    ("2", "The command or its configuration is wrong."),
    ("3", "The server refused it; its words are on standard error."),
    ("4", "The server cannot be reached, or is none."),
    ("5", "What is needed is in use by somebody else, or may not be read."),
    ("130", "Interrupted."),
    ("141", "Who read the output has left."),
)

_VARIABLES = (
    (
        "DARNERPY_SERVER",
        "Where the server is, HOST:PORT or unix:/path, if --server does not say it.",
    ),
    ("DARNERPY_HTTP_SERVER", "The same for commands that use HTTP, http://HOST:PORT."),
    ("DARNERPY_TOKEN", "What these show to a server that wants a token."),
    ("DARNERPY_DATA", "The data directory, if --data does not say it."),
)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parser, commands = parser_of(COMMANDS)
    for name, command in commands.items():
        page = _page(command, f"darnerpy-{name}", COMMANDS[name])
        _write(folder, page, {"exit status": _list(_EXIT), "see also": _see(["darnerpy"])})
    # What there is to say of each command is on its own page, and not on this one as well.
    parser, _ = parser_of(COMMANDS, declared=False)
    parser._action_groups = parser._action_groups[1:]
    page = _page(parser, "darnerpy", "a persistent queue server, and commands to use one")
    sections = {
        "commands": _list((f"darnerpy-{name}(1)", does) for name, does in COMMANDS.items()),
        "exit status": _list(_EXIT),
        "environment": _list(_VARIABLES),
        "see also": _see(f"darnerpy-{name}" for name in COMMANDS),
    }
    _write(folder, page, sections)


def _page(parser: Parser, name: str, purpose: str) -> Any:
    parser.man_short_description = purpose  # type: ignore[attr-defined]  # where it is looked for
    parser._manpage = []  # type: ignore[attr-defined]  # so, too
    page = Manpage(parser)
    page.prog, page.source, page.manual = name, f"darnerpy {__version__}", "darnerpy manual"
    page.date = f"{datetime.fromtimestamp(_changed(), UTC):%B %d, %Y}"
    return page


def _write(folder: Path, page: Any, sections: dict[str, str]) -> None:
    for heading, text in sections.items():
        page.add_section(heading, "=", text)
    # It puts the title of a group on the line after the macro, and a line between paragraphs of its own.
    text = re.sub(r"(?m)^\.SH\n", ".SH ", str(page)).replace("\n\n", "\n")
    # And a text that begins like a macro as it is.
    text = re.sub(r"(?m)^(?='|\.(?!(?:TH|SH|SS|TP|B|RS|RE|UR|UE|nf|fi)\b))", r"\\&", text)
    (folder / f"{page.prog}.1").write_text(text)


def _changed() -> int:
    """When this version was made, for whoever wants the same pages from the same sources."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or Path(version.__file__).stat().st_mtime)


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f".TP\n\\fB{_said(term)}\\fR\n{_said(text)}" for term, text in entries)


def _see(names: Iterable[str]) -> str:
    return ",\n".join(f"\\fB{_said(name)}\\fR(1)" for name in names)


def _said(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
