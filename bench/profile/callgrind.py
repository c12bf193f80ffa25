"""Counts the instructions of commands: runs `commands.py` under valgrind and reads what it wrote.

The counts depend on the code, the interpreter and the C libraries only, so that they can be compared
where times cannot: on a busy machine, in CI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.profile.counts import Counts

COMMANDS = Path(__file__).with_name("commands.py")
KINDS = ("set", "get", "pair", "closeopen")
BATCHES = (1, 4, 50)
MARK = "getpgid"


class CannotCount(Exception):
    """Why there are no counts."""


def stretches(kinds: tuple[str, ...], batches: tuple[int, ...]) -> list[str]:
    return [f"{kind}:{batch}" for kind in kinds for batch in batches]


def count(python: str, source: Path | None, wanted: list[str], commands: int) -> Counts:
    """Instructions a command. source: the checkout whose package is run, if not the installed one."""
    if not shutil.which("valgrind"):
        raise CannotCount("valgrind is not installed")
    # Not the caller's environment: even its size moves the stack, and where hashes begin is fixed.
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if source is not None:
        environ["PYTHONPATH"] = str(source)
    with tempfile.TemporaryDirectory(prefix="profile-") as directory:
        parts = Path(directory) / "counts"
        command = [
            *("valgrind", "--quiet", "--tool=callgrind", f"--dump-before={MARK}"),
            *(f"--callgrind-out-file={parts}", python, "-P", str(COMMANDS)),
            *(f"{directory}/data", str(commands), *wanted),
        ]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise CannotCount(f"{COMMANDS.name} failed: {done.stderr.strip()[-2000:]}")
        told = json.loads(done.stdout)
        found = {}
        for place, (stretch, ran) in enumerate(told["stretches"]):
            found[stretch] = round(_total(Path(f"{parts}.{2 * place + 2}")) / ran)
    return Counts(told["about"], found)


def _total(part: Path) -> int:
    """What passed between two marks. Parts are numbered; the first ends where counting begins."""
    found = re.search(r"^totals: (\d+)$", part.read_text(), re.MULTILINE)
    if found is None:
        raise CannotCount(f"valgrind wrote no total into {part.name}")
    return int(found[1])
