"""The dashboard's files: how they are served, and what holds of each. A browser tries them elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.http.web import Web

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "darnerpy/http/pages"
SERVERS = {"pump": {"http": "127.0.0.1:0"}}
MOST_LINES = 400
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
LINKED = re.compile(r'(?:href|src)="([^"#]*)"')
IMPORTED = re.compile(r'(?m)(?:^import |from |import\()"([^"]+)"')


def files() -> list[str]:
    found = [str(path.relative_to(PAGES)) for path in PAGES.rglob("*") if path.is_file()]
    assert len(found) > 30
    return sorted(found)


def ours(*suffixes: str) -> list[Path]:
    return [
        PAGES / name
        for name in files()
        if not name.startswith("vendor/") and name.endswith(suffixes)
    ]


@pytest.mark.parametrize("name", files())
def test_every_file_is_served_as_what_it_is(web: Web, name: str) -> None:
    said = web.get("/" if name == "index.html" else f"/static/{name}")
    assert said.status == 200
    assert said.body == (PAGES / name).read_bytes()
    assert said.headers["content-type"] == TYPES[Path(name).suffix]
    assert said.headers["x-content-type-options"] == "nosniff"
    assert said.headers["cache-control"] == "no-cache"
    policy = said.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    tag = said.headers["etag"]
    for known in (tag, f"{tag} ", f'"other", {tag}', f"W/{tag}", "*"):
        again = web.get(f"/static/{name}", if_none_match=known)
        assert (again.status, again.body) == (304, b""), known
    for known in ('"other"', tag.strip('"'), ""):
        assert web.get(f"/static/{name}", if_none_match=known).status == 200, known


@pytest.mark.parametrize(
    "path", ["style", "style/", "style/none.css", "vendor/..%2fmain.js", "..%2fapp.py", "a/b/c"]
)
def test_nothing_else_is_served(web: Web, path: str) -> None:
    assert web.get(f"/static/{path}").status == 404


def test_what_a_page_names_is_there_and_everything_is_named() -> None:
    named = {"index.html"}
    for link in LINKED.findall((PAGES / "index.html").read_text()):
        assert link.startswith("static/"), link
        named.add(link.removeprefix("static/"))
    for path in ours(".js"):
        for link in IMPORTED.findall(path.read_text()):
            assert link.startswith("./"), link
            named.add(link.removeprefix("./"))
    assert named | {"vendor/uPlot-LICENSE.txt"} == set(files())


def test_nothing_is_read_as_markup_and_nothing_comes_from_elsewhere() -> None:
    markup = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
    )
    runs = r"\beval\(|new Function|setTimeout\(\s*[\"']|javascript:"
    for path in ours(".js", ".css", ".html"):
        text = path.read_text()
        assert not re.search(f"{markup}|{runs}", text), path
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import", text), path
        assert path.suffix != ".css" or "url(" not in text, path
    page = (PAGES / "index.html").read_text()
    assert not re.search(r"(?i)<style|\bstyle=|<script(?![^>]*\bsrc=)|\son\w+=", page)


def test_every_file_says_what_it_owns_and_is_short() -> None:
    for path in ours(".js", ".css"):
        text = path.read_text()
        assert text.startswith("// " if path.suffix == ".js" else "/* "), path
        assert path.suffix == ".css" or "\n// Owns " in text, path
        assert len(text.splitlines()) <= MOST_LINES, path


def test_a_wheel_has_them_all(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    environ = os.environ | {"DARNERPY_PURE": "1"}
    subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    prefix = "darnerpy/http/pages/"
    with ZipFile(wheel) as opened:
        inside = [
            name.removeprefix(prefix) for name in opened.namelist() if name.startswith(prefix)
        ]
    assert sorted(inside) == files()


@pytest.mark.parametrize("query", ["x=1", "code=a%2Fb&state=c&state=d", "%zz", "queue=q"])
def test_whatever_stands_behind_their_address(web: Web, query: str) -> None:
    """A proxy that asks people who they are sends them back with parameters of its own."""
    for path in ("/", "/static/main.js", "/static/style/base.css"):
        said = web.get(f"{path}?{query}")
        assert (said.status, said.body) == (200, web.get(path).body), path
