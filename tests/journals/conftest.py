"""Journals of every engine, each in a directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from darnerpy.journals.arena.engine import ArenaEngine
from darnerpy.journals.contract import Engine
from darnerpy.journals.leveldb.engine import LevelDbEngine
from darnerpy.journals.memory import MemoryEngine
from tests.journals.kept import Kept


@pytest.fixture(params=[LevelDbEngine, ArenaEngine, MemoryEngine])
def engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made


@pytest.fixture
def kept(tmp_path: Path, engine: Engine) -> Iterator[Kept]:
    """A queue on a journal of each engine in turn."""
    keeper = Kept(tmp_path / "work", engine)
    yield keeper
    keeper.close()


@pytest.fixture(params=[LevelDbEngine, ArenaEngine])
def disk_engine(request: pytest.FixtureRequest) -> Engine:
    made: Engine = request.param()
    return made


@pytest.fixture
def durable(tmp_path: Path, disk_engine: Engine) -> Iterator[Kept]:
    """A queue on a journal that survives being closed, of each engine in turn."""
    keeper = Kept(tmp_path / "work", disk_engine)
    yield keeper
    keeper.close()
