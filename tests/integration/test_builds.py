"""One source, two builds: what a wheel is called and holds, and that neither build is taken for the other."""

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

import hatch_build
from tests.servers import DARNERPY, PYTHON

ROOT = Path(__file__).parents[2]
HOT = [
    f"darnerpy.{package}.{name}".replace("/", ".")
    for package, names in hatch_build.HOT.items()
    for name in names.split()
]
BACKEND = """\
import json, sys
from hatchling import build
print(json.dumps([build.get_requires_for_build_wheel(), build.build_wheel(sys.argv[1])]))
"""
ORIGINS = """\
import json, sys
from importlib.util import find_spec
print(json.dumps([find_spec(name).origin for name in sys.argv[1:]]))
"""
PURE = {
    "by order": {"DARNERPY_PURE": "1"},
    "no compiler": {"CC": "/no/such/compiler"},
    "no headers": {"CC": "false"},
}


@pytest.mark.parametrize("environ", PURE.values(), ids=PURE.keys())
def test_what_cannot_be_compiled_or_shall_not_be_is_pure(
    environ: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        (sys.executable, "-c", BACKEND, os.fspath(tmp_path)),
        cwd=ROOT,
        env=os.environ | {"DARNERPY_PURE": "0"} | environ,
        check=True,
        capture_output=True,
        text=True,
    )
    requires, name = json.loads(done.stdout.splitlines()[-1])
    assert not [needed for needed in requires if needed.startswith(("mypy", "setuptools"))]
    assert name.endswith("-py3-none-any.whl")
    (said,) = [line for line in done.stderr.splitlines() if "pure Python" in line]
    assert ("DARNERPY_PURE" in said) is ("DARNERPY_PURE" in environ)
    with ZipFile(tmp_path / name) as wheel:
        files = {file for file in wheel.namelist() if file.startswith("darnerpy/")}
        about = wheel.read(next(n for n in wheel.namelist() if n.endswith("/WHEEL"))).decode()
    assert "Root-Is-Purelib: true" in about
    sources = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("darnerpy/**/*.py")}
    assert sources <= files
    assert not [file for file in files if file.endswith((".so", ".c", ".h"))]


@pytest.mark.parametrize("switch", ["1", "0", ""])
def test_the_switch_is_on_or_off(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = _why_pure(monkeypatch)
    monkeypatch.setenv("DARNERPY_PURE", switch)
    assert hatch_build.why_pure() == ("DARNERPY_PURE is set" if switch == "1" else here)


def test_the_list_names_modules_that_there_are() -> None:
    assert len(set(HOT)) == len(HOT)
    for name in HOT:
        assert (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()
    for name, sources in hatch_build.EXTENSIONS.items():
        assert all((ROOT / source).is_file() for source in sources), name


def test_the_name_of_an_error_is_used_once_in_a_function() -> None:
    """mypyc gives a name one type, and says nothing: with a second one the handler fails when it runs."""
    for name in HOT:
        tree = ast.parse((ROOT / name.replace(".", "/")).with_suffix(".py").read_text())
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            caught: dict[str, set[str]] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler) and node.name and node.type:
                    caught.setdefault(node.name, set()).add(ast.unparse(node.type))
            assert all(len(kinds) == 1 for kinds in caught.values()), f"{name}.{function.name}"


def test_no_property_gives_what_can_be_called() -> None:
    """What `self.property(argument)` compiles to reads the property and calls nothing."""
    for name in HOT:
        tree = ast.parse((ROOT / name.replace(".", "/")).with_suffix(".py").read_text())
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            if function.returns and "property" in map(ast.unparse, function.decorator_list):
                assert "Callable" not in ast.unparse(function.returns), f"{name}.{function.name}"


def test_nothing_compiled_stands_in_the_place_of_a_source() -> None:
    for name in HOT:
        module = find_spec(name)
        assert module is not None
        assert str(module.origin).endswith(".py"), module.origin


def test_what_is_written_in_c_is_there_wherever_there_is_a_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reason := _why_pure(monkeypatch):
        pytest.skip(reason)
    for name in hatch_build.EXTENSIONS:
        assert find_spec(name) is not None, name


def test_the_program_is_compiled_wholly_or_not_at_all() -> None:
    version = subprocess.check_output((*DARNERPY, "--version"), text=True)
    told = subprocess.check_output((PYTHON, "-P", "-c", ORIGINS, *HOT), text=True)
    endings = {Path(origin).suffix for origin in json.loads(told)}
    assert endings == ({".so"} if "(compiled, " in version else {".py"})


def _why_pure(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("DARNERPY_PURE", raising=False)
    return hatch_build.why_pure()
