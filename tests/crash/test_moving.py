"""A process is killed while it moves items: none is lost, and none comes twice if the move is asked for
again.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from darnerpy.cli.main import main
from darnerpy.sessions.requests.moves import move
from tests.brokers.house import House
from tests.crash.moving import items
from tests.sessions.desk import host_of
from tests.sessions.driver import drive

ROOT = Path(__file__).parents[2]
NUMBER = 400
LEAST, MOST = 4, 40
"""Rounds: a kill that comes in between is a matter of luck."""


def kill_while_moving(directory: Path, engine: str, sync: str, first: str, wait: float) -> str:
    """Which queue it took them from, and to which it moved them, when it was killed."""
    number = NUMBER if not (directory / "queues").exists() else 0
    command = [sys.executable, "-m", "tests.crash.moving", str(directory), engine, sync]
    with subprocess.Popen(
        [*command, str(number), first], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, "it did not come so far"
        time.sleep(wait)
        process.kill()
        return (said + process.stdout.read()).splitlines()[-1]


async def waiting(house: House, name: bytes) -> int:
    """How many there are. A queue in which nothing ever was is forgotten: each time it is asked for anew."""
    queue = (await house.usable(name)).queue
    return queue.count(queue.own)


@pytest.mark.parametrize("engine", ["leveldb", "arena"])
@pytest.mark.parametrize("sync", ["always", "never"])
def test_what_is_moved_is_never_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, sync: str
) -> None:
    monkeypatch.setattr(House, "engine", engine)
    chance = random.Random(f"{engine}{sync}")
    expected, first = Counter(items(NUMBER)), "work"
    in_both = rounds = 0
    while rounds < LEAST or (not in_both and rounds < MOST):
        rounds += 1
        source, target = kill_while_moving(
            tmp_path, engine, sync, first, chance.uniform(0, 0.3)
        ).split()

        async def look(source: bytes, target: bytes) -> tuple[int, int, int]:
            """How many were in both, and after one more move are in either."""
            async with House(tmp_path) as house:
                before = await waiting(house, source) + await waiting(house, target)
                await drive(move(host_of(house), "me", source, b"", target))
                return before - NUMBER, await waiting(house, source), await waiting(house, target)

        twice, left, moved = asyncio.run(look(source.encode(), target.encode()))
        assert twice >= 0, "some are lost"
        assert (left, moved) == (0, NUMBER), "some came twice"
        in_both += twice
        first = target
    assert in_both > 0, "none was killed in between"
    assert main(["check", str(tmp_path)]) == 0

    async def drain() -> Counter[bytes]:
        async with House(tmp_path) as house:
            return Counter(data or b"" for data in await house.drain(first.encode()))

    assert asyncio.run(drain()) == expected
