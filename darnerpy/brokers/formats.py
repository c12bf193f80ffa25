"""Versions of the data directory: the one this darnerpy writes, and the ways to it from older ones.

Owns the file FORMAT. A directory of an older version is brought up to date step by step when a server
takes it; one of a newer version is refused and left as it is. (The records in a journal carry a
version of their own, see `journals.records`.)
"""

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import DataFormatError
from ..journals.durable import sync_directory

__all__ = ["CURRENT", "STEPS", "check_format", "check_place", "upgrade", "write_format"]

CURRENT = 2

LEAST = 1
"""The oldest that can be looked at as it is."""


_ALLOWED = frozenset({"LOCK", "FORMAT.new", "STATUS", "LEASE_KEY", "backups", "tap", "lost+found"})
"""What may be in a directory that is to become one: left by a cut-off start, or by who began anew."""

_EMPTIED = frozenset({".trash", ".ready", ".scratch"})


def _nothing(data: Path) -> None:
    """Records of format 1 are read as they are; that there are others now an older darnerpy must know."""


STEPS: dict[int, Callable[[Path], None]] = {1: _nothing}
"""By version: what makes of a data directory of that version one of the next.

A step that was cut off is done again from its beginning, so it must bear that. To add one: raise
`CURRENT`, put the step here, and make a fixture of what is left behind (tests/fixtures).
"""


def check_format(data: Path) -> None:
    """Raises `DataFormatError` unless a directory is of a version that can be read as it is."""
    version = _read(data)
    if version < LEAST:
        raise DataFormatError(
            f"{data / 'FORMAT'}: format {version} is of an older darnerpy, {LEAST} at least is expected: "
            "start the server with it once, which brings it up to date"
        )


def check_place(data: Path) -> None:
    """Raises `DataFormatError` for a directory that holds other things and nothing of a data directory:
    what is emptied at start might be somebody's. What a fresh file system has is no such thing.
    """
    names = set(os.listdir(data))
    if names & {"FORMAT", "queues"}:
        return
    others = sorted(
        name for name in names - _ALLOWED if not name.startswith(".") or name in _EMPTIED
    )
    if others:
        raise DataFormatError(
            f"data directory {data}: it holds {others[0]!r} and nothing of darnerpy's, where an empty "
            "directory was expected, or one that darnerpy has made; nothing was changed"
        )


def upgrade(data: Path) -> None:
    """Make a directory one of the current version; a new one is.

    Raises `DataFormatError` if there is no way from its version to this one.
    """
    if not (data / "FORMAT").exists():
        write_format(data, CURRENT)
    for version in range(_read(data), CURRENT):
        STEPS[version](data)
        write_format(data, version + 1)


def write_format(data: Path, version: int) -> None:
    """Note the version, durably."""
    draft = data / "FORMAT.new"
    with draft.open("w") as file:
        file.write(f"{version}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(data / "FORMAT")
    sync_directory(data)


def _read(data: Path) -> int:
    """The version of a directory, one that is known."""
    note = data / "FORMAT"
    try:
        text = note.read_bytes()[:32].strip().decode("ascii", "backslashreplace")
    except FileNotFoundError:
        raise DataFormatError(f"{note} is not there: {data} is no data directory") from None
    version = int(text) if text.isdecimal() else 0
    if version > CURRENT:
        raise DataFormatError(
            f"{note}: format {version} is of a newer darnerpy, this one knows up to {CURRENT}: "
            "use a version that knows it; nothing was changed"
        )
    if version != CURRENT and version not in STEPS:
        raise DataFormatError(f"{note}: {text!r} is no format, 1 to {CURRENT} was expected")
    return version
