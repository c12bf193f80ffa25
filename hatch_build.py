"""Compiles what is hot, where it can be: hatchling runs this hook while it builds a wheel.

Owns which modules are compiled, and how. The same sources give a wheel for this Python and platform, or
one for any: that where no compiler finds `Python.h`, or where DARNERPY_PURE=1 says so. mypyc works in a
temporary folder, so nothing that it compiles ever stands beside its source and is imported in its
place. An editable install stays pure, for debuggers and coverage, but for what is written in C, which is
compiled into its place. Knows nothing of what the modules do.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PURE = "DARNERPY_PURE"

COMPILER = "mypy[mypyc]==2.4.1"
"""One version and no other: what it compiles is tested, and another may find fault with our types."""

HOT = {
    "protocol": "arguments foreign item_commands long_gets options text values verbs",
    "queues": "aside batches consumer counters delivery departures events fullmarks holding items leases "
    "limits line log observer open_reads order positions queue recoverable upkeep waiting windows",
    "journals": "marks records",
    "journals/arena": "active appending format items journal reading scan segments state syncing walk",
    "journals/leveldb": "blocks journal",
    "brokers": "committer condition handle loader local meter mover open_journals samples store stored "
    "syncing trimmer turn",
    "sessions": "changes counters destinations gathered guard held keys looks reads session slots state "
    "uploads waits writes",
    "server": "connection events tap",
    "ring": "frames layout",
}
"""Modules that mypyc compiles, by folder: the way of a command. Left alone are those that define what
it cannot: Structs, and class attributes of other than the simplest types."""

EXTENSIONS = {
    "darnerpy.server._pump": [f"darnerpy/server/_{name}.c" for name in ("pump", "socket", "chains")]
}
"""Modules that are written in C, each with its sources."""


class CompileHook(BuildHookInterface[Any]):
    """Finds out anew each time it is asked whether it can compile: pip asks in several processes."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if why_pure() else ["setuptools>=70", COMPILER]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="darnerpy-build-"))
        if reason := why_pure():
            self.app.display_warning(f"darnerpy is installed as pure Python: {reason}")
        elif version == "editable":
            for module in compiled(Path(self.root), self._folder, with_python=False):
                shutil.copy(self._folder / "lib" / module, Path(self.root) / module)
        else:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            for module in compiled(Path(self.root), self._folder, with_python=True):
                build_data["force_include"][str(self._folder / "lib" / module)] = str(module)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._folder)


def why_pure() -> str:
    """The reason not to compile anything; "" if there is none."""
    if os.environ.get(PURE, "0") not in ("", "0"):
        return f"{PURE} is set"
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    folders = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
    try:
        done = subprocess.run(
            [*command, *(f"-I{folder}" for folder in folders), "-fsyntax-only", "-xc", "-"],
            input=b"#include <Python.h>\n",
            capture_output=True,
        )
    except OSError:
        return f"there is no C compiler {command[0]!r}"
    return "the C compiler finds no Python.h" if done.returncode else ""


def compiled(root: Path, folder: Path, with_python: bool) -> list[Path]:
    """Compile into `folder`/lib; what came out, by its place in there."""
    from setuptools import Distribution, Extension

    sources = folder / "src"
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    for name in ("darnerpy", "typings"):
        shutil.copytree(root / name, sources / name, ignore=ignored)
    with chdir(sources):
        extensions = [
            Extension(
                name,
                files,
                extra_compile_args=["-O2", "-std=c11", "-Wall", "-Wextra", "-Wno-unused-parameter"],
            )
            for name, files in EXTENSIONS.items()
        ]
        if with_python:
            extensions += from_python(folder)
        command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
        command.ensure_finalized()
        command.run()
    return [file.relative_to(folder / "lib") for file in (folder / "lib").rglob("*.so")]


def from_python(folder: Path) -> list[Any]:
    """What mypyc makes of them, as one library: a call from one to another is a call in C."""
    from mypyc.build import mypycify

    # What others have typed is not installed here, and `make lint` has checked it.
    modules = [
        f"darnerpy/{package}/{name}.py" for package, names in HOT.items() for name in names.split()
    ]
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    return mypycify(
        [*options, *modules],
        opt_level="1",
        debug_level="0",
        target_dir=str(folder / "c"),
        group_name="darnerpy",
    )
