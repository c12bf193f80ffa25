"""The backups that are kept: what each holds, and removing one.

A backup has a file `BACKUP` that tells when it was made and what is in it; a directory without one is
none, and left alone. Everything here waits for the disk, so it is for a thread.
"""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from ..errors import ServerError
from ..journals.durable import sync_directory

__all__ = ["Kept", "delete", "kept", "sign"]

_FILE = "BACKUP"


class Kept(NamedTuple):
    """A backup. created: milliseconds since the epoch. size: bytes of its files, those of links too."""

    name: str
    created: int
    queues: int
    items: int
    size: int
    path: str


class _Signature(NamedTuple):
    created: int
    queues: int
    items: int
    bytes: int


def sign(directory: Path, created: int, items: int) -> None:
    """Write down what is in a backup whose queues are all copied. Not synced."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    queues = len(os.listdir(directory / "queues"))
    size = sum(path.stat().st_size for path in files)
    signature = _Signature(created, queues, items, size)
    (directory / _FILE).write_bytes(json.dumps(signature._asdict()).encode() + b"\n")


def kept(backups: Path) -> list[Kept]:
    """All there are, the oldest first. Raises `OSError`."""
    found = []
    names = os.listdir(backups) if backups.exists() else []
    for name in names:
        signature = None if name.startswith(".") else _signature(backups / name)
        if signature is not None:
            path = os.path.abspath(backups / name)
            contents = signature.queues, signature.items, signature.bytes
            found.append(Kept(name, signature.created, *contents, path))
    return sorted(found, key=lambda each: (each.created, each.name))


def delete(backups: Path, name: str) -> bool:
    """Remove a backup; whether there was one. Cut off, what is left of it goes at the next start."""
    directory = backups / name
    if not directory.exists():
        return False
    if _signature(directory) is None:
        raise ServerError(f"{directory} is no backup: it has no file {_FILE}")
    grave = backups / f".{name}~"
    shutil.rmtree(grave, ignore_errors=True)
    os.rename(directory, grave)
    sync_directory(backups)
    shutil.rmtree(grave)
    return True


def _signature(directory: Path) -> _Signature | None:
    try:
        found = json.loads((directory / _FILE).read_bytes())
        numbers = [found[name] for name in _Signature._fields]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return _Signature(*numbers) if all(type(number) is int for number in numbers) else None
