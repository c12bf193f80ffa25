"""What the tests of the library share: queues of every engine, by either front, closed in the end."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import darnerpy
from tests.library.fronts import FRONTS, OpenQueue

ON_DISK = ["leveldb", "arena"]
ENGINES = [*ON_DISK, "memory"]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=ON_DISK)
def disk_engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _opening(
    path: Path, front: str, engine: str, loop: asyncio.AbstractEventLoop
) -> Iterator[OpenQueue]:
    opened: list[darnerpy.Queue] = []

    def open_queue(name: str = "default", **settings: Any) -> darnerpy.Queue:
        queue = FRONTS[front](loop, path, name, **{"engine": engine, "sync": "never", **settings})
        opened.append(queue)
        return queue

    yield open_queue
    for queue in opened:
        queue.close()


@pytest.fixture
def open_queue(
    tmp_path: Path, front: str, engine: str, loop: asyncio.AbstractEventLoop
) -> Iterator[OpenQueue]:
    """Opens queues of every engine, by either front."""
    yield from _opening(tmp_path / "data", front, engine, loop)


@pytest.fixture
def open_on_disk(
    tmp_path: Path, front: str, disk_engine: str, loop: asyncio.AbstractEventLoop
) -> Iterator[OpenQueue]:
    """Opens queues that outlive being closed, by either front."""
    yield from _opening(tmp_path / "data", front, disk_engine, loop)


@pytest.fixture
def q(open_queue: OpenQueue) -> darnerpy.Queue:
    """A queue that is open."""
    return open_queue()
