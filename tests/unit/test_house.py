"""How the package is built: no circle of files, no file that is too long, and a page that is true of it.

import-linter holds the layers between packages; here the files inside a package form a ladder as well.
An import only for type checking counts: a reader has to follow it.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "darnerpy"
PAGE = ROOT / "docs/architecture.md"
MOST_LINES = 400


def files() -> dict[tuple[str, ...], Path]:
    """Every file of the package by the name it is imported by."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[parts[:-1] if parts[-1] == "__init__" else parts] = path
    return found


def imports(name: tuple[str, ...], path: Path, known: dict[tuple[str, ...], Path]) -> set[Path]:
    """The files that a file names, wherever in it and for whatever purpose."""
    package = name if path.name == "__init__.py" else name[:-1]
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            named = [
                (*module, alias.name) if (*module, alias.name) in known else module
                for alias in node.names
            ]
        else:
            continue
        found |= {known[each] for each in named if each in known}
    return found - {path}


def circles(uses: dict[Path, set[Path]]) -> list[list[str]]:
    """Files that lead back to themselves, each such group once."""
    reach: dict[Path, set[Path]] = {}
    for start in uses:
        seen: set[Path] = set()
        todo = list(uses[start])
        while todo:
            path = todo.pop()
            if path not in seen:
                seen.add(path)
                todo += uses[path]
        reach[start] = seen
    groups = {frozenset(q for q in seen if p in reach[q]) for p, seen in reach.items() if p in seen}
    return sorted(sorted(str(p.relative_to(ROOT)) for p in group) for group in groups)


def test_a_circle_would_be_found(tmp_path: Path) -> None:
    a, b, c = (ROOT / name for name in "abc")
    assert circles({a: {b}, b: {c}, c: {b}}) == [["b", "c"]]
    source = tmp_path / "a.py"
    source.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from .b import B\n"
        "def late():\n    from ..two import c\n"
    )
    known: dict[tuple[str, ...], Path] = {
        ("p", "one", "b"): b,
        ("p", "two", "c"): c,
        ("p", "one", "a"): source,
    }
    assert imports(("p", "one", "a"), source, known) == {b, c}


def test_no_files_name_each_other_in_a_circle() -> None:
    known = files()
    assert len(known) > 100
    # A package's own file only says what is public of it, so who names the package means that.
    uses = {path: imports(name, path, known) for name, path in known.items()}
    assert circles(uses) == []


def test_no_file_is_too_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".c", ".h")
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_file_says_what_it_is() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert not text or ast.get_docstring(ast.parse(text)), path.relative_to(ROOT)


def test_what_the_page_names_is_there() -> None:
    page = PAGE.read_text()
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.(?:py|c))?)`", page)
    assert len(named) > 30
    for name in named:
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - set(re.findall(r"`?([a-z]+)/", page)) == set()
