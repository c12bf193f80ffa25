"""A program that moves all items of one queue to another, and back, until it is killed.

Each time it begins it says so, the queue it takes them from first: `work other`.
"""

import asyncio
import sys
from pathlib import Path

from darnerpy.config import SyncPolicy
from darnerpy.sessions.requests.moves import move
from tests.brokers.house import House
from tests.sessions.desk import host_of
from tests.sessions.driver import drive

LARGE = 300_000


def items(number: int) -> list[bytes]:
    """One of them in fifty is large."""
    return [b"%d:" % at + b"x" * (LARGE if at % 50 == 7 else at % 90) for at in range(number)]


async def main(directory: Path, engine: str, sync: str, number: int, first: str) -> None:
    House.engine = engine
    async with House(directory, sync=SyncPolicy(always=sync == "always")) as house:
        for data in items(number):
            if len(data) >= LARGE:
                await house.put_large(first.encode(), data)
            else:
                await house.put(first.encode(), data)
        names = ["work", "other"] if first != "other" else ["other", "work"]
        while True:
            print(*names, flush=True)
            source, target = (name.encode() for name in names)
            await drive(move(host_of(house), "me", source, b"", target))
            names.reverse()


if __name__ == "__main__":
    path, engine, sync, number, first = sys.argv[1:]
    asyncio.run(main(Path(path), engine, sync, int(number), first))
