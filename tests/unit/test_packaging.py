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
from darnerpy.journals import plyvel

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
    (rule,) = HATCH["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]
    readme = (ROOT / "README.md").read_text()
    shown = re.sub(rule["pattern"], rule["replacement"], readme)
    assert relative(shown) == []
    assert all(f"(`{link}`)" in shown for link in relative(readme))
    outside = "see [this](https://example.org/a) and [that](#there)"
    assert re.sub(rule["pattern"], rule["replacement"], outside) == outside


def test_the_source_distribution_has_all_but_what_is_about_the_repository() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    made = {"data", "build", "dist", "PKG-INFO"}
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


@pytest.mark.parametrize(
    ("target", "made", "installs"),
    [
        ("serve", [], ["."]),
        ("test", [], [".[dev]"]),
        ("serve", [".serving"], []),
        ("test", [".serving"], [".[dev]"]),
        ("serve", [".serving", ".installed"], []),
        ("test", [".serving", ".installed"], []),
    ],
)
def test_serving_installs_no_tools(
    target: str, made: list[str], installs: list[str], tmp_path: Path
) -> None:
    if shutil.which("make") is None:
        pytest.skip("no make")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in ["bin/python", *made] if made else []:
        file = tmp_path / ".venv" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    # This may itself run under make.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    plan = subprocess.check_output(
        ["make", "--dry-run", target], cwd=tmp_path, env=environ, text=True
    )
    found = [line.split()[-1].strip("'") for line in plan.splitlines() if "pip install" in line]
    assert found == installs
    assert ("-m venv" in plan) is not bool(made)
