"""Kestrel's journals: nothing in them is checked, so damage may change an item and cannot be told.

Then the items are judged by a plain replay of the same bytes: one queue in one file gives exactly
what that gives; what several files give must at least lie in one of them.
"""

from collections import deque
from random import Random

from darnerpy.migration import kestrel
from darnerpy.migration.kestrel import KestrelSource
from darnerpy.migration.source import Incoming
from tests.fuzz.directories import laid_out, pack, unpack
from tests.fuzz.engine import Target
from tests.fuzz.mutations import mutate
from tests.fuzz.sources import read_all, small_limits
from tests.migration import generators as records

__all__ = ["TARGET"]

NAMES = ["work", "work+audit", "work.100", "work.200", "work.150.pack", "work~~9", "a+", "+", "%ff"]


def make_directory(random: Random) -> bytes:
    names = ["work"] if random.random() < 0.6 else random.sample(NAMES, random.randint(1, 4))
    data = pack({name: make_journal(random) for name in names})
    return mutate(random, data) if random.random() < 0.7 else data


def make_journal(random: Random) -> bytes:
    return b"".join(make_record(random) for _ in range(random.randint(0, 20)))


def make_record(random: Random) -> bytes:
    xid = random.choice([0, 1, 1, 2, 3, 7, -1, 2**31 - 1])
    body = b"%d:" % random.randint(0, 99) + b"x" * random.choice([0, 1, 10, 10, 200])
    created, expiry = random.choice([0, 1, 10**12, 2**63 - 1]), random.choice([0, 0, 1, -5, 2**62])
    choices = [
        records.add(body, random.choice([0, 5, -5, 2**31 - 1])),
        records.addx(body, created, expiry),
        records.add_xid(xid, body, created, expiry),
        records.go_on(xid, body, created, expiry),
        records.remove(),
        records.remove_tentative(),
        records.remove_tentative(xid),
        records.save_xid(xid),
        records.unremove(xid),
        records.confirm_remove(xid),
    ]
    return random.choices(choices, [4, 4, 2, 2, 2, 2, 2, 1, 2, 2])[0]


def replay(journal: bytes) -> list[bytes]:
    """The items that wait, as plainly as can be."""
    at, last_xid = 0, 0
    items: list[bytes] = []
    waiting: deque[int] = deque()
    opened: dict[int, int] = {}
    given: dict[int, int] = {}

    def take(size: int) -> bytes:
        nonlocal at
        if size < 0 or at + size > len(journal):
            raise EOFError
        at += size
        return journal[at - size : at]

    def number() -> int:
        return int.from_bytes(take(4), "little", signed=True)

    try:
        while at < len(journal):
            kind = take(1)[0]
            if kind > 9:
                break
            xid = number() if kind in (4, 5, 6, 7, 8, 9) else 0
            if kind in (0, 2, 7, 8):
                times = 4 if kind == 0 else 16
                size = number() - times
                take(times)
                items.append(take(size))
                if kind == 8:
                    opened.pop(xid, None)
                if kind == 7 and xid:
                    given[len(items) - 1] = xid
                waiting.append(len(items) - 1)
            elif kind == 1 and waiting:
                waiting.popleft()
            elif kind in (3, 9) and waiting:
                item = waiting.popleft()
                xid = xid or given.pop(item, 0)
                if not xid:
                    xid = last_xid + 1
                    while xid == 0 or xid in opened:
                        xid += 1
                if xid in opened:
                    waiting.appendleft(opened[xid])
                opened[xid], last_xid = item, xid
            elif kind == 4:
                last_xid = xid
            elif kind == 5 and xid in opened:
                waiting.appendleft(opened.pop(xid))
            elif kind == 6:
                opened.pop(xid, None)
    except EOFError:
        pass
    return [items[number] for number in sorted([*waiting, *opened.values()])]


def check_directory(random: Random, data: bytes) -> set[str]:
    files = unpack(data)
    found: list[bytes] = []

    def judge(queue: bytes, item: Incoming, data: bytes) -> None:
        assert any(data in file for file in files.values()), "an item that is in no file"
        found.append(data)

    with laid_out(data) as directory, small_limits(kestrel, LARGE=100):
        outcomes, _ = read_all(KestrelSource(directory), judge)
    if list(files) == ["work"]:
        assert found == replay(files["work"])
    return outcomes


TARGET = Target(
    "kestrel_journals",
    "any files give the items that a plain replay gives, up to the damage, which is told",
    make_directory,
    check_directory,
)
