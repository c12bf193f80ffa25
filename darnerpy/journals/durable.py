"""What outlives a power cut: whoever writes a file syncs it, but its name is the directory's."""

import os
from pathlib import Path

__all__ = ["make_directory", "make_directory_unsynced", "sync_directory", "sync_tree"]


def sync_directory(path: Path) -> None:
    """What was made, renamed or removed in a directory is on disk when this returns."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(path: Path) -> None:
    """All that lies in a directory is on disk when this returns, but for what others take away."""
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                handle = os.open(os.path.join(folder, name), os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_directory(Path(folder))


def make_directory(path: Path) -> None:
    """Make a directory, and those above it, unless they are there; they are on disk then."""
    for each in make_directory_unsynced(path):
        sync_directory(each)


def make_directory_unsynced(path: Path) -> list[Path]:
    """The same, but which directories are to be synced for that is left to whoever asks."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    return [each.parent for each in reversed(missing)]
