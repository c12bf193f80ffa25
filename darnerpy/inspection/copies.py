"""Copies of a queue's files that share what never changes: large items, and what its engine says."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..journals.contract import DiskEngine
from ..journals.durable import sync_directory

__all__ = ["keep", "keep_queue"]


def keep_queue(engine: DiskEngine, directory: Path, target: Path) -> None:
    """Copy a queue's directory, durably; a link where a file never changes and can be linked."""
    _keep_tree(directory, target, lambda path: path.suffix == ".item" or engine.is_final(path))
    sync_directory(target.parent)


def keep(path: Path, target: Path) -> None:
    """Have a file or directory that nobody changes any more in another place, too."""
    if path.is_dir():
        _keep_tree(path, target, lambda path: True)
    else:
        _transfer(path, target, os.link)


def _keep_tree(directory: Path, target: Path, is_final: Callable[[Path], bool]) -> None:
    for path, _, names in os.walk(directory):
        into = target / Path(path).relative_to(directory)
        into.mkdir(parents=True)
        for name in names:
            source = Path(path) / name
            _transfer(source, into / name, os.link if is_final(source) else shutil.copyfile)
        sync_directory(into)


def _transfer(source: Path, target: Path, how: Callable[[Path, Path], object]) -> None:
    try:
        how(source, target)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
