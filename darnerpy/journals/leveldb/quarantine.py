"""The quarantine: what is left of a damaged LevelDB, put there before anything is done to it.

<queue>/damaged/<n>/        its logs, tables and manifests as they were: links, for they never change
<queue>/damaged/<n>/CUT     they look as a power cut leaves them: of no use unless an item is lost
<queue>/damaged/<n>/DONE    all that could be won back from them is in the journal again

A folder without DONE is unfinished business: whoever opens the journal next begins it anew. When it is
done, only what is damaged stays, and of the folders only the newest few.
"""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ..durable import make_directory, sync_directory

__all__ = [
    "discard",
    "finish",
    "is_cut",
    "is_same",
    "isolate",
    "newest",
    "no_cut",
    "take_away",
    "unfinished",
]

_FILES = re.compile(r"\d+\.(?:log|ldb|sst)|MANIFEST-\d+|CURRENT")
_TABLES = (".ldb", ".sst")
_CUT, _DONE = "CUT", "DONE"
_MOST = 5


def isolate(database: Path, cut: bool = False) -> Path:
    """Put the files of a LevelDB aside, durably; returns the folder. cut: as a power cut leaves them."""
    place = _place(database)
    make_directory(place)
    for draft in place.glob(".*"):
        shutil.rmtree(draft)
    number = max((int(folder.name) for folder in _folders(database)), default=0) + 1
    draft = place / f".{number}"
    draft.mkdir()
    for name in filter(_FILES.fullmatch, os.listdir(database)):
        _link(database / name, draft / name)
    if cut:
        (draft / _CUT).touch()
    sync_directory(draft)
    folder = place / str(number)
    os.rename(draft, folder)
    sync_directory(place)
    return folder


def is_cut(folder: Path) -> bool:
    return (folder / _CUT).exists()


def no_cut(folder: Path) -> None:
    """It is damage after all, also for who begins it anew."""
    (folder / _CUT).unlink(missing_ok=True)
    sync_directory(folder)


def take_away(paths: Iterable[Path], folder: Path) -> None:
    """Leave these only where they were put aside: LevelDB writes over a file without making a new one."""
    for path in paths:
        if is_same(path, folder / path.name):
            path.unlink()


def _link(source: Path, target: Path) -> None:
    if source.is_symlink():  # in a copy that shares what never changes
        target.symlink_to(os.readlink(source))
        return
    try:
        os.link(source, target)
    except OSError:  # not every file system can
        shutil.copyfile(source, target)
    if target.suffix == ".log":  # all others are synced when they are written
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)


def unfinished(database: Path) -> list[Path]:
    return [folder for folder in _folders(database) if not (folder / _DONE).exists()]


def newest(database: Path) -> str:
    """Where the last was put aside, seen from the queue's directory; "" if nothing is."""
    folders = _folders(database)
    return f"{folders[-1].parent.name}/{folders[-1].name}" if folders else ""


def finish(database: Path, folder: Path, told: str) -> None:
    """All is won back. told: what was wrong and what was done, for people."""
    for path in list(folder.iterdir()):
        # Tables that are still in use are whole, and would take room when they no longer are.
        if path.suffix in _TABLES and is_same(path, database / path.name):
            path.unlink()
    draft = folder / f".{_DONE}"
    with draft.open("w") as file:
        file.write(f"{told}\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(draft, folder / _DONE)
    sync_directory(folder)
    done = [each for each in _folders(database) if (each / _DONE).exists()]
    for old in done[:-_MOST]:
        discard(old)
    shutil.rmtree(database / "lost", ignore_errors=True)  # where LevelDB puts what it cannot read


def discard(folder: Path) -> None:
    """Nothing in it is of use."""
    draft = folder.with_name(f".{folder.name}")
    os.rename(folder, draft)
    shutil.rmtree(draft, ignore_errors=True)


def is_same(path: Path, other: Path) -> bool:
    """Whether both names are of one file."""
    try:
        return path.samefile(other)
    except FileNotFoundError:
        return False


def _folders(database: Path) -> list[Path]:
    """In the order they were made."""
    try:
        names = os.listdir(_place(database))
    except FileNotFoundError:
        return []
    return [_place(database) / name for name in sorted(filter(str.isdecimal, names), key=int)]


def _place(database: Path) -> Path:
    return database.with_name("damaged")
