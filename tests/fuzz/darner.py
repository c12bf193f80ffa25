"""Darner's queues: a LevelDB each, with items in chunks."""

from functools import partial
from pathlib import Path
from random import Random

from darnerpy.migration import darner
from darnerpy.migration.darner import DarnerSource
from tests.fuzz.engine import Target
from tests.fuzz.leveldb_files import built, check_databases, mutate_databases
from tests.fuzz.sources import small_limits, whole_item
from tests.migration.generators import DarnerQueue

__all__ = ["TARGET"]


def make_queue(random: Random) -> bytes:
    data = built(partial(build, random))
    return mutate_databases(random, data) if random.random() < 0.9 else data


def build(random: Random, directory: Path) -> None:
    name = random.choice(["work", "work", "work.100"])
    for part in range(random.choice([1, 1, 2, 3])):
        # Opening it again makes a table of the log.
        with DarnerQueue(directory, name, 100 * part, 1000 * part) as queue:
            for number in range(random.randint(1, 6)):
                filler = b"x" * random.choice([0, 10, 300, 300, 1100, 3000])
                item = whole_item(b"%d:" % (100 * part + number) + filler)
                if random.random() < 0.05:
                    queue.put_chunks(item)
                else:
                    queue.put(item)
            queue.take(*(100 * part + n for n in range(3) if random.random() < 0.3))


def check_queue(random: Random, data: bytes) -> set[str]:
    with small_limits(darner, LARGE=2000):
        return check_databases(data, DarnerSource)


TARGET = Target(
    "darner",
    "any files give whole items, and damage or a SourceError where there is some",
    make_queue,
    check_queue,
    mutate_databases,
)
