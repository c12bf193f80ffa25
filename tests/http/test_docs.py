"""Every example of docs/http.md does what the page says, on one server, from top to bottom."""

import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.conftest import MakeServer

PAGE = Path(__file__).parents[2] / "docs/http.md"
ADDRESS = "127.0.0.1:2223"
END = "-- end of what it prints --"


def examples() -> list[tuple[str, str]]:
    """Commands, and what each prints; … stands for what differs from time to time."""
    blocks = re.findall(r"(?s)```console\n(.*?)```", PAGE.read_text())
    found: list[tuple[str, str]] = []
    for line in "".join(blocks).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            command, printed = found.pop()
            found.append((command, f"{printed}{line}\n"))
    return found


@pytest.mark.skipif(which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_page(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(http="127.0.0.1:0")
    commands = [command.replace(ADDRESS, server.http_address) for command, _ in examples()]
    script = f"\necho; echo '{END}'\n".join([*commands, ""])
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    printed = [part.lstrip("\n") for part in done.stdout.replace("\r", "").split(f"{END}\n")]
    assert len(commands) >= 25
    for (command, expected), told in zip(examples(), printed, strict=False):
        pattern = ".*".join(map(re.escape, expected.rstrip("\n").split("…")))
        assert re.fullmatch(pattern, told.rstrip("\n")), (command, told)


def test_the_page_names_every_path_and_status() -> None:
    from darnerpy.http.routes.every import every_route

    page = PAGE.read_text()
    for route in every_route():
        if route.tag in ("pages", "monitoring"):
            continue
        last = [part for part in route.path.split("/") if part and "{" not in part][-1]
        assert last in page, route.path
    for status in (
        400,
        401,
        403,
        404,
        405,
        406,
        408,
        409,
        410,
        413,
        414,
        415,
        421,
        429,
        431,
        503,
        507,
    ):
        assert str(status) in page
