"""siberite's queues: two LevelDBs each, of items and of cursors."""

import os
from functools import partial
from pathlib import Path
from random import Random

from darnerpy.journals.leveldb import plyvel
from darnerpy.migration.siberite import SiberiteSource
from tests.fuzz.engine import Target
from tests.fuzz.leveldb_files import built, check_databases, mutate_databases
from tests.fuzz.sources import whole_item
from tests.migration.generators import siberite_queue

__all__ = ["TARGET"]


def make_queue(random: Random) -> bytes:
    data = built(partial(build, random))
    return mutate_databases(random, data) if random.random() < 0.9 else data


def build(random: Random, directory: Path) -> None:
    def item(number: int) -> bytes:
        return whole_item(b"%d:" % number + b"ab" * random.choice([0, 5, 50, 50, 600]))

    first = random.choice([1, 1, 250])
    items = {number: item(number) for number in range(first, first + random.randint(0, 12))}
    names = random.sample(["audit", "log", "a:b"], random.randint(0, 3))
    cursors = {name: first + random.randint(-1, 14) for name in names}
    failed = {name: [item(n) for n in range(random.randint(0, 2))] for name in names}
    siberite_queue(directory, "work", items, cursors, failed)
    for name in ("work", "_.metadata"):
        for _ in range(random.choice([0, 1])):
            # Opening it again makes a table of the log.
            plyvel.DB(os.fspath(directory / "work" / name)).close()


def check_queue(random: Random, data: bytes) -> set[str]:
    return check_databases(data, SiberiteSource)


TARGET = Target(
    "siberite",
    "any files give whole items, and damage or a SourceError where there is some",
    make_queue,
    check_queue,
    mutate_databases,
)
