"""A power cut in the middle of a load, and what the server makes of the disk that it leaves."""

import random
import re
from dataclasses import dataclass
from typing import Any

from tests.crash.disks import Disk, stopped, write_back
from tests.crash.load import Books, Ledger, Load, Promise, drain, missing_of, verify
from tests.servers import ServerProcess

__all__ = ["PATIENCE_S", "Recovered", "cut", "largest"]

PATIENCE_S = 600.0
"""How long a load waits for an answer: the server is stopped while the disk is looked at."""

LATE_S = 1.0
"""By how much a sync that is due may be late, on a machine that does other things as well."""

_BEGUN = "no meta-nextfile entry"
_GAP = "journal is damaged: items are missing"
_LOST = "journal is damaged: lost to damage"
_UNMARKED = "journal is damaged: no whole position mark was found"
_HOLE = re.compile(r"LevelDB is damaged: \d+\.log is damaged;")


@dataclass
class Cut:
    """A disk as the power cut left it, when in the load that was, and the books until then."""

    image: bytes
    at: float
    ledger: Ledger


@dataclass
class Recovered:
    """What was wrong; how much was acknowledged before, and how much of that is missing.

    oldest: seconds since the oldest of these was acknowledged that no get under way can have taken.
    gaps: how often it was reported that items are missing.
    """

    wrong: list[str]
    acknowledged: int = 0
    missing: int = 0
    oldest: float = 0.0
    gaps: int = 0


def cut(
    disk: Disk,
    server: ServerProcess,
    load: Load,
    sync: str,
    chance: random.Random | None = None,
    **settings: Any,
) -> Recovered:
    """The power goes under a load: what is left, while server and load stand still. Then they go on.

    chance: some files are written back just before. settings: of the server that recovers.
    """
    at = load.watch.now()
    with stopped(server), load.watch.pause():
        if chance is not None:
            write_back(server.data, chance)
        image = disk.cut()
        ledger = Ledger([Books(load.watch, list(books.entries)) for books in load.books])
        return recover(disk, Cut(image, at, ledger), sync, **settings)


def largest(sync: str) -> int:
    """Bytes of the largest items to put. Large ones are in files, which `never` does not sync."""
    return 200_000 if sync == "never" else 300_000


def promise(sync: str, at: float) -> Promise:
    """What a policy promises to have kept after a power cut at that moment."""
    match sync:
        case "always":
            return Promise(repeats=True)
        case "never":
            return Promise(since=0, repeats=True)  # nothing but what it was asked to sync
    return Promise(since=at - float(sync.removesuffix("ms")) / 1000 - LATE_S, repeats=True)


def recover(disk: Disk, made: Cut, sync: str, **settings: Any) -> Recovered:
    """Start a server on what is left, and hold what it serves against the books."""
    with disk.after(made.image) as path:
        server = ServerProcess(path, sync=sync, min_free_disk="off", **settings)
        try:
            server.start()
            left = drain(server.address)
            wrong = verify(made.ledger, left, promise(sync, made.at))
            result = Recovered(wrong, made.ledger.acknowledged)
            with server.connect() as wire:
                for key in ("jobs", "mail+audit"):
                    wire.put(key, b"goes on")
                    if wire.get(key) != b"goes on":
                        result.wrong.append(f"{key} does not go on")
            server.kill()
            log = server.complaints()
        except (AssertionError, OSError) as error:
            return Recovered([f"{type(error).__name__}: {error}"])
        finally:
            server.kill()
    result.gaps = sum(_GAP in line for line in log)
    result.wrong += [f"log: {line}" for line in log if not _expected(line, sync, left)]
    for key, items in left.items():
        missing = missing_of(made.ledger, key, set(items))
        result.missing += len(missing)
        ages = [made.at - when for d in missing if (when := made.ledger.meant(key)[d]) > 0]
        excused = made.ledger.asked[key]  # each may have taken one, and they take the oldest
        result.oldest = max([result.oldest, *sorted(ages, reverse=True)[excused:]])
    return result


def _expected(line: str, sync: str, left: dict[str, list[bytes]]) -> bool:
    """Whether a power cut may leave what is reported there."""
    # The system may write a file's later pages first: what was not synced may have a hole in it.
    if any(each in line for each in (_GAP, _LOST, _UNMARKED)) or _HOLE.search(line):
        return sync != "always"
    # LevelDB does not sync all of a database that it has only begun to make.
    queue = re.search(r" queue=(\S+) ", line)
    return _BEGUN in line and queue is not None and not left.get(queue[1])
