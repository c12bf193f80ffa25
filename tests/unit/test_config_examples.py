"""Every TOML example that users are shown is one that the server starts with, also as its comments say."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.config import Settings, load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SETTING = re.compile(r"""[a-z_]+ = (?:"[^"]*"|true|false|[0-9][0-9_]*)""")


def examples() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for match in re.finditer(r"```toml\n(.*?)```", page.read_text(), re.DOTALL):
            line = page.read_text().count("\n", 0, match.start()) + 1
            yield f"{page.name}:{line}", match[1]


def followed(example: str) -> Iterator[tuple[str, str]]:
    """The example with each setting that a comment offers, alone, and with all of them."""
    lines = example.splitlines()
    offers = [
        (number, setting)
        for number, line in enumerate(lines)
        for setting in SETTING.findall(line.partition("#")[2])
    ]
    for number, setting in offers:
        yield setting, "\n".join([*lines[: number + 1], setting, *lines[number + 1 :]])
    if len(offers) > 1:
        every = list(lines)
        for number, setting in reversed(offers):
            every.insert(number + 1, setting)
        yield "all of them", "\n".join(every)


@pytest.mark.parametrize(
    ("place", "example"), [pytest.param(*each, id=each[0]) for each in examples()]
)
def test_an_example_starts(tmp_path: Path, place: str, example: str) -> None:
    path = tmp_path / "darnerpy.toml"
    for what, text in [("as it is", example), *followed(example)]:
        path.write_text(text)
        try:
            assert load(str(path), {}, {}) != Settings()
        except Exception as error:
            raise AssertionError(f"{place}, {what}: {error}") from error


def test_examples_are_found() -> None:
    places = [place for place, _ in examples()]
    assert any(place.startswith("README.md:") for place in places)
    assert sum(len(list(followed(example))) for _, example in examples()) >= 3
