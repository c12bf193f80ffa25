"""What a package index and a fresh clone get: a README whose links lead somewhere, all that tests read."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import darnerpy
from darnerpy.journals.leveldb import plyvel

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HATCH = PROJECT["tool"]["hatch"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def relative(text: str) -> list[str]:
    return [link for link in LINK.findall(text) if not link.startswith(("http:", "https:", "#"))]


def bindings(**environment: str) -> list[str]:
    """What of LevelDB's is installed there; here, for what is not given."""
    required = map(Requirement, PROJECT["project"]["dependencies"])
    return [
        each.name
        for each in required
        if each.name.startswith("plyvel") and each.marker and each.marker.evaluate(environment)
    ]


def test_links_of_the_readme_lead_to_files() -> None:
    links = relative((ROOT / "README.md").read_text())
    assert len(links) > 5
    assert all((ROOT / link).exists() for link in links)


def test_an_index_shows_no_link_that_leads_nowhere() -> None:
    rules = HATCH["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]

    def shown(text: str) -> str:
        for rule in rules:
            text = re.sub(rule["pattern"], rule["replacement"], text)
        return text

    readme = (ROOT / "README.md").read_text()
    assert relative(shown(readme)) == []
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert len(pictures) > 0
    links = set(relative(readme)) - set(pictures)
    assert all(f"(`{link}`)" in shown(readme) for link in links)
    assert not any(picture in shown(readme) for picture in pictures)
    outside = "see [this](https://example.org/a) and [that](#there)"
    assert shown(outside) == outside


def test_the_source_distribution_has_all_but_what_is_about_the_repository() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    made = {"data", "build", "dist", "PKG-INFO", "__pycache__"}
    named = {entry.strip("/") for entry in HATCH["build"]["targets"]["sdist"]["include"]}
    always = {"LICENSE", "pyproject.toml"}
    eggs = {name for name in tracked if name.endswith(".egg-info")}
    assert tracked - made - eggs <= named | always


def test_the_pythons_that_it_runs_on_are_named() -> None:
    names = {name for name in PROJECT["project"]["classifiers"] if "Python :: 3." in name}
    assert names == {f"Programming Language :: Python :: {version}" for version in PYTHONS}
    allowed = SpecifierSet(PROJECT["project"]["requires-python"])
    assert all(f"{version}.0" in allowed for version in PYTHONS)
    assert "3.10.19" not in allowed
    assert "3.15.0" not in allowed  # plyvel-next refuses it, and says less clearly why


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", ["linux x86_64", "linux aarch64", "darwin arm64"])
def test_every_python_gets_one_binding_to_leveldb(python: str, system: str) -> None:
    platform, machine = system.split()
    found = bindings(python_version=python, sys_platform=platform, platform_machine=machine)
    has_wheel = python == "3.12" and system == "linux x86_64"
    assert found == ["plyvel" if python == "3.11" or has_wheel else "plyvel-next"]


def test_the_binding_in_use_is_the_one_that_is_required() -> None:
    assert bindings() == [plyvel.DB.__module__.split(".")[0].replace("_", "-")]


def test_the_version_has_a_section_of_changes() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(
        rf"(?m)^## \[{re.escape(darnerpy.__version__)}\] - \d{{4}}-\d\d-\d\d$", changes
    )
    assert "\n## [Unreleased]\n" in changes


SERVED = ["-serve/.compiled", "/.serving"]
TESTED = ["/.installed", "-compiled/.compiled"]


@pytest.mark.parametrize(
    ("target", "made", "installs"),
    [
        ("serve", [], ["-serve .[fast,http]", " ."]),
        ("serve", SERVED, []),
        ("serve", ["/.serving"], ["-serve .[fast,http]"]),
        ("serve", ["-serve/.pure", "/.serving"], ["-serve .[fast,http]"]),
        ("serve DARNERPY_PURE=1", SERVED, ["-serve .[fast,http]"]),
        ("serve DARNERPY_PURE=1", ["-serve/.pure", "/.serving"], []),
        ("serve DARNERPY_PURE=0", SERVED, []),
        ("install", [], [" .[dev]"]),
        ("install", ["/.serving"], [" .[dev]"]),
        ("install", ["/.serving", "/.installed"], []),
        ("test-compiled", [], [" .[dev]", "-compiled .[fast,http]"]),
        ("test-compiled", TESTED, []),
    ],
)
def test_make_installs_what_is_not_there_and_serving_needs_no_tools(
    target: str, made: list[str], installs: list[str], tmp_path: Path
) -> None:
    _prepare(tmp_path, made)
    assert _installs(target, tmp_path) == installs


@pytest.mark.parametrize(
    ("changed", "served", "developed"),
    [
        ("pyproject.toml", ["-serve .[fast,http]", " ."], [" .[dev]"]),
        ("hatch_build.py", ["-serve .[fast,http]", " ."], [" .[dev]"]),
        ("darnerpy/one.py", ["-serve .[fast,http]"], []),
        ("darnerpy/two.c", ["-serve .[fast,http]", " ."], [" .[dev]"]),
        ("README.md", [], []),
    ],
)
def test_make_installs_again_what_has_changed(
    changed: str, served: list[str], developed: list[str], tmp_path: Path
) -> None:
    _prepare(tmp_path, [*SERVED, *TESTED])
    os.utime(tmp_path / changed, (2000, 2000))
    assert _installs("serve", tmp_path) == served
    assert _installs("install", tmp_path) == developed


def _prepare(folder: Path, made: list[str]) -> None:
    """A checkout that is older than the environments made from it."""
    if shutil.which("make") is None:
        pytest.skip("no make")
    (folder / "darnerpy").mkdir()
    for name in (
        "pyproject.toml",
        "hatch_build.py",
        "README.md",
        "darnerpy/one.py",
        "darnerpy/two.c",
    ):
        (folder / name).touch()
        os.utime(folder / name, (1000, 1000))
    shutil.copyfile(ROOT / "Makefile", folder / "Makefile")
    for name in made:
        environment, _, stamp = name.partition("/")
        for file in ("bin/python", stamp):
            path = folder / f".venv{environment}" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (1500, 1500))


def _installs(target: str, folder: Path) -> list[str]:
    """What make would install, each with what follows `.venv` in the name of the environment."""
    # This may itself run under make.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environ.pop("DARNERPY_PURE", None)
    plan = subprocess.check_output(
        ["make", "--dry-run", *target.split()], cwd=folder, env=environ, text=True
    )
    lines = [line.split() for line in plan.splitlines() if "pip install" in line]
    return [f"{w[0].split('/')[0].removeprefix('.venv')} {w[-1].strip(chr(39))}" for w in lines]
