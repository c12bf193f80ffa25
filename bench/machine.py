"""What the figures were measured on: processor, kernel, interpreter, versions; and pinning."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0))  # before the runner pins itself
EDITABLE = REPOSITORY / ".venv" / "bin" / "darnerpy"  # what the sources are, uncompiled
_COMPILED = REPOSITORY / ".venv-compiled" / "bin" / "darnerpy"
PROGRAM = Path(
    os.environ.get("BENCH_DARNERPY") or (_COMPILED if _COMPILED.exists() else EDITABLE)
).absolute()
INTERPRETER = PROGRAM.parent / "python"

_ABOUT_PYTHON = """
import json, platform, sysconfig
flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
print(json.dumps([platform.python_implementation(), platform.python_version(),
                  "--enable-optimizations" in flags, "--with-lto" in flags]))
"""


SERVER_CORE, LOAD_CORE = 0, 1


def pinned(core: int) -> list[str]:
    """The prefix that keeps a command on one core, where there are cores to choose from."""
    if len(CORES) < 2 or not shutil.which("taskset"):
        return []
    return ["taskset", "-c", str(CORES[core])]


@dataclass(frozen=True)
class Placement:
    """Where a server and its load run: the prefixes of their commands."""

    server: list[str]
    load: list[str]


APART = Placement(pinned(SERVER_CORE), pinned(LOAD_CORE))
# On one core, and neither cuts in on the other: the load sends all it has and sleeps, then the server
# answers all in one turn and sleeps. So a turn has as many commands as there are connections, however
# busy the machine is. Rates and latencies mean nothing here.
_SHARED = [*pinned(SERVER_CORE), *(["chrt", "--batch", "0"] if shutil.which("chrt") else [])]
IN_TURN = Placement(_SHARED, _SHARED)


def keep_off_the_servers_core() -> None:
    """This process, and whatever it starts, which may also open as many files as are allowed."""
    if pinned(LOAD_CORE):
        os.sched_setaffinity(0, {CORES[LOAD_CORE]})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the servers inherit it


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _output(*command: str | Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, cwd=REPOSITORY)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _python() -> str:
    found = _output(INTERPRETER, "-c", _ABOUT_PYTHON)
    if not found:
        return "no virtual environment"
    kind, version, optimised, lto = json.loads(found)
    return f"{kind} {version}, PGO {'named' if optimised else 'not named'} in its build" + (
        ", LTO" if lto else ""
    )


def _commit() -> str:
    commit = _output("git", "rev-parse", "--short", "HEAD") or "not committed"
    changed = _output("git", "status", "--porcelain", "--untracked-files=no")
    return commit + (" with local changes" if changed else "")


def _first_line(*command: str) -> str:
    return (_output(*command).splitlines() or ["not installed"])[0]


def facts(directory: Path) -> dict[str, str]:
    """Everything a reader needs to judge or repeat the figures."""
    return {
        "processor": f"{_processor()}, {len(CORES)} cores, {_memory_gib():.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _first_line("findmnt", "-no", "FSTYPE", "-T", str(directory)),
        "Python": _python(),
        "darnerpy": f"{_output(INTERPRETER.parent / 'darnerpy', '--version') or 'not installed'}, "
        f"commit {_commit()}",
        "Darner": _first_line("darner", "-v"),
        "memcached": _first_line("memcached", "-V"),
        "Redis": _first_line("redis-server", "--version"),
        "beanstalkd": _first_line("beanstalkd", "-v"),
    }
